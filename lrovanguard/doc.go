// Package lrovanguard serves all services of a grpc.Server on one port: over
// gRPC, gRPC-Web, Connect, and as REST by their google.api.http annotations,
// including google.longrunning.Operations. The transcoding is
// connectrpc.com/vanguard's; this package is a module of its own because that
// one has no stable version yet.
//
//	handler, err := lrovanguard.NewHandler(grpcServer, lrovanguard.Config{Authenticate: authenticate})
//	...
//	web := &http.Server{Handler: handler, Protocols: lrovanguard.Protocols()}
//	return operations.Serve(ctx, nil, nil, server.HTTP(web, listener))
//
// # What it adds
//
//   - Operations over REST are those of package lrohttp, which official clients use:
//     names under any parent, :cancel and :wait, other paths by lrohttp.WithRules.
//   - Errors over REST have the body of AIP-193 and the HTTP status of their code,
//     also those for paths that do not exist, other methods (405) and other content
//     types (415). Details whose types are not linked into the program are kept.
//   - A body that is not JSON of the request is a 400, and so are fields and
//     parameters that the request does not have, so that a misspelt one is noticed.
//     This holds for JSON over Connect too. Parameters that begin with "$", which
//     Google's clients send, are ignored.
//   - [Config].Authenticate is called for every call of every protocol, before
//     its message is read.
//   - Connect requests need no header Connect-Protocol-Version.
//
// JSON of answers leaves out fields that are not set, as Google's services do.
//
// # Limits
//
// gRPC is served by grpc.Server.ServeHTTP, on net/http, which is slower than
// grpc-go's own transport and has no keepalive of its own. Server options of that
// transport have no effect here: grpc.InTapHandle, with it guard.Authentication,
// keepalive and connection limits. Interceptors and stats handlers have theirs. To
// serve gRPC at full speed, give it a port of its own beside this handler's.
//
// Methods that stream are served over gRPC, gRPC-Web and Connect, not as REST.
package lrovanguard
