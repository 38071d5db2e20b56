// Package lrootel records the waits of package lro as OpenTelemetry traces and
// metrics:
//
//	client := lro.NewClientConn(conn, lro.WithObserver(lrootel.NewObserver()))
//
// It uses OpenTelemetry's API only; the program chooses and flushes its SDK.
//
// # Traces
//
// A wait is a span named after the method, such as
// "example.library.v1.Library.ExportBooks.Wait", or "Operation.Wait" for a
// method without a name. It is a child of the span of its first waiter, and is
// linked to the span in which [lro.Method.Start] started the operation, which
// may have ended long ago. Each poll is a child of it named "GetOperation" or
// "WaitOperation", and what instruments the transport, such as otelgrpc, adds
// the call below. There are no spans for the pauses between. In an [lro.Group] a
// wait begins with the first call that an iteration makes for the operation, and
// ends with the iteration at the latest. Metadata of another type than declared is
// an exception event of its poll, which has not failed.
//
// Attributes of both are
//
//	gcp.resource.destination.id          name of the operation
//	gcp.longrunning.done                 whether it is done
//	gcp.longrunning.status_code          if it is: 0, or the code of its error
//	error.type                           canonical code of an error, such as UNAVAILABLE
//
// of a wait
//
//	lro.method                           name of the method
//	lro.outcome                          see below
//	lro.polls                            calls made
//
// and of a poll
//
//	gcp.longrunning.poll_attempt_count   1 for the first of the wait
//	rpc.method                           google.longrunning.Operations/GetOperation or /WaitOperation
//	rpc.response.status_code             canonical code, OK too
//
// The names in gcp are those of Google's clients for Go and Rust, those in rpc
// and error OpenTelemetry's semantic conventions. A wait has the status Error
// when the operation failed or waiting ended by an error, a poll when it
// failed, unless it was abandoned because no caller waits any longer, or was a
// long poll whose time was over.
//
// # Metrics
//
//	lro.wait.duration   s        histogram   waits; lro.outcome, lro.method
//	lro.wait.errors     {error}  counter     waits that failed; error.type, lro.outcome, lro.method
//	lro.wait.lateness   s        histogram   from the end of operations until it was seen; lro.method
//	lro.active_waits    {wait}   up-down     waits under way; lro.method
//	lro.polls           {poll}   counter     rpc.method, rpc.response.status_code, lro.method
//
// lro.outcome is one of
//
//	succeeded   the operation did, whether or not its response can be read
//	failed      the operation ended with an error
//	cancelled   the operation ended with CANCELLED
//	lost        a poll failed for good; the operation may still run
//	left        the last waiter left; the operation may still run
//
// # Lateness
//
// Lateness is known if the metadata has the end of the operation, in a field
// such as end_time, and its type is linked into the program or it was read from
// JSON by package lrohttp. It compares the service's clock with that of this
// machine. The operation cannot have ended before it was last seen running, nor
// after it was seen done: an end outside of these bounds by up to a second
// counts as at the bound. Further outside, the clocks cannot be compared, or
// the operation ended before the wait began, and nothing is recorded.
package lrootel
