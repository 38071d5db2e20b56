package engine

import "context"

// Engine stores operations and runs their handlers. All methods are safe for
// concurrent use. After Close each of them returns [ErrClosed].
//
// A store that cannot be reached right now is reported as an error that wraps
// [ErrUnavailable]; nothing has been acknowledged then, although the write may
// still have happened. A ctx that ends is returned as its own error.
type Engine interface {
	// Start makes an operation durable and returns its record, PENDING, or
	// RUNNING for [Spec.External]. The engine chooses the name:
	// Parent + "/operations/" + one unguessable segment of at most 63 lower-case
	// letters, digits and inner hyphens, which begins with a letter.
	//
	// With a [Spec.RequestID] that has started an operation before, Start
	// returns that operation as it is now, whatever its state, unless kind,
	// parent or request differ, which is [ErrRequestIDReused].
	Start(ctx context.Context, spec Spec) (*Record, error)

	// Get returns the latest state, or [ErrNotFound]. Progress that was
	// reported but is not persisted yet is part of it.
	Get(ctx context.Context, name string) (*Record, error)

	// List returns one page, newest first. A page may hold fewer records than
	// asked for, even none, before the end; only an empty [Page.Next] is the
	// end. A cursor it did not make is [ErrInvalidCursor].
	List(ctx context.Context, q Query) (Page, error)

	// Cancel requests cancellation and returns the state after that. A PENDING
	// operation is CANCELLED at once; a RUNNING one gets [Record.CancelTime], and
	// its attempt's context ends with the cause [ErrCancelRequested]. Cancelling
	// twice, or when the operation is done, changes nothing and returns no error.
	Cancel(ctx context.Context, name string) (*Record, error)

	// Delete hides the operation at once: Get, List, Wait, Cancel and a second
	// Delete find nothing. It does not cancel: the operation runs to its end
	// unseen, also one that was pending or whose process dies, and its record is
	// removed then. Waiters get [ErrNotFound].
	// An engine that cannot do this to a running operation returns
	// [ErrNotTerminal] and changes nothing.
	Delete(ctx context.Context, name string) error

	// Wait returns the record once it is terminal. When ctx ends first, it returns
	// the last known state together with ctx's error.
	Wait(ctx context.Context, name string) (*Record, error)

	// Work claims PENDING operations of the worker's kinds, oldest first, and
	// runs them until ctx ends. Then it stops claiming, lets running attempts
	// finish for w.Drain, ends the rest with the cause [ErrDraining], hands
	// what did not finish back as PENDING, and returns nil. Several Works may
	// run at once.
	Work(ctx context.Context, w Worker) error

	// Report shows new metadata of an operation whose work is done elsewhere,
	// and renews its lease. It returns the state after it, in which CancelTime
	// is set when a caller cancelled it.
	Report(ctx context.Context, l Lease, u Update) (*Record, error)

	// Heartbeat renews the lease and returns the current state.
	Heartbeat(ctx context.Context, l Lease) (*Record, error)

	// Complete ends the operation as SUCCEEDED. Completing again with the same
	// lease returns no error and changes nothing. The context of an attempt that
	// still runs ends with the cause [ErrLeaseLost].
	Complete(ctx context.Context, l Lease, c Completion) (*Record, error)

	// Fail ends the operation as FAILED, or as CANCELLED when the status has
	// the code CANCELLED. A code of 0 is stored as UNKNOWN. Like Complete it ends
	// the context of an attempt that still runs.
	Fail(ctx context.Context, l Lease, f Failure) (*Record, error)

	// Close stops the engine and releases its store. It first ends every Work
	// as if its ctx had ended. Closing twice is no error.
	Close() error
}

// A Lease is the right to write to one running operation: its name and the
// fence its owner was given.
type Lease struct {
	Name  string
	Fence int64
}
