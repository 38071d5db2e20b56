// Command library is a service in the style of the AIPs, with an RPC that takes
// a while, and a client that waits for it. Copy it to start your own.
//
//	go run ./examples/library serve
//	go run ./examples/library export publishers/acme
//
// service.go has the service, export.go the long-running operation, client.go
// the client. Kill the server with -9 while it exports and start it again: the
// client does not notice, and the archive is whole.
package main
