// Package local gives a console the operations of a server in the same program,
// with all that its engine knows: states, requests, counts, history, and
// changes as they happen.
//
// Calls go through the server, so that [server.Config].Authorize is asked about
// each, with the context of the HTTP request. A hook that finds the caller in
// gRPC's metadata finds none there: put the caller into the context in a
// middleware in front of the console.
package local
