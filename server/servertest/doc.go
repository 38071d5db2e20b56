// Package servertest runs a server of given handlers in a test, in one line:
//
//	synctest.Test(t, func(t *testing.T) {
//		srv := servertest.Run(t, Export.Handle(export))
//		op := servertest.Start(t, srv, Export, &librarypb.ExportBooksRequest{Parent: "publishers/acme"})
//		archive, err := op.Wait(t.Context())
//		...
//	})
//
// The operations are in a file of the test, on the embedded engine, so handlers
// run as they do in production: requests are stored, attempts are fenced,
// checkpoints are durable. [Server.Restart] shows what a handler makes of its last
// checkpoint.
//
// Everything works inside a bubble of testing/synctest, where hours pass in
// milliseconds, and outside of one. A server must not leave its bubble. It stops
// when the test ends; nothing needs to be closed.
//
// The package does not link package testing. To test code that only waits for
// operations, no server is needed: package lrotest plays one by a script.
package servertest
