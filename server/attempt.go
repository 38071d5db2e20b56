package server

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/go-lro/lro/server/engine"
)

// attempt is an attempt of the engine on its way through a handler.
type attempt struct {
	engine.Attempt
	metadata atomic.Int64 // size of what callers are shown, in bytes

	mu     sync.Mutex
	closed bool
	end    func(AttemptEnd) // the observer's; nil before the handler begins
}

// show reports metadata that was checked.
func (a *attempt) show(metadata *anypb.Any) {
	a.metadata.Store(int64(proto.Size(metadata)))
	a.Attempt.Report(metadata)
}

// observed sets what hears of the end.
func (a *attempt) observed(end func(AttemptEnd)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.end = end
}

// close reports the end to the observer, once, and reports whether it was the
// first to do so.
func (a *attempt) close(end AttemptEnd) bool {
	a.mu.Lock()
	first := !a.closed
	a.closed = true
	tell := a.end
	a.mu.Unlock()
	if first && tell != nil {
		tell(end)
	}
	return first
}

// run executes one attempt for the engine. The handler has a goroutine of its
// own, so that a panic or [runtime.Goexit] of it still ends in an outcome, and
// that one which ignores its deadline does not keep the operation for ever.
func (s *Server) run(ctx context.Context, from engine.Attempt) engine.Outcome {
	a, rec := &attempt{Attempt: from}, from.Record()
	a.metadata.Store(int64(proto.Size(rec.Metadata)))
	done := make(chan engine.Outcome, 1)
	go func() {
		var out engine.Outcome
		returned := false
		defer func() {
			if !returned {
				out = s.panicked(ctx, rec, recover())
			}
			done <- out
		}()
		out = s.attempt(ctx, a)
		returned = true
	}()
	var overdue <-chan time.Time
	if k := s.kinds[rec.Kind]; k != nil && k.timeout > 0 && k.grace >= 0 && k.timeout+k.grace > 0 { // and is no overflow
		timer := time.NewTimer(k.timeout + k.grace)
		defer timer.Stop()
		overdue = timer.C
	}
	select {
	case out := <-done:
		return out
	case <-overdue:
	}
	select {
	case out := <-done: // both at once
		return out
	default:
	}
	return s.overdue(ctx, a, s.kinds[rec.Kind])
}

// overdue ends an attempt whose handler runs on after its deadline and grace. It
// is not retried: the handler may still be doing what another attempt would.
func (s *Server) overdue(ctx context.Context, a *attempt, k *kind) engine.Outcome {
	rec := a.Record()
	st := s.faults.complete(&spb.Status{
		Code:    int32(codes.DeadlineExceeded),
		Message: fmt.Sprintf("an attempt took longer than %s, and did not end within %s after that", k.timeout, k.grace),
	}, reasonDeadline)
	s.logger.ErrorContext(ctx, "handler ignores its deadline: its operation is ended and its slot is free again",
		"operation", rec.Name, "kind", rec.Kind, "attempt", rec.Attempt, "deadline", k.timeout, "grace", k.grace)
	a.close(AttemptEnd{State: engine.Failed, Status: st, Overdue: true})
	return engine.Outcome{Error: st}
}

func (s *Server) panicked(ctx context.Context, rec *engine.Record, value any) engine.Outcome {
	text := "runtime.Goexit"
	if value != nil {
		text = fmt.Sprint(value)
	}
	s.logger.ErrorContext(ctx, "handler panicked", "operation", rec.Name, "kind", rec.Kind,
		"attempt", rec.Attempt, "panic", text, "stack", string(debug.Stack()))
	st := &spb.Status{Code: int32(codes.Internal), Message: "handler panicked"}
	return engine.Outcome{Error: s.faults.complete(st, reasonHandlerPanicked)}
}

func (s *Server) attempt(ctx context.Context, a *attempt) engine.Outcome {
	rec := a.Record()
	k := s.kinds[rec.Kind]
	if k == nil || k.invoke == nil {
		// An engine that runs what it was not asked to. Ending the operation
		// would be wrong: another server may know the kind.
		return engine.Outcome{Release: true}
	}
	runCtx := ctx
	if k.timeout > 0 {
		var cancel context.CancelFunc
		runCtx, cancel = context.WithTimeout(ctx, k.timeout)
		defer cancel()
	}
	runCtx, observed := s.observeAttempt(runCtx, rec)
	a.observed(observed)
	// The observer is called even if the handler panics.
	end := AttemptEnd{State: engine.Failed}
	defer func() {
		if !a.close(end) {
			s.logger.WarnContext(ctx, "handler returned after its operation was ended, its result is dropped",
				"operation", rec.Name, "kind", rec.Kind, "attempt", rec.Attempt)
		}
	}()
	resp, err := k.invoke(runCtx, s, a)
	out := s.fit(ctx, a, s.outcome(runCtx, k, rec, resp, err))
	end = endOf(runCtx, out)
	return out
}

// fit replaces a result that is too large to be served. The operation's
// error says so.
func (s *Server) fit(ctx context.Context, a *attempt, out engine.Outcome) engine.Outcome {
	metadata := int(a.metadata.Load())
	if out.Response != nil {
		if err := s.checkResult(out.Response, metadata); err != nil {
			s.logger.WarnContext(ctx, "response dropped", "operation", a.Record().Name, "kind", a.Record().Kind, "error", err)
			return engine.Outcome{Error: s.tooLarge(err)}
		}
	}
	out.Error = s.fitError(out.Error, metadata)
	return out
}

// outcome translates what a handler returned. ctx is the handler's.
func (s *Server) outcome(ctx context.Context, k *kind, rec *engine.Record, resp *anypb.Any, err error) engine.Outcome {
	if err == nil {
		return engine.Outcome{Response: resp}
	}
	st, stopped := s.statusOf(err), false
	if ctx.Err() != nil {
		cause := context.Cause(ctx)
		stopped = isStop(err, cause)
		switch {
		case errors.Is(cause, ErrLeaseLost):
			// Whatever is returned will be refused.
			return engine.Outcome{Release: true}
		case errors.Is(cause, ErrDraining) && (stopped || !hasStatus(err)):
			return engine.Outcome{Release: true}
		case errors.Is(cause, ErrCancelRequested) && stopped:
			return engine.Outcome{Error: s.cancelled()}
		case errors.Is(cause, context.DeadlineExceeded) && stopped:
			st = s.faults.complete(&spb.Status{
				Code:    int32(codes.DeadlineExceeded),
				Message: fmt.Sprintf("an attempt took longer than %s", k.timeout),
			}, reasonDeadline)
		}
	}
	if code := codes.Code(st.GetCode()); !stopped && (code == codes.Unknown || code == codes.Internal) {
		s.logger.WarnContext(ctx, "handler failed", "operation", rec.Name, "kind", rec.Kind,
			"attempt", rec.Attempt, "error", err)
	}
	out := engine.Outcome{Error: st}
	if !k.atMostOnce {
		out.RetryAfter, out.Retry = k.retry.again(rec.Attempt-rec.Crashes-rec.Releases, err, st)
	}
	return out
}

func (s *Server) cancelled() *spb.Status {
	st := &spb.Status{Code: int32(codes.Canceled), Message: "the operation was cancelled"}
	return s.faults.complete(st, reasonCancelled)
}

// isStop reports whether err, returned after the handler's context ended with
// cause, says no more than that. A status counts too: an RPC that the handler
// made with its context ends with one.
func isStop(err, cause error) bool {
	if errors.Is(err, cause) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	code := status.Code(err)
	return code == codes.Canceled || code == codes.DeadlineExceeded
}

func hasStatus(err error) bool {
	_, ok := errors.AsType[interface {
		error
		GRPCStatus() *status.Status
	}](err)
	return ok
}

// statusOf is the status that err ends an operation with.
func (s *Server) statusOf(err error) *spb.Status {
	switch {
	case hasStatus(err):
		return s.faults.complete(status.Convert(err).Proto(), "")
	case errors.Is(err, engine.ErrUnavailable):
		return status.Convert(s.faults.make(fault{
			code: codes.Unavailable, reason: reasonStoreUnavailable,
			message: "the store of operations is unavailable",
		})).Proto()
	case errors.Is(err, engine.ErrMisconfigured):
		return status.Convert(s.faults.make(s.faults.misconfigured())).Proto()
	case s.config.ErrorStatus != nil:
		if st := s.config.ErrorStatus(err); st != nil {
			return s.faults.complete(st.Proto(), "")
		}
	}
	code := codes.Unknown
	if errors.Is(err, context.DeadlineExceeded) {
		code = codes.DeadlineExceeded
	}
	return s.faults.complete(&spb.Status{Code: int32(code), Message: err.Error()}, reasonHandlerFailed)
}
