package temporal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/workflowservice/v1"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// How long Wait may take for the latest state after its ctx has ended: little,
// because its caller's time is up, and longer when it has nothing to return.
const (
	lastLook = 100 * time.Millisecond
	onlyLook = 5 * time.Second
)

// Get implements [engine.Engine].
func (e *Engine) Get(ctx context.Context, name string) (*engine.Record, error) {
	ctx, done, err := e.enter(ctx)
	if err != nil {
		return nil, fmt.Errorf("get operation %q: %w", name, err)
	}
	defer done()
	d, err := e.describe(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("get operation %q: %w", name, err)
	}
	return e.record(d), nil
}

// describe returns the latest state of an operation. One that has crashed too
// often, and waits for an attempt that it must not have, is ended here:
// where no worker runs, nothing else would end it.
func (e *Engine) describe(ctx context.Context, name string) (*described, error) {
	activityID, ok := parseName(name)
	if !ok {
		return nil, engine.ErrNotFound
	}
	d, err := e.describeActivity(ctx, activityID, e.runs.get(name))
	if err != nil {
		if errors.Is(err, engine.ErrNotFound) {
			e.runs.drop(name)
		}
		return nil, err
	}
	if d.input.GetName() != name {
		return nil, engine.ErrNotFound
	}
	e.runs.put(name, d.runID)
	return e.alive(ctx, d)
}

// alive ends an operation that has crashed too often, and returns what it is
// then.
func (e *Engine) alive(ctx context.Context, d *described) (*described, error) {
	if !d.doomed() {
		return d, nil
	}
	if err := e.doom(ctx, d); err != nil {
		if ctx.Err() == nil {
			e.opts.Logger.Error("operation that crashes could not be ended", "operation", d.input.GetName(), "error", err)
		}
		return d, nil // who reads is not to suffer from it
	}
	return e.describeActivity(ctx, d.activityID, d.runID)
}

// describeActivity returns the latest run for an empty runID.
func (e *Engine) describeActivity(ctx context.Context, activityID, runID string) (*described, error) {
	rpc, cancel := context.WithTimeout(ctx, rpcTimeout)
	defer cancel()
	resp, err := e.service.DescribeActivityExecution(rpc, e.describeRequest(activityID, runID, nil))
	if err != nil {
		return nil, convert(ctx, err)
	}
	return e.describedBy(resp)
}

func (e *Engine) describeRequest(activityID, runID string, token []byte) *workflowservice.DescribeActivityExecutionRequest {
	return &workflowservice.DescribeActivityExecutionRequest{
		Namespace: e.opts.Namespace, ActivityId: activityID, RunId: runID, LongPollToken: token,
		IncludeInput: true, IncludeOutcome: true, IncludeHeartbeatDetails: true,
	}
}

func (e *Engine) describedBy(resp *workflowservice.DescribeActivityExecutionResponse) (*described, error) {
	d := e.newDescribed(resp.GetInfo(), resp.GetInput())
	if d == nil {
		return nil, engine.ErrNotFound
	}
	d.outcome, d.token = resp.GetOutcome(), resp.GetLongPollToken()
	return d, nil
}

// next returns an operation when it is not any more as d is, or d after a while.
func (e *Engine) next(ctx context.Context, d *described) (*described, error) {
	var resp *workflowservice.DescribeActivityExecutionResponse
	vain, err := waitingCall(ctx, func(rpc context.Context) (_ bool, err error) {
		resp, err = e.service.DescribeActivityExecution(rpc, e.describeRequest(d.activityID, d.runID, d.token))
		return resp.GetInfo() == nil, err
	})
	if err != nil || vain {
		return d, err
	}
	return e.describedBy(resp)
}

// changed waits until an activity is not any more as token knows it, or a
// while, and returns what it is then, without input and outcome. It returns nil
// when nothing happened.
func (e *Engine) changed(ctx context.Context, activityID, runID string, token []byte) (*workflowservice.DescribeActivityExecutionResponse, error) {
	var resp *workflowservice.DescribeActivityExecutionResponse
	vain, err := waitingCall(ctx, func(rpc context.Context) (_ bool, err error) {
		resp, err = e.service.DescribeActivityExecution(rpc, &workflowservice.DescribeActivityExecutionRequest{
			Namespace: e.opts.Namespace, ActivityId: activityID, RunId: runID, LongPollToken: token,
		})
		return resp.GetInfo() == nil, err
	})
	if err != nil || vain {
		return nil, err
	}
	return resp, nil
}

// doom ends an operation that has crashed too often.
func (e *Engine) doom(ctx context.Context, d *described) error {
	rpc, cancel := context.WithTimeout(ctx, rpcTimeout)
	defer cancel()
	_, err := e.service.TerminateActivityExecution(rpc, &workflowservice.TerminateActivityExecutionRequest{
		Namespace: e.opts.Namespace, ActivityId: d.activityID, RunId: d.runID,
		// The same for all who find it, so that they do not contradict.
		RequestId: "crashes", Identity: e.opts.Identity,
		Reason: enginekit.Crashed(d.crashes()).GetMessage(),
	})
	if isFailedPrecondition(err) {
		return nil // it has ended otherwise
	}
	return convert(ctx, err)
}

// record is what a reader is shown: with what an attempt in this process has
// reported and Temporal does not know yet.
func (e *Engine) record(d *described) *engine.Record {
	r := d.record()
	if r.State.Terminal() {
		if e.retention > 0 {
			r.ExpireTime = r.EndTime.Add(e.retention)
		}
		return r
	}
	e.mu.Lock()
	a := e.attempts[r.Name]
	e.mu.Unlock()
	if a != nil && r.State == engine.Running {
		a.overlay(r, d)
	}
	return r
}

// closeLooks is how many changes of an operation a Wait is told of. Who waits
// for one that ends soon has its end with the last of them, in one call; who
// waits for others would be told of each heartbeat, and asks for the end alone.
const closeLooks = 3

// Wait implements [engine.Engine]. It is one call to Temporal that waits there,
// and again each half a minute.
func (e *Engine) Wait(ctx context.Context, name string) (*engine.Record, error) {
	rec, err := e.wait(ctx, name)
	if err != nil {
		err = fmt.Errorf("wait for operation %q: %w", name, err)
	}
	return rec, err
}

func (e *Engine) wait(ctx context.Context, name string) (*engine.Record, error) {
	if e.closing.Err() != nil {
		return nil, engine.ErrClosed
	}
	var last *engine.Record
	call, done := e.entered(ctx)
	defer done()
	d, err := e.describe(call, name)
	for looks := 0; ; looks++ {
		if err != nil {
			return e.lastLook(ctx, name, last, err)
		}
		if last = e.record(d); last.State.Terminal() {
			return last, nil
		}
		if looks < closeLooks {
			d, err = e.next(call, d)
		} else {
			d, err = e.untilOver(call, d)
		}
		if err == nil {
			d, err = e.alive(call, d)
		}
	}
}

// untilOver returns an operation when it has ended, or after a while.
func (e *Engine) untilOver(ctx context.Context, d *described) (*described, error) {
	_, err := waitingCall(ctx, func(rpc context.Context) (bool, error) {
		resp, err := e.service.PollActivityExecution(rpc, &workflowservice.PollActivityExecutionRequest{
			Namespace: e.opts.Namespace, ActivityId: d.activityID, RunId: d.runID,
		})
		return resp.GetOutcome() == nil, err
	})
	if err != nil {
		return nil, err
	}
	return e.describeActivity(ctx, d.activityID, d.runID)
}

// lastLook answers a Wait that ends with err: when that is its ctx, with the
// latest state if it can be had soon, else with the last that was seen.
func (e *Engine) lastLook(ctx context.Context, name string, last *engine.Record, err error) (*engine.Record, error) {
	if ctx.Err() == nil || !errors.Is(err, ctx.Err()) {
		return last, err
	}
	limit := lastLook
	if last == nil {
		limit = onlyLook
	}
	call, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	call, done := e.entered(call)
	defer done()
	d, lookErr := e.describe(call, name)
	switch {
	case errors.Is(lookErr, engine.ErrNotFound):
		return nil, lookErr
	case lookErr != nil:
		return last, err
	}
	if last = e.record(d); last.State.Terminal() {
		return last, nil
	}
	return last, err
}
