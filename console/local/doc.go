// Package local gives a console the operations of a server in the same program,
// with all that its engine knows: states, requests, counts, history, and
// changes as they happen.
//
// Calls go through the server, so that [server.Config].Authorize is called for
// each, with the context of the HTTP request. That context has no gRPC
// metadata: put the caller into it in a middleware before the console.
package local
