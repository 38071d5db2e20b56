// Package wait is "lro wait": it waits for operations to end, by one scheduler
// however many there are, shows how far they are, and says how each ended.
//
// Results go to standard output as they come. When waiting stops before the
// operations do, because of --timeout, Ctrl-C or a service that cannot be
// asked, the command that goes on waiting is printed.
package wait
