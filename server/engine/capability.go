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
	// [ErrLagged] when changes were lost, as when the reader was too slow: list
	// again and subscribe again. The iterator can be used once.
	Subscribe(ctx context.Context) iter.Seq2[Change, error]
}

// ErrLagged ends a subscription that has lost changes.
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

// Checker is an engine that can check whether it accepts changes now.
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

// RecordKeeper is an engine that keeps records in memory: as long as an operation
// does not change, Get mostly returns the same pointer. The server keeps the messages
// that it makes of such records.
type RecordKeeper interface {
	KeepsRecords() bool
}

// Meter is an engine that measures itself.
type Meter interface {
	// Metrics returns what the engine has measured. It may read the store, and is
	// meant to be called as often as metrics are collected: every few seconds.
	Metrics(ctx context.Context) (Metrics, error)
}

// Metrics are measurements of an engine. Those of the store are the same in all
// processes that share it; the others are of the engine's process.
type Metrics struct {
	// Queues are the PENDING operations that may run now, by kind. Kinds without
	// one are left out. Of the store.
	Queues map[string]QueueMetrics
	// DeadRows are the rows that the store has yet to clean up, by table; about as
	// many. Nil where there is no such thing. Of the store.
	DeadRows map[string]int64

	// Claims are the calls that claimed operations, also those that found none.
	Claims CallMetrics
	// Renewals are the renewals of this process's lease that succeeded, and
	// FailedRenewals those that did not.
	Renewals       CallMetrics
	FailedRenewals int64
	// Connections are those to the store, by what they do: "used" or "idle".
	Connections map[string]int64
}

// QueueMetrics are of operations that wait for an attempt.
type QueueMetrics struct {
	Depth int64
	Age   time.Duration // how long the oldest has waited
}

// CallMetrics are of calls since the engine was opened.
type CallMetrics struct {
	Count int64
	Time  time.Duration // of all together
}
