// Command example serves a library over gRPC, gRPC-Web, Connect and REST on one
// port, to callers that have a token:
//
//	go run ./example -token secret
//
// docs/http.md has the requests.
package main
