// Command hello is the smallest whole: a kind of operation with its handler, a
// server that runs and serves it from one file, and a client that starts an
// operation, watches its progress and gets its result. Run it with
//
//	go run ./examples/hello
package main
