package temporal

import (
	"context"
	"errors"
	"time"

	failurepb "go.temporal.io/api/failure/v1"
	"google.golang.org/genproto/googleapis/rpc/code"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
	"github.com/go-lro/lro/temporal/internal/statepb"
)

const (
	// While Temporal does not take the end of an attempt, it is tried again
	// after this long, doubling.
	minFinishPause = 50 * time.Millisecond
	maxFinishPause = 2 * time.Second

	// soon is the delay of an attempt that shall begin at once: 0 would leave
	// it to the retry policy.
	soon = time.Millisecond

	// maxMessage is how much of an error's text Temporal's UI is given.
	maxMessage = 1 << 10
)

// finish records how the attempt ended. It tries until Temporal takes it, the
// operation is no longer the attempt's, or the worker gives up: then the
// operation runs again when its lease has ended.
func (a *attempt) finish(o engine.Outcome) {
	enginekit.Retry(a.worker.abandoned, minFinishPause, maxFinishPause, func(pause time.Duration) bool {
		err := a.answer(a.e.ctx, o)
		switch {
		case err == nil, errors.Is(err, engine.ErrFenced):
			return true
		case a.e.ctx.Err() != nil, a.isLost() && enginekit.IsClosed(a.worker.draining):
			return true
		}
		a.e.opts.Logger.Error("end of attempt could not be stored, will try again",
			"operation", a.rec.Name, "attempt", a.n, "error", err, "after", pause)
		return false
	})
}

// abandon takes the operation from an attempt that does not return.
func (a *attempt) abandon() {
	a.e.opts.Logger.Error("attempt ignored the end of its context and was abandoned",
		"operation", a.rec.Name, "attempt", a.n)
	a.mu.Lock()
	returned := a.returned
	a.returned, a.lost = true, true // so that no heartbeat keeps the operation
	a.mu.Unlock()
	if !returned {
		if err := a.answer(a.e.ctx, engine.Outcome{Release: true}); err != nil {
			a.e.opts.Logger.Error("abandoned operation could not be handed back", "operation", a.rec.Name, "error", err)
		}
	}
	a.release()
}

// answer reports the outcome of the attempt to Temporal, once.
func (a *attempt) answer(ctx context.Context, o engine.Outcome) error {
	a.mu.Lock()
	progress, cancelled, lost, gone := copyProgress(a.progress), a.cancelAsk, a.lost, a.gone
	a.mu.Unlock()
	if gone {
		return engine.ErrFenced
	}
	if lost {
		// Its handler has heard that nothing of it counts any more. Temporal may not
		// know that yet, and can give the operation to another attempt at once.
		o = engine.Outcome{Release: true}
	}
	if o.Metadata != nil {
		progress.Metadata = o.Metadata
	}
	switch o = a.e.checkOutcome(o, progress); {
	case o.Response != nil:
		return a.owner.complete(ctx, &statepb.Result{Response: o.Response, Metadata: progress.GetMetadata()})
	case o.Release && cancelled:
		return a.owner.cancel(ctx, &statepb.Ending{Error: enginekit.Cancelled(), Metadata: progress.GetMetadata()})
	case o.Release:
		progress.Releases++
		return a.owner.handBack(ctx, progress, &statepb.Ending{}, releasedType, soon)
	case o.Retry && !cancelled && !a.atMostOnce:
		progress.Retries++
		return a.owner.handBack(ctx, progress, &statepb.Ending{Error: enginekit.WithCode(o.Error)}, failedType, max(o.RetryAfter, soon))
	}
	ending := &statepb.Ending{Error: enginekit.WithCode(o.Error), Metadata: progress.GetMetadata()}
	if cancelled && o.Error.GetCode() == int32(code.Code_CANCELLED) {
		return a.owner.cancel(ctx, ending)
	}
	return a.owner.fail(ctx, ending)
}

// checkOutcome replaces an outcome that cannot be stored by an error. The
// progress loses metadata that is too large.
func (e *Engine) checkOutcome(o engine.Outcome, p *statepb.Progress) engine.Outcome {
	err := o.Check(e.maxPayload())
	if err == nil {
		err = e.checkSize("response with metadata", &statepb.Result{Response: o.Response, Metadata: p.GetMetadata()})
	}
	if err == nil {
		err = e.checkSize("error with metadata", &statepb.Ending{Error: o.Error, Metadata: p.GetMetadata()})
	}
	if err == nil && (o.Release || o.Retry) {
		err = e.checkSize("checkpoint with metadata", p)
	}
	if err == nil {
		return o
	}
	if (engine.Update{Metadata: p.GetMetadata()}).Check(e.maxPayload()) != nil {
		p.Metadata = nil
	}
	return enginekit.Unstorable(err)
}

func newFailure(ending *statepb.Ending, kind string) (*failurepb.Failure, error) {
	details, err := encode(ending)
	if err != nil {
		return nil, err
	}
	message := ending.GetError().GetMessage()
	if kind == releasedType {
		message = "the worker is draining"
	}
	return &failurepb.Failure{
		Message: truncate(message),
		Source:  "lro",
		FailureInfo: &failurepb.Failure_ApplicationFailureInfo{
			ApplicationFailureInfo: &failurepb.ApplicationFailureInfo{Type: kind, Details: details},
		},
	}, nil
}
