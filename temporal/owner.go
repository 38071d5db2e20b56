package temporal

import (
	"context"
	"fmt"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/temporal/internal/statepb"
)

// owner writes to an operation: for the attempt that owns it, or in its place. An
// external one has a single attempt in its life and is written to by its ID;
// others by the task token, which is void when another attempt begins.
type owner struct {
	e          *Engine
	activityID string
	runID      string
	token      []byte // nil for by ID
}

// tokenTimeout is how long the first heartbeat of an attempt, which brings its
// token, is waited for.
const tokenTimeout = 5 * time.Second

// owner returns the owner of an operation that is RUNNING.
func (e *Engine) owner(ctx context.Context, d *described) (owner, error) {
	if d.input.GetExternal() {
		return owner{e: e, activityID: d.activityID, runID: d.runID}, nil
	}
	if a := e.local(engine.Lease{Name: d.input.GetName(), Fence: int64(d.info.GetAttempt())}); a != nil {
		return a.owner, nil
	}
	wait, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	for attempt := d.info.GetAttempt(); d.info.GetAttempt() == attempt; {
		if d.progress.GetAttempt() == attempt && len(d.progress.GetTaskToken()) > 0 {
			return owner{e: e, activityID: d.activityID, runID: d.runID, token: d.progress.GetTaskToken()}, nil
		}
		if _, err := e.changed(wait, d.activityID, d.runID, d.token); err != nil {
			if ctx.Err() == nil && wait.Err() != nil {
				err = fmt.Errorf("%w: the attempt has not been heard from yet", engine.ErrUnavailable)
			}
			return owner{}, err
		}
		after, err := e.describeActivity(ctx, d.activityID, d.runID)
		if err != nil {
			return owner{}, err
		}
		d = after
	}
	return owner{}, engine.ErrFenced
}

// write makes the one of two calls that fits the owner. Temporal has each
// twice, with requests of different types. What is not found exists, but not for
// this owner.
func (o owner) write(ctx context.Context, timeout time.Duration, byToken, byID func(context.Context) error) error {
	call := byToken
	if o.token == nil {
		call = byID
	}
	rpc, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := call(rpc)
	if isNotFound(err) {
		return engine.ErrFenced
	}
	return convert(ctx, err)
}

func (o owner) heartbeat(ctx context.Context, timeout time.Duration, p *statepb.Progress) (cancelAsked bool, _ error) {
	details, err := encode(p)
	if err != nil {
		return false, err
	}
	err = o.write(ctx, timeout, func(ctx context.Context) error {
		resp, err := o.e.service.RecordActivityTaskHeartbeat(ctx, &workflowservice.RecordActivityTaskHeartbeatRequest{
			Namespace: o.e.opts.Namespace, Identity: o.e.opts.Identity, TaskToken: o.token, Details: details,
		})
		cancelAsked = resp.GetCancelRequested()
		return err
	}, func(ctx context.Context) error {
		resp, err := o.e.service.RecordActivityTaskHeartbeatById(ctx, &workflowservice.RecordActivityTaskHeartbeatByIdRequest{
			Namespace: o.e.opts.Namespace, Identity: o.e.opts.Identity, ActivityId: o.activityID, RunId: o.runID, Details: details,
		})
		cancelAsked = resp.GetCancelRequested()
		return err
	})
	return cancelAsked, err
}

func (o owner) complete(ctx context.Context, r *statepb.Result) error {
	result, err := encode(r)
	if err != nil {
		return err
	}
	return o.write(ctx, rpcTimeout, func(ctx context.Context) error {
		_, err := o.e.service.RespondActivityTaskCompleted(ctx, &workflowservice.RespondActivityTaskCompletedRequest{
			Namespace: o.e.opts.Namespace, Identity: o.e.opts.Identity, TaskToken: o.token, Result: result,
		})
		return err
	}, func(ctx context.Context) error {
		_, err := o.e.service.RespondActivityTaskCompletedById(ctx, &workflowservice.RespondActivityTaskCompletedByIdRequest{
			Namespace: o.e.opts.Namespace, Identity: o.e.opts.Identity, ActivityId: o.activityID, RunId: o.runID, Result: result,
		})
		return err
	})
}

// fail ends the operation with an error.
func (o owner) fail(ctx context.Context, ending *statepb.Ending) error {
	f, err := newFailure(ending, failedType)
	if err != nil {
		return err
	}
	f.GetApplicationFailureInfo().NonRetryable = true
	return o.failWith(ctx, f, nil)
}

// handBack has the operation wait for another attempt, which begins with the
// progress of this one. Where there can be no other one, because it may run
// once or cancel was requested, Temporal ends it with the failure.
func (o owner) handBack(ctx context.Context, p *statepb.Progress, ending *statepb.Ending, kind string, after time.Duration) error {
	f, err := newFailure(ending, kind)
	if err != nil {
		return err
	}
	f.GetApplicationFailureInfo().NextRetryDelay = durationpb.New(after)
	details, err := encode(p)
	if err != nil {
		return err
	}
	return o.failWith(ctx, f, details)
}

func (o owner) failWith(ctx context.Context, f *failurepb.Failure, details *commonpb.Payloads) error {
	return o.write(ctx, rpcTimeout, func(ctx context.Context) error {
		_, err := o.e.service.RespondActivityTaskFailed(ctx, &workflowservice.RespondActivityTaskFailedRequest{
			Namespace: o.e.opts.Namespace, Identity: o.e.opts.Identity, TaskToken: o.token, Failure: f, LastHeartbeatDetails: details,
		})
		return err
	}, func(ctx context.Context) error {
		_, err := o.e.service.RespondActivityTaskFailedById(ctx, &workflowservice.RespondActivityTaskFailedByIdRequest{
			Namespace: o.e.opts.Namespace, Identity: o.e.opts.Identity, ActivityId: o.activityID, RunId: o.runID,
			Failure: f, LastHeartbeatDetails: details,
		})
		return err
	})
}

func (o owner) cancel(ctx context.Context, ending *statepb.Ending) error {
	details, err := encode(ending)
	if err != nil {
		return err
	}
	return o.write(ctx, rpcTimeout, func(ctx context.Context) error {
		_, err := o.e.service.RespondActivityTaskCanceled(ctx, &workflowservice.RespondActivityTaskCanceledRequest{
			Namespace: o.e.opts.Namespace, Identity: o.e.opts.Identity, TaskToken: o.token, Details: details,
		})
		return err
	}, func(ctx context.Context) error {
		_, err := o.e.service.RespondActivityTaskCanceledById(ctx, &workflowservice.RespondActivityTaskCanceledByIdRequest{
			Namespace: o.e.opts.Namespace, Identity: o.e.opts.Identity, ActivityId: o.activityID, RunId: o.runID, Details: details,
		})
		return err
	})
}
