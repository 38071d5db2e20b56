// Package httpcall is what a gRPC call is over HTTP, whatever the protocol:
// metadata is headers, the peer is the remote address, and call options have the
// effect that HTTP allows.
package httpcall
