// Package lrogax lets package lro wait with the clients that Google generates:
// those of cloud.google.com/go, and all that protoc-gen-go_gapic makes.
//
// Such a client has a field LROClient, which knows the endpoint, the
// credentials and the transport. [New] makes a service of it, and [Wrap] a typed
// operation of what a generated method returned:
//
//	var CreateInstance = lro.Method[*filestorepb.Instance, *commonpb.OperationMetadata]{
//		Name: "google.cloud.filestore.v1.CloudFilestoreManager.CreateInstance",
//	}
//
//	instances, err := filestore.NewCloudFilestoreManagerClient(ctx)
//	...
//	client := lro.NewClient(lrogax.New(instances.LROClient))
//	...
//	started, err := instances.CreateInstance(ctx, req)
//	...
//	op, err := lrogax.Wrap(CreateInstance, client, started)
//	...
//	instance, err := op.Wait(ctx)
//
// The generated operation may be dropped then. Another process goes on with
// CreateInstance.Resume(client, name). To start safely, with one request_id
// (AIP-155) however often it takes, call [Proto] in the function given to
// [lro.Method.Start].
//
// # Who retries
//
// The retry and the timeout of the generated methods are switched off for calls
// that come through [New], also those set in LROClient.CallOptions: when to ask
// again is decided once, by [lro.Policy]. Their gRPC options, headers,
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
// Clients made by NewXxxRESTClient leave their field LROClient nil
// (gapic-generator-go sets it in the internal client only), so that [New] cannot
// wait through it: every call fails and says so. Make the client of the
// operations beside it:
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
//   - An operation whose metadata or response is of a type that is not linked
//     into the program cannot be read. Import the service's package, or use
//     package lrohttp, which keeps what it does not know.
//   - The status of its errors has the code of the HTTP status and no details.
//     Through [New] it has those in the body of the answer (AIP-193), and the
//     Retry-After header of an error is followed.
//   - Its ListOperations ignores ctx. Through [New] the call returns when ctx
//     ends, but the request stays open until the server answers.
package lrogax
