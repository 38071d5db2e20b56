package lro

import (
	"context"
	"time"
)

// Observer sees what a client does for the operations it waits for. A nil
// Observer, and each nil function of one, costs nothing. Functions are called
// on the goroutine that waits or polls, from many at once; they must be quick
// and must not call the operation.
//
// Package lrootel has one for OpenTelemetry, and [SlogObserver] logs.
type Observer struct {
	// Started is called by [Method.Start] with each operation it started. What
	// it returns comes back in WaitStart.Link of the waits for it.
	Started func(ctx context.Context, e Started) (link any)
	// WaitStart is called when waiting for an operation begins: its first
	// caller waits, or an iteration over a [Group] makes its first call for
	// it. Later callers join it. The returned context is that of the polls and
	// of WaitEnd.
	WaitStart func(ctx context.Context, e WaitStart) context.Context
	// WaitEnd is called once for each WaitStart, when waiting ends, with or
	// without an outcome; in a [Group] also when the iteration ends.
	WaitEnd func(ctx context.Context, e WaitEnd)
	// PollStart is called before each poll. The
	// returned context is that of the call and of PollEnd.
	PollStart func(ctx context.Context, e PollStart) context.Context
	// PollEnd is called after it. The Err of ctx is [context.Canceled] where
	// the call was given up, because no caller waits any more, or because the
	// client polls instead, and [context.DeadlineExceeded] where it took longer
	// than Policy.AttemptTimeout.
	PollEnd func(ctx context.Context, e PollEnd)
}

// WaitStart describes a wait that begins.
type WaitStart struct {
	Operation string // its name
	Method    string // [Method.Name]; may be empty
	Link      any    // what Started returned; nil for an operation not started by Start
}

// WaitEnd describes a wait that has ended.
type WaitEnd struct {
	Operation string // as in WaitStart
	Method    string // as in WaitStart
	// Snapshot is the last known state; when it is done, waiting ended with an
	// outcome.
	Snapshot Raw
	// Err is the poll error that ended the wait, or nil; also nil when the last
	// waiter left.
	Err     error
	Polls   int           // calls made
	Elapsed time.Duration // since WaitStart
}

// PollStart describes a poll that begins.
type PollStart struct {
	Operation string // as in WaitStart
	Method    string // as in WaitStart
	Number    int    // 1 for the first of this wait
	LongPoll  bool   // by WaitOperation
	// Timeout is how long WaitOperation is asked to wait. Many services answer a
	// wait that has lasted so long with DEADLINE_EXCEEDED or CANCELLED, which is no
	// fault. 0 for GetOperation.
	Timeout time.Duration
}

// PollEnd describes the answer to a poll.
type PollEnd struct {
	PollStart
	Snapshot Raw   // the answer; the zero Raw with Err
	Err      error // of the call
	// MetadataErr says why the metadata in Snapshot is not of the type that was
	// declared; see [Snapshot.MetadataErr]. It does not end the wait. Nil where the
	// metadata is of that type, or there is none.
	MetadataErr error
	Elapsed     time.Duration // since PollStart
}
