// Package lrogax lets package lro wait with the clients that Google generates:
// those of cloud.google.com/go, and all that protoc-gen-go_gapic makes.
//
// [Service] makes a service of such a client, and [Operation] a typed operation
// of what one of its methods returned. Go infers the types:
//
//	instances, err := filestore.NewCloudFilestoreManagerClient(ctx)
//	...
//	client := lro.NewClient(lrogax.Service(instances))
//	...
//	started, err := instances.CreateInstance(ctx, req)
//	...
//	op, err := lrogax.Operation(client, started)
//	...
//	instance, err := op.Wait(ctx)
//
// Methods that return google.protobuf.Empty take [EmptyOperation]. [Wait] and
// [WaitEmpty] do both steps in one call.
//
// The generated operation may be dropped then. Another process resumes it by
// name or token through the method, which [MethodOf] and [EmptyMethodOf] return:
//
//	var CreateInstance = lrogax.MethodOf((*filestore.CreateInstanceOperation)(nil))
//	...
//	op, err := CreateInstance.Resume(client, name)
//
// To start safely, with one request_id (AIP-155) however often it takes, call
// [Proto] in the function given to [lro.Method.Start].
//
// # Who retries
//
// The retry and the timeout of the generated methods are switched off for calls
// that come through [Service] and [New], also those set in CallOptions: when to
// poll again is decided once, by [lro.Policy]. Their gRPC options, headers,
// credentials, logging and telemetry stay.
//
// # Errors
//
// Errors are those of the generated client. Both status.FromError and
// errors.As with an *apierror.APIError understand them, also inside an
// [*lro.WaitError].
//
// # REST
//
// [Service] takes clients made by NewXxxRESTClient too. Their field LROClient is
// nil (gapic-generator-go sets it in the internal client only), so that they do not
// list operations, and cancel and delete only where they have the methods. The
// few that have no GetOperation either are for [PollService].
//
// A client of the operations alone can be made beside one, and does:
//
//	operations, err := lroauto.NewOperationsRESTClient(ctx, option.WithEndpoint("https://redis.googleapis.com"))
//	...
//	client := lro.NewClient(lrogax.New(operations))
//
// It differs from one over gRPC in what comes from the generated code
// (cloud.google.com/go/longrunning v1.5.0):
//
//   - Its WaitOperation sends GET / instead of POST /v1/{name}:wait. It is never
//     called; operations are polled.
//   - The paths of a service whose version is not v1 must be told by
//     [WithPathPrefix].
//   - Its ListOperations ignores ctx. Through [New] the call returns when ctx
//     ends, but the request stays open until the server answers.
//
// Both differ in this from a client over gRPC:
//
//   - An operation whose metadata or response is of a type that is not linked
//     into the program cannot be read. Import the service's package, or use
//     package lrohttp, which keeps what it does not know.
//   - The status of their errors has the code of the HTTP status and no details.
//     Through [Service] and [New] it has those in the body of the answer
//     (AIP-193), and the Retry-After header of an error is followed.
package lrogax
