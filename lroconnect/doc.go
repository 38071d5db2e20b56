// Package lroconnect carries google.longrunning.Operations over the protocols of
// connect-go, on both sides: Connect, gRPC and gRPC-Web, with binary messages or
// JSON.
//
// # Waiting for operations of a Connect service
//
// A [Client] has the shape of the gRPC stub, so that package lro waits over it
// as over gRPC. It is made as connect-go's generated clients are:
//
//	client := lro.NewClient(lroconnect.NewClient(http.DefaultClient, "https://library.example"))
//
// # Serving operations to Connect clients
//
// [NewHandler] makes a handler of an implementation of the service, as connect-go's
// generated code does:
//
//	mux.Handle(lroconnect.NewHandler(operations))
//
// # What is kept
//
// Errors have the same code, message and details on both sides as over gRPC, also
// details whose types are not linked into the program; the type URL of a detail
// begins with "type.googleapis.com/", since Connect carries the message's name alone.
// Metadata is headers, deadlines are those of the protocol, and hints such as
// RetryInfo, Retry-After and grpc-retry-pushback-ms arrive.
//
// JSON of a google.protobuf.Any whose type is not linked into the program is
// handled as package lrohttp describes, in both directions.
package lroconnect
