package engine

import "errors"

// Errors of the contract. Engines wrap them with what they know.
var (
	// ErrNotFound: no operation of this name exists, or it was deleted.
	ErrNotFound = errors.New("operation not found")
	// ErrFenced: the writer no longer owns the operation. Its write changed
	// nothing.
	ErrFenced = errors.New("operation is owned by another attempt or is done")
	// ErrRequestIDReused: the request ID started an operation with another
	// kind, parent or request.
	ErrRequestIDReused = errors.New("request ID was used with another request")
	// ErrNotTerminal: the engine refuses this to an operation that runs.
	ErrNotTerminal = errors.New("operation is not done")
	// ErrInvalidCursor: [Query.After] is not a cursor of this engine.
	ErrInvalidCursor = errors.New("invalid cursor")
	// ErrInvalid: the caller's input cannot be stored; the text says which.
	ErrInvalid = errors.New("invalid")
	// ErrTooLarge: a payload is over the engine's limit; the text names it.
	ErrTooLarge = errors.New("too large")
	// ErrUnavailable: the store cannot be reached or written right now.
	ErrUnavailable = errors.New("store unavailable")
	// ErrMisconfigured: the store refuses this program, or lacks what it needs,
	// until an operator changes that; the text says what.
	ErrMisconfigured = errors.New("store misconfigured")
	// ErrClosed: the engine was closed.
	ErrClosed = errors.New("engine closed")
)

// Causes with which the context of an attempt ends.
var (
	// ErrCancelRequested: a caller cancelled the operation.
	ErrCancelRequested = errors.New("cancel requested")
	// ErrDraining: the worker is stopping.
	ErrDraining = errors.New("worker is draining")
	// ErrLeaseLost: the attempt no longer owns the operation. Another attempt was
	// claimed, Complete or Fail ended it, or the engine lost its store. Whatever
	// the attempt still writes is refused.
	ErrLeaseLost = errors.New("lease lost")
)
