package server

import (
	"context"
	"errors"
	"maps"
	"time"

	spb "google.golang.org/genproto/googleapis/rpc/status"

	"github.com/go-lro/lro/server/engine"
)

// Observer is called for the starts and attempts of a server, for traces and
// metrics. Any of its funcs may be nil. They are called synchronously and
// concurrently, so they must be quick and safe for concurrent use.
//
// What the engine decides by itself (a pending operation that is cancelled, the
// crash limit, an expired lease) is not observed: [Inspector.Subscribe] follows
// every change.
type Observer struct {
	// Inject writes the trace context of ctx into carrier, under the names of
	// the W3C headers ("traceparent", "tracestate", "baggage"). What it writes
	// is stored with the operation and comes back in [AttemptStart].
	Inject func(ctx context.Context, carrier map[string]string)
	// Started is called after each start, with nil or the error that the caller
	// gets.
	Started func(ctx context.Context, kind string, err error)
	// Attempt is called before a handler. The context it returns is the
	// handler's, and must be ctx or derived from it; the func it returns, which
	// may be nil, is called when the attempt has ended.
	Attempt func(ctx context.Context, a AttemptStart) (context.Context, func(AttemptEnd))
}

// AttemptStart describes an attempt that begins.
type AttemptStart struct {
	Operation string // its full name
	Kind      string
	Attempt   int               // from 1
	Trace     map[string]string // what Inject wrote when the operation was started; may be nil
	Created   time.Time         // when the operation was started
	// Queued is the time from the creation of the operation to its first
	// attempt; 0 for later attempts, which may have been delayed on purpose.
	Queued time.Duration
}

// AttemptEnd describes how an attempt ended.
type AttemptEnd struct {
	// State is the operation's state after the attempt: SUCCEEDED, FAILED or
	// CANCELLED, or PENDING if it will run again.
	State State
	// Status is the error of a failed attempt, also if it is retried. Nil
	// otherwise, and after a panic.
	Status *spb.Status
	// LeaseLost reports that the operation was already done or owned by another
	// attempt, so that this attempt's result does not count.
	LeaseLost bool
	// Overdue reports that the handler ignored its timeout for
	// [Kind].TimeoutGrace. Its operation was ended, but its goroutine still runs.
	Overdue bool
}

func (s *Server) observeAttempt(ctx context.Context, rec *engine.Record) (context.Context, func(AttemptEnd)) {
	if s.config.Observer.Attempt == nil {
		return ctx, func(AttemptEnd) {}
	}
	a := AttemptStart{
		Operation: rec.Name, Kind: rec.Kind, Attempt: rec.Attempt,
		Trace: maps.Clone(rec.Trace), Created: rec.CreateTime,
	}
	if rec.Attempt == 1 {
		a.Queued = max(0, time.Since(rec.CreateTime))
	}
	observed, end := s.config.Observer.Attempt(ctx, a)
	if observed == nil {
		observed = ctx
	}
	if end == nil {
		end = func(AttemptEnd) {}
	}
	return observed, end
}

func (s *Server) observeStart(ctx context.Context, kind string, err error) {
	if s.config.Observer.Started != nil {
		s.config.Observer.Started(ctx, kind, err)
	}
}

// endOf returns the state that out, of a handler that ran with ctx, gives an
// operation.
func endOf(ctx context.Context, out engine.Outcome) AttemptEnd {
	end := AttemptEnd{Status: out.Error, LeaseLost: errors.Is(context.Cause(ctx), ErrLeaseLost)}
	switch {
	case out.Release || out.Retry:
		end.State = engine.Pending
	case out.Error == nil:
		end.State = engine.Succeeded
	case out.Error.GetCode() == 1:
		end.State = engine.Cancelled
	default:
		end.State = engine.Failed
	}
	return end
}
