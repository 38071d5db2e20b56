package server

import "github.com/go-lro/lro/server/engine"

// What programs see of an engine has its name here as well, so that only those
// who write an engine import its contract. Like the contract, the fields of
// these types may grow in a minor release.
type (
	// Engine stores operations and runs their handlers. Packages such as
	// server/engine/sqlite open one.
	Engine = engine.Engine
	// Record is an operation as its engine stores it. It must not be modified.
	Record = engine.Record
	// State is the stage of an operation's life (AIP-216).
	State = engine.State
	// Stats are counts of operations by kind and state.
	Stats = engine.Stats
	// Change is one change of an operation.
	Change = engine.Change
	// Event is something that happened to an operation.
	Event = engine.Event
	// EventType names what happened.
	EventType = engine.EventType
)

// The states of an operation.
const (
	Pending   = engine.Pending   // waits to be run
	Running   = engine.Running   // an attempt owns it
	Succeeded = engine.Succeeded // done, with a response
	Failed    = engine.Failed    // done, with an error
	Cancelled = engine.Cancelled // done, with an error of code CANCELLED
)

// The types of events.
const (
	EventCreated         = engine.EventCreated
	EventAttemptStarted  = engine.EventAttemptStarted
	EventCheckpoint      = engine.EventCheckpoint
	EventAttemptCrashed  = engine.EventAttemptCrashed  // its process died
	EventAttemptReleased = engine.EventAttemptReleased // handed back while draining
	EventAttemptRetry    = engine.EventAttemptRetry    // failed, will run again
	EventCancelRequested = engine.EventCancelRequested
	EventEnded           = engine.EventEnded
)

// ErrLagged ends [Inspector.Subscribe] when its reader was too slow and changes
// were lost: list and subscribe again.
var ErrLagged = engine.ErrLagged
