// Package lro waits for long-running operations: calls that return a
// google.longrunning.Operation (AIP-151) at once and finish minutes later. It
// works with every service that follows AIP-151, including Google Cloud's.
//
// A [Client] represents a service, a [Method] an RPC that starts operations,
// and an [Operation] one operation, typed by its response and metadata:
//
//	var ExportBooks = lro.Method[*librarypb.ExportBooksResponse, *librarypb.ExportBooksMetadata]{}
//
//	client := lro.NewClientConn(conn)
//	started, err := library.ExportBooks(ctx, req) // a *longrunningpb.Operation
//	...
//	op, err := ExportBooks.Wrap(client, started)
//	...
//	resp, err := op.Wait(ctx)
//
// # Waiting
//
// [Operation.Wait] blocks until the operation is done or ctx ends, and there is
// no other time limit. [Operation.Progress] iterates over its states while it
// runs. Any number of goroutines may wait for one operation; it is polled once
// for all of them, and only while a caller waits.
//
// If the service has WaitOperation, the client waits there, in calls of up to
// 30 s, for up to 32 operations at once. Other operations are polled, first
// after 100 ms and then at growing intervals of at most 20 s. [Policy]
// documents the numbers and their reasons. If the service tells the client when
// to poll next, that overrides the schedule.
//
// # Failing
//
// Waiting returns one of three types of errors:
//
//   - [*OperationError]: the operation ended with an error. Final.
//   - [*WaitError]: waiting stopped; the operation may still run.
//   - [*ResultError]: the operation succeeded, but its response is missing or
//     of another type.
//
// So the code after a wait reads
//
//	resp, err := op.Wait(ctx)
//	if failed, ok := errors.AsType[*lro.OperationError](err); ok {
//		// It failed: failed.Code(), failed.Message(), failed.Details().
//	}
//	if stopped, ok := errors.AsType[*lro.WaitError](err); ok {
//		// It may still run: keep op.Token() and resume it later.
//	}
//
// # Resuming
//
// Another process can resume an operation with its [Operation.Name] or
// [Operation.Token]: [Method.Resume] takes either.
//
// # Stopping
//
// The end of ctx stops the waiting, never the operation. [Operation.Cancel]
// requests its cancellation.
//
// # Testing
//
// The package uses time only through package time and blocks only where
// testing/synctest can see it, so that code that waits for hours is tested in
// milliseconds. Package lrotest is a service that follows a script.
package lro
