// Package lroadapt lets package lro wait for operations of any client: those of
// services whose operations are not of google.longrunning, and of clients whose
// operations, results and errors are Go values instead of messages.
//
// A [Source] says how the client gets an operation and how to read it:
//
//	videos := lroadapt.NewClient(lroadapt.Source[*genai.GenerateVideosOperation, *genai.GenerateVideosResponse]{
//		Get: func(ctx context.Context, name string, _ ...grpc.CallOption) (*genai.GenerateVideosOperation, error) {
//			return client.Operations.GetVideosOperation(ctx, &genai.GenerateVideosOperation{Name: name}, nil)
//		},
//		State: func(op *genai.GenerateVideosOperation) lroadapt.State[*genai.GenerateVideosResponse] {
//			return lroadapt.State[*genai.GenerateVideosResponse]{Done: op.Done, Result: op.Response, Err: lroadapt.StatusError(op.Error)}
//		},
//	})
//	...
//	started, err := client.Models.GenerateVideosFromSource(ctx, model, source, nil)
//	...
//	op, err := videos.Wrap(started.Name, started)
//	...
//	response, err := op.Wait(ctx) // a *genai.GenerateVideosResponse
//
// Everything of package lro holds: one wait for all callers, progress, groups,
// resume by name or token, learned schedules, observers.
//
// # Values
//
// The client's operation is the metadata: [Operation.Metadata] and
// [Operation.Progress] return it, and its progress is found by the usual names of
// fields. Messages of protobuf are kept as they are, other values as their JSON, by
// encoding/json: what that leaves out of a value is lost.
//
// # Errors
//
// Errors of Get and Cancel get the gRPC status of their HTTP status, as
// lrohttp.Failure does it: a 403 ends a wait, and a 503 is retried. The client's
// own retries should be off, since [lro.Policy] decides about them.
package lroadapt
