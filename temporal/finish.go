package temporal

import (
	"context"
	"errors"
	"time"

	failurepb "go.temporal.io/api/failure/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/go-lro/lro/server/engine"
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
	for wait := minFinishPause; ; wait = min(2*wait, maxFinishPause) {
		err := a.answer(a.e.ctx, o)
		switch {
		case err == nil, errors.Is(err, engine.ErrFenced):
			return
		case a.e.ctx.Err() != nil, a.isLost() && isClosed(a.worker.draining):
			return
		}
		a.e.opts.Logger.Error("end of attempt could not be stored, will try again",
			"operation", a.rec.Name, "attempt", a.n, "error", err, "after", wait)
		if waitFor(a.worker.abandoned, wait) {
			return
		}
	}
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

// answer tells Temporal how the attempt ended, once.
func (a *attempt) answer(ctx context.Context, o engine.Outcome) error {
	a.mu.Lock()
	progress, cancelled, gone := copyProgress(a.progress), a.cancelAsk, a.gone
	a.mu.Unlock()
	if gone {
		return engine.ErrFenced
	}
	if o.Metadata != nil {
		progress.Metadata = o.Metadata
	}
	rpc, cancel := context.WithTimeout(ctx, rpcTimeout)
	defer cancel()
	var err error
	switch o = a.e.checkOutcome(o, progress); {
	case o.Response != nil:
		err = a.complete(rpc, &statepb.Result{Response: o.Response, Metadata: progress.GetMetadata()})
	case o.Release && cancelled:
		ending := newEnding(code.Code_CANCELLED, cancelledText)
		ending.Metadata = progress.GetMetadata()
		err = a.cancelWith(rpc, ending)
	case o.Release:
		progress.Releases++
		err = a.handBack(rpc, progress, &statepb.Ending{}, releasedType, soon)
	case o.Retry && !cancelled && !a.atMostOnce:
		progress.Retries++
		err = a.handBack(rpc, progress, &statepb.Ending{Error: withCode(o.Error)}, failedType, max(o.RetryAfter, soon))
	default:
		ending := &statepb.Ending{Error: withCode(o.Error), Metadata: progress.GetMetadata()}
		if cancelled && o.Error.GetCode() == int32(code.Code_CANCELLED) {
			err = a.cancelWith(rpc, ending)
			break
		}
		err = a.fail(rpc, ending)
	}
	if isNotFound(err) {
		return engine.ErrFenced
	}
	return convert(ctx, err)
}

// checkOutcome replaces an outcome that cannot be stored by an error. The
// progress loses metadata that is too large.
func (e *Engine) checkOutcome(o engine.Outcome, p *statepb.Progress) engine.Outcome {
	set := 0
	for _, is := range []bool{o.Response != nil, o.Error != nil, o.Release} {
		if is {
			set++
		}
	}
	if set != 1 {
		return failure(code.Code_INTERNAL, "the handler ended without exactly one of response, error and release")
	}
	err := e.checkSize("response with metadata", &statepb.Result{Response: o.Response, Metadata: p.GetMetadata()})
	if err == nil {
		err = e.checkSize("error with metadata", &statepb.Ending{Error: o.Error, Metadata: p.GetMetadata()})
	}
	if err == nil && (o.Release || o.Retry) {
		err = e.checkSize("checkpoint with metadata", p)
	}
	if err == nil {
		return o
	}
	if e.checkSize("metadata", &statepb.Ending{Metadata: p.GetMetadata()}) != nil {
		p.Metadata = nil
	}
	return failure(code.Code_RESOURCE_EXHAUSTED, err.Error())
}

func failure(c code.Code, message string) engine.Outcome {
	return engine.Outcome{Error: newStatus(c, message)}
}

func (a *attempt) complete(ctx context.Context, result *statepb.Result) error {
	payloads, err := encode(result)
	if err != nil {
		return err
	}
	_, err = a.e.service.RespondActivityTaskCompleted(ctx, &workflowservice.RespondActivityTaskCompletedRequest{
		Namespace: a.e.opts.Namespace, Identity: a.e.opts.Identity, TaskToken: a.token, Result: payloads,
	})
	return err
}

func (a *attempt) fail(ctx context.Context, ending *statepb.Ending) error {
	f, err := newFailure(ending, failedType)
	if err != nil {
		return err
	}
	f.GetApplicationFailureInfo().NonRetryable = true
	_, err = a.e.service.RespondActivityTaskFailed(ctx, &workflowservice.RespondActivityTaskFailedRequest{
		Namespace: a.e.opts.Namespace, Identity: a.e.opts.Identity, TaskToken: a.token, Failure: f,
	})
	return err
}

// handBack has the operation wait for another attempt, which begins with the
// progress of this one. Where there can be no other one, because it may run
// once or cancel was asked for, Temporal ends it with the failure.
func (a *attempt) handBack(ctx context.Context, p *statepb.Progress, ending *statepb.Ending, kind string, after time.Duration) error {
	f, err := newFailure(ending, kind)
	if err != nil {
		return err
	}
	f.GetApplicationFailureInfo().NextRetryDelay = durationpb.New(after)
	details, err := encode(p)
	if err != nil {
		return err
	}
	_, err = a.e.service.RespondActivityTaskFailed(ctx, &workflowservice.RespondActivityTaskFailedRequest{
		Namespace: a.e.opts.Namespace, Identity: a.e.opts.Identity, TaskToken: a.token,
		Failure: f, LastHeartbeatDetails: details,
	})
	return err
}

func (a *attempt) cancelWith(ctx context.Context, ending *statepb.Ending) error {
	details, err := encode(ending)
	if err != nil {
		return err
	}
	_, err = a.e.service.RespondActivityTaskCanceled(ctx, &workflowservice.RespondActivityTaskCanceledRequest{
		Namespace: a.e.opts.Namespace, Identity: a.e.opts.Identity, TaskToken: a.token, Details: details,
	})
	return err
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
