package engine

import (
	"context"
	"errors"
	"iter"
	"time"
)

// Subscriber is an engine with a change feed.
type Subscriber interface {
	// Subscribe yields every visible change from now on, in the order in which
	// they happened for one operation; changes that follow each other quickly
	// may be merged into the latest. It ends with ctx's error, or with
	// [ErrLagged] when the reader was too slow and changes were lost: list
	// again and subscribe again. The iterator can be used once.
	Subscribe(ctx context.Context) iter.Seq2[Change, error]
}

// ErrLagged ends a subscription whose reader was too slow.
var ErrLagged = errors.New("subscriber lagged, changes were lost")

// Change is one change of an operation.
type Change struct {
	Record  *Record // after the change; the last state for Deleted
	Deleted bool    // deleted or expired
}

// Statser is an engine that can count.
type Statser interface {
	// Stats counts the operations that are not deleted.
	Stats(ctx context.Context) (Stats, error)
}

// Stats are counts of operations by kind and state.
type Stats struct {
	Counts map[string]map[State]int64 // kind, state

	// Bytes is the size of the store's files by what they are, such as
	// "database" and "log". Nil where the engine has no files.
	Bytes map[string]int64
}

// Checker is an engine that can tell whether it takes changes now.
type Checker interface {
	// Check returns nil when the engine can acknowledge a change, and otherwise
	// an error that says why not: [ErrUnavailable] for a store that refuses
	// changes, [ErrClosed]. It is cheap while the store works, and may write to
	// it after it failed. It may be called at any time, as often as a readiness
	// probe needs.
	Check(ctx context.Context) error
}

// Historian is an engine that keeps what happened to an operation.
type Historian interface {
	// History returns the events of an operation, oldest first, or
	// [ErrNotFound]. An engine may thin out repeated events, such as
	// checkpoints.
	History(ctx context.Context, name string) ([]Event, error)
}

// Event is something that happened to an operation.
type Event struct {
	Time    time.Time
	Type    EventType
	Attempt int    // 0 before the first
	Text    string // for people, such as the error of a failed attempt; may be empty
}

// EventType names what happened. Its text is stored and shown.
type EventType string

// The events.
const (
	EventCreated         EventType = "created"
	EventAttemptStarted  EventType = "attempt_started"
	EventCheckpoint      EventType = "checkpoint"
	EventAttemptCrashed  EventType = "attempt_crashed"  // its process died
	EventAttemptReleased EventType = "attempt_released" // handed back while draining
	EventAttemptRetry    EventType = "attempt_retry"    // failed, will run again
	EventCancelRequested EventType = "cancel_requested"
	EventEnded           EventType = "ended"
)
