// Package lro waits for long-running operations: calls that answer at once
// with a google.longrunning.Operation (AIP-151) and end minutes later. It works
// with every service that follows AIP-151, Google Cloud's among them.
//
// A [Client] stands for a service, a [Method] for an RPC that starts
// operations, and an [Operation] for one operation, typed by its response and
// metadata:
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
// Where the service has WaitOperation, one call waits for the end at the
// service; elsewhere the operation is polled, after 100 ms at first and then at
// growing intervals of at most 20 s. [Policy] has the numbers and their reasons.
// When the service asks to be called later, that wins.
//
// # Failing
//
// Three kinds of errors are never confused:
//
//   - [*OperationError]: the operation ended with an error. Final.
//   - [*WaitError]: we stopped waiting; the operation may still run.
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
// [Operation.Name] or [Operation.Token] is all that another process needs to
// resume it: [Method.Resume] takes either.
//
// # Stopping
//
// A ctx that ends stops the waiting, never the operation. [Operation.Cancel]
// asks the service to stop it.
//
// # Testing
//
// The package uses time only through package time and blocks only where
// testing/synctest can see it, so that code that waits for hours is tested in
// milliseconds. Package lrotest is a service that follows a script.
package lro
