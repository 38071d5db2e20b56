// Command library is a service in the style of the AIPs, with an RPC that takes
// a while, and a client that waits for it. Copy it to start your own.
//
//	go run ./examples/library serve
//	go run ./examples/library export publishers/acme
//
// service.go has the long-running operation and the server, client.go the client,
// main.go the command line. library.go and archive.go are what the service is
// about: books, and files of them. All else is generated, in librarypb. Kill the
// server with -9 while it exports and start it again: the client does not notice,
// and the archive is whole.
package main
