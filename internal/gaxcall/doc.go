// Package gaxcall makes the calls of generated Google clients fit for package
// lro: without the client's own retry and timeout, with one routing header, and
// with errors of REST that have a gRPC status.
package gaxcall
