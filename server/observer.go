package server

import (
	"context"
	"errors"
	"maps"
	"time"

	spb "google.golang.org/genproto/googleapis/rpc/status"

	"github.com/go-lro/lro/server/engine"
)

// Observer sees what one server starts and runs, for traces and metrics. Any of
// its funcs may be nil. They are called synchronously, many at once, so they
// must be quick and safe for concurrent use.
//
// What the engine decides alone (a pending operation that is cancelled, the
// crash limit, an expired lease) is not among it: [Inspector.Subscribe] follows
// every change.
type Observer struct {
	// Inject writes the trace context of ctx into carrier, under the names of
	// the W3C headers ("traceparent", "tracestate", "baggage"). What it writes
	// is stored with the operation and comes back in [AttemptStart].
	Inject func(ctx context.Context, carrier map[string]string)
	// Started follows each start, with a nil error or the one its caller gets.
	Started func(ctx context.Context, kind string, err error)
	// Attempt is called before a handler. The context it returns is the
	// handler's, and must be ctx or derived from it; the func it returns, which
	// may be nil, is called when the attempt has ended.
	Attempt func(ctx context.Context, a AttemptStart) (context.Context, func(AttemptEnd))
}

// AttemptStart is an attempt that begins.
type AttemptStart struct {
	Operation string // its full name
	Kind      string
	Attempt   int               // from 1
	Trace     map[string]string // what Inject wrote when the operation was started; may be nil
	Created   time.Time         // when the operation was started
	// Queued is how long a first attempt waited since the start; 0 for later
	// attempts, which may have waited on purpose.
	Queued time.Duration
}

// AttemptEnd is how an attempt ended.
type AttemptEnd struct {
	// State is what the attempt makes of the operation: SUCCEEDED, FAILED or
	// CANCELLED, or PENDING for one that is to be run again.
	State State
	// Status is the error of an attempt that failed, also of one that is
	// retried. Nil otherwise, and after a panic.
	Status *spb.Status
	// LeaseLost says that the operation had ended or had been taken over, so
	// that the attempt's result does not count.
	LeaseLost bool
	// Overdue says that the handler ignored its timeout for [Kind].TimeoutGrace. Its
	// operation was ended, and its goroutine still runs.
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

// endOf tells what out, of a handler that ran with ctx, makes of an operation.
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
