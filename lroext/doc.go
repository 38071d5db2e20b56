// Package lroext lets package lro wait for extended operations: those of Compute
// Engine, which are no google.longrunning.Operation. It knows an operation by the
// annotations of google/cloud/extended_operations.proto on its message.
//
// # From a generated client
//
// What a method of a generated client returned becomes a typed operation, whose
// result and metadata are Compute's own message:
//
//	zones, err := compute.NewZoneOperationsRESTClient(ctx)
//	...
//	client := lro.NewClient(lroext.Service(lroext.ScopeOf(zones)))
//	...
//	started, err := instances.Insert(ctx, req) // a *compute.Operation
//	...
//	op, err := lroext.Operation(client, started)
//	...
//	done, err := op.Wait(ctx) // a *computepb.Operation
//
// [Service] takes a client for each scope whose operations are waited for: zones,
// regions, global, and global of organizations. The name of an operation says
// which is called. [Wait] does the last two steps in one call, [Start] starts
// under one request_id, [Resource] returns what the operation made, and
// [PollOperation] needs no client at all.
//
// # From a selfLink
//
// Another process resumes an operation by its selfLink, its name or its token:
//
//	op, err := lroext.Resume[*computepb.Operation](client, link)
//
// The host and the version in a link do not matter: the client's own endpoint is
// called, so that a link cannot direct credentials elsewhere. [NewHTTPService]
// makes a client of an http.Client and an endpoint, for every scope.
//
// # Waiting
//
// Everything of package lro holds: one wait for all callers, progress, groups,
// hints, learned schedules, observers. Compute's Wait is the long poll, given up
// and repeated after [lro.Policy.LongPoll]; 2 minutes, the most that Compute
// holds a call, need the fewest calls. Operations of organizations have no Wait and are
// polled; those of other scopes keep their long polls.
//
// # Errors
//
// An operation has failed if it is done and has an HTTP status that is no
// success, an error message without a status, or an entry in error.errors. The
// [*lro.OperationError] has the code of the HTTP status, UNKNOWN without one, and
// "CODE: message" of every entry as its message. Its details are the entries, and the
// messages of google.rpc in them:
//
//	entry, ok := lro.Detail[*computepb.Errors](err)
//	info, ok := lro.Detail[*errdetails.ErrorInfo](err) // of the entry, or its code as the reason
//
// An operation counts as cancelled only if its HTTP status is 499. Warnings are in
// the message, which is the metadata too. A poll that fails is never the failure of
// the operation: it is retried as [lro.Policy] says, by the code of the answer.
package lroext
