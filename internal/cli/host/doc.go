// Package host is the server that the command runs: an engine, which is the
// embedded one on a file unless another is brought, the kinds checksum and
// simulate, and google.longrunning.Operations with lro.v1.Starter over gRPC and
// HTTP/JSON on one port, with the console, health, reflection and, where it is
// asked for, TLS, bearer tokens and metrics.
//
// Connections are told apart before anything is read from them that matters: by
// the preface of HTTP/2 in plain text, by ALPN under TLS. So gRPC has grpc-go's
// own transport, which is three times as fast as its http.Handler.
package host
