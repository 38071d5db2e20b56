// Package guard limits the resources that clients can use, for servers that
// untrusted clients can reach: concurrent calls of a connection, the size and
// time of headers and bodies, idle connections, and the bytes of requests that
// are not complete. The defaults fit a server on the open internet.
//
//	g, err := guard.New(guard.Limits{})
//	...
//	grpcServer := grpc.NewServer(append(g.ServerOptions(creds), guard.Authentication(authenticate))...)
//	httpServer := &http.Server{Handler: mux}
//	g.Apply(httpServer)
//
// grpc-go and net/http have no such limits by default, or generous ones: a client
// may open any number of streams, send the beginning of a 4 MiB message on each,
// and wait; a body that never ends keeps its connection for ever.
//
// [Authentication] authenticates a gRPC call before its message is received.
// Interceptors run after that, so that without it a message from an unknown
// client costs as much as one from a known caller. The option
// WithAuthentication of package lrohttp takes the same function.
//
// The number of connections is not limited here. Each takes some tens of KiB, and
// the limit on open files of the process bounds them, or a listener such as
// netutil.LimitListener of golang.org/x/net.
package guard
