package engine

import (
	"context"
	"time"

	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/types/known/anypb"
)

// Worker says what [Engine.Work] runs, and how.
type Worker struct {
	// Run executes one attempt and returns how it ended. It is called on a
	// goroutine of its own, and must not panic. Its ctx ends with the cause
	// [ErrCancelRequested], [ErrDraining] or [ErrLeaseLost].
	Run func(ctx context.Context, a Attempt) Outcome
	// Kinds are the kinds to claim, each with the number of attempts it may
	// run at once; 0 is no limit of its own. Operations of other kinds stay
	// PENDING.
	Kinds map[string]int
	// Concurrency is how many attempts run at once in this Work. 0 means 100.
	Concurrency int
	// Drain is how long attempts may continue after Work's ctx has ended. 0 ends
	// them at once.
	Drain time.Duration
}

// Attempt is one execution of an operation, as the engine offers it to
// [Worker.Run]. Its methods are safe for concurrent use.
type Attempt interface {
	// Record is the operation as it was claimed: Attempt counts this one,
	// Checkpoint is what the previous attempt saved last.
	Record() *Record
	// Report shows metadata to callers at once and persists it soon after, at
	// most every 100 ms. It never blocks on the store, the latest wins, and
	// after the attempt has lost its operation it does nothing. The message
	// must not be modified afterwards.
	Report(metadata *anypb.Any)
	// Save makes a checkpoint durable before it returns, together with the
	// metadata reported so far. [ErrFenced] means the operation is no longer
	// this attempt's. The bytes must not be modified until it returns.
	Save(ctx context.Context, checkpoint []byte) error
}

// Outcome is how an attempt ended. The zero value is invalid and recorded as
// an INTERNAL error.
type Outcome struct {
	// Exactly one of Response, Error and Release is set.
	Response *anypb.Any
	Error    *status.Status
	// Release hands the operation back as PENDING to be run again at once, for an
	// attempt that was drained. For an AtMostOnce operation it is an ABORTED end.
	Release bool

	// Retry runs the operation again after RetryAfter instead of ending it with
	// Error, unless cancel was requested or it is AtMostOnce.
	Retry      bool
	RetryAfter time.Duration

	// Metadata is the final metadata; nil keeps what was reported last.
	Metadata *anypb.Any
}
