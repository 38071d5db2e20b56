package console

import (
	"context"
	"iter"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/go-lro/lro/lropb"
)

// Source provides the operations of a console. It must be safe for concurrent
// use. Errors with a gRPC status are shown with their code and message; the
// text of others is only logged. For a method that a source does not support,
// it returns an error with the code UNIMPLEMENTED.
//
// A source may also be a [Watcher], [Counter], [Historian] or [StateFilterer].
// If one of their methods is not supported after all, it returns an error that
// wraps [errors.ErrUnsupported].
type Source interface {
	// List returns one page, newest first if the source has an order. A page
	// may be short, or empty, before the end.
	List(ctx context.Context, q Query) (Page, error)
	// Get returns the latest state of an operation.
	Get(ctx context.Context, name string) (Operation, error)
	// Cancel asks an operation to stop.
	Cancel(ctx context.Context, name string) error
	// Delete deletes an operation.
	Delete(ctx context.Context, name string) error
}

// Watcher is a source with a change feed.
type Watcher interface {
	// Watch returns the changes from the call on, until ctx ends. Several
	// changes of one operation may be merged. After an error in the iterator
	// the console reads anew what it shows, and watches again. The iterator is
	// used once, or not at all.
	Watch(ctx context.Context) (iter.Seq2[Change, error], error)
}

// Counter is a source that can count.
type Counter interface {
	// Count counts the operations by kind and state.
	Count(ctx context.Context) (Counts, error)
}

// Historian is a source that knows what happened to an operation.
type Historian interface {
	// History returns events, oldest first.
	History(ctx context.Context, name string) ([]Event, error)
}

// StateFilterer is a source whose filters may support the field "state".
type StateFilterer interface {
	// FiltersState reports whether a filter such as "state = RUNNING" works.
	FiltersState(ctx context.Context) bool
}

// Query selects a page of operations.
type Query struct {
	Filter    string // AIP-160, as the API takes it; empty for all
	PageSize  int    // the greatest number of operations in the page; positive
	PageToken string // Next of the page before; empty for the first
}

// Page is one answer of [Source.List].
type Page struct {
	Operations []Operation
	Next       string // token of the next page; empty at the end
}

// Operation is one operation as a source knows it.
type Operation struct {
	// Message is the operation as the API shows it. The console does not modify
	// it. Required.
	Message *longrunningpb.Operation
	// Info is what the source knows beyond it, nil for nothing.
	Info *Info
}

// State is the stage of an operation's life.
type State = lropb.OperationMetadata_State

// Info is what a source may know about an operation beyond the message. A zero
// field is unknown, or has not happened; the metadata is used in its place.
type Info struct {
	Kind    string
	State   State
	Request *anypb.Any
	Attempt int
	Crashes int
	// External says that its work is done elsewhere.
	External bool
	// Damaged is what of the stored operation cannot be read back; it is shown in
	// place of the metadata's message. Empty means nothing.
	Damaged string

	CreateTime, StartTime, UpdateTime, EndTime, ExpireTime time.Time
	// CancelTime is when the operation was first cancelled.
	CancelTime time.Time
}

// Change reports that an operation has changed.
type Change struct {
	Name       string
	Deleted    bool
	CreateTime time.Time // of the operation; zero if not known
}

// Counts are numbers of operations by kind and state.
type Counts map[string]map[State]int64

// Event is something that happened to an operation.
type Event struct {
	Time    time.Time
	Type    EventType
	Attempt int    // 0 before the first
	Text    string // for people; may be empty
}

// EventType names what happened. The console shows one it does not know by its
// text.
type EventType string

// The events the console has words for.
const (
	EventCreated         EventType = "created"
	EventAttemptStarted  EventType = "attempt_started"
	EventCheckpoint      EventType = "checkpoint"
	EventAttemptCrashed  EventType = "attempt_crashed"  // its process died
	EventAttemptReleased EventType = "attempt_released" // handed back by a server that stops
	EventAttemptRetry    EventType = "attempt_retry"    // failed, will run again
	EventCancelRequested EventType = "cancel_requested"
	EventEnded           EventType = "ended"
)
