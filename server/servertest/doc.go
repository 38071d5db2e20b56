// Package servertest runs a server of given handlers in a test, in one line:
//
//	synctest.Test(t, func(t *testing.T) {
//		srv := servertest.Run(t, Export.Handle(export))
//		op := servertest.Start(t, srv, Export, &librarypb.ExportBooksRequest{Parent: "publishers/acme"})
//		archive, err := op.Wait(t.Context())
//		...
//	})
//
// The operations are stored by the engine on SQLite, in a temporary file of the test,
// so handlers run as they do in production: requests are stored, attempts are
// fenced, checkpoints are durable. [Server.Restart] tests that a handler
// resumes from its last checkpoint.
//
// Everything works inside a bubble of testing/synctest, where hours pass in
// milliseconds, and outside of one. A server must not leave its bubble. It stops
// when the test ends; nothing needs to be closed.
//
// The package does not link package testing. Code that only waits for
// operations needs no server in its tests: package lrotest is a scripted one.
package servertest
