// Package lrohttp carries google.longrunning.Operations over HTTP/JSON, on both
// sides.
//
// # Waiting for operations of a service without gRPC
//
// A [Client] has the shape of the gRPC stub, so that package lro waits over it
// as over gRPC:
//
//	service, err := lrohttp.NewClient("https://library.googleapis.com", lrohttp.WithHTTPClient(authorized))
//	...
//	client := lro.NewClient(service)
//
// # Serving operations to clients without gRPC
//
// [NewHandler] makes an http.Handler of an implementation of the service, for
// the mux one has:
//
//	handler, err := lrohttp.NewHandler(operations)
//	...
//	mux.Handle("/v1/", handler)
//
// It serves the official clients for Go, Python, Node and Ruby as they are.
//
// # Paths
//
// Which request means which method is a table of google.api.HttpRule, the same
// for both sides. [DefaultRules] has the defaults; few services of Google have
// just those, so [WithRules] takes the http.rules of a service's configuration
// and [WithPrefix] another version:
//
//	lrohttp.WithRules(&annotations.HttpRule{
//		Selector: "google.longrunning.Operations.GetOperation",
//		Pattern:  &annotations.HttpRule_Get{Get: "/v1/{name=projects/*/locations/*/operations/*}"},
//	})
//
// Where a path fits several rules, one that ends in a literal segment wins, then
// one with a verb such as ":cancel", then the one with more literal segments,
// then the first. So /v1/p/operations lists, and /v1/p/operations/x gets.
//
// Names are escaped as google/api/http.proto says: all but letters, digits and
// "-_.~/". A handler takes a slash for the same whether it was escaped or not,
// and also takes a whole name escaped into one segment below
// /v1/operations/, as Google's Node client sends it. Names with a segment "." or
// ".." are refused by a client, since they would reach another path.
//
// # Errors
//
// A handler's errors have the body of AIP-193 and the HTTP status of
// google/rpc/code.proto, those for wrong paths, methods (405) and bodies (413,
// 415) included.
//
// A client's errors are of type [*Error], with a gRPC status. It reads bodies of
// AIP-193, the same in a list, and the bare google.rpc.Status of grpc-gateway,
// with their code, message and details. From any other body, such as the page of
// a proxy, it takes the title or beginning of the text as the message, and the
// code is that of the HTTP status:
//
//	400, 413, 414, 415, 422, 431   INVALID_ARGUMENT
//	401, 407                       UNAUTHENTICATED
//	403                            PERMISSION_DENIED
//	404, 410                       NOT_FOUND; UNIMPLEMENTED for a 404 of WaitOperation
//	405, 501                       UNIMPLEMENTED
//	408, 421, 425, 502, 503        UNAVAILABLE
//	409                            ABORTED
//	416                            OUT_OF_RANGE
//	429                            RESOURCE_EXHAUSTED
//	499                            CANCELLED
//	500 and other 5xx              INTERNAL
//	504                            DEADLINE_EXCEEDED
//	3xx and other 4xx              FAILED_PRECONDITION
//
// What fails on the network is UNAVAILABLE. An answer that is not what it should
// be is INTERNAL: no JSON, or JSON that is no operation. An answer over the
// limit of [WithMaxBody] is RESOURCE_EXHAUSTED.
//
// # Unknown types
//
// JSON writes the message in a google.protobuf.Any by its fields, which requires
// its type. Both sides work without the type, and never fail a poll for it:
//
//   - A client that reads an Any whose type is not linked into the program, or
//     whose JSON does not fit it, keeps the JSON; [Untyped] reads it.
//   - A handler that cannot write an Any as JSON sends a google.rpc.Status in its
//     place, the one message of any use here that every official client knows,
//     with the type URL and the encoded message in its text. A [Client] restores
//     the Any from it, so that nothing is lost between the two.
//
// Fields that a message does not have are ignored by both, except in requests to
// start an operation.
package lrohttp
