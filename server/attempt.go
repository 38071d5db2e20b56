package server

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/go-lro/lro/server/engine"
)

// run executes one attempt for the engine. It has a goroutine of its own, so
// that a panic or [runtime.Goexit] of the handler still ends in an outcome.
func (s *Server) run(ctx context.Context, a engine.Attempt) engine.Outcome {
	var out engine.Outcome
	done := make(chan struct{})
	go func() {
		defer close(done)
		returned := false
		defer func() {
			if !returned {
				out = s.panicked(ctx, a.Record(), recover())
			}
		}()
		out = s.attempt(ctx, a)
		returned = true
	}()
	<-done
	return out
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

func (s *Server) attempt(ctx context.Context, a engine.Attempt) engine.Outcome {
	rec := a.Record()
	k := s.kinds[rec.Kind]
	if k == nil || k.invoke == nil {
		// An engine that runs what it was not asked to. Ending the operation
		// would be wrong: another server may know the kind.
		return engine.Outcome{Release: true}
	}
	ctx, observed := s.observeAttempt(ctx, rec)
	// The observer's end is told even when the handler panics.
	end := AttemptEnd{State: engine.Failed}
	defer func() { observed(end) }()
	runCtx := ctx
	if k.deadline > 0 {
		var cancel context.CancelFunc
		runCtx, cancel = context.WithTimeout(ctx, k.deadline)
		defer cancel()
	}
	resp, err := k.invoke(runCtx, s, a)
	out := s.outcome(runCtx, k, rec, resp, err)
	end = endOf(runCtx, out)
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
				Message: fmt.Sprintf("an attempt took longer than %s", k.deadline),
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
