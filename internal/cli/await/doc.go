// Package await waits for operations to end, by one scheduler however many there
// are, and shows what happens meanwhile: "lro wait" and "lro watch" are this with
// different looks.
//
// Results go to standard output as they come. When waiting stops before the
// operations do, because of a time limit, Ctrl-C or a service that cannot be
// reached, the command that resumes is printed.
package await
