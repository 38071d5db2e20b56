// Package scripted is the service that all clients wait on in a run of the
// benchmarks: google.longrunning.Operations by a script, over gRPC.
//
// All there is to know of an operation is in its name: when it ends, on the
// clock that all processes of a machine share, and how. So the service needs no
// store, goes on where it was after it was killed, and who reads a name knows
// how late a client was. What the service counts are calls.
//
// [Faults] make it a bad service, but never a lying one.
package scripted
