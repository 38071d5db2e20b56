// Package reflect asks a gRPC server for the message types it speaks, by the
// server reflection protocol. Each question has a stream of its own that has
// ended before the answer is returned, so that none stays open while other
// calls run or keeps a server from stopping gracefully. [Gate] sees to that.
package reflect
