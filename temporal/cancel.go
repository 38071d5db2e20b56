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

// cancelRequest is the ID of every cancel request, so that Temporal takes all
// after the first for repetitions.
const cancelRequest = "cancel"

// Cancel implements [engine.Engine].
func (e *Engine) Cancel(ctx context.Context, name string) (*engine.Record, error) {
	rec, err := e.cancel(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("cancel operation %q: %w", name, err)
	}
	return rec, nil
}

func (e *Engine) cancel(ctx context.Context, name string) (*engine.Record, error) {
	ctx, done, err := e.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	d, err := e.describe(ctx, name)
	if err != nil {
		return nil, err
	}
	if d.stage() == over || d.stage() == cancelling {
		return e.record(d), nil
	}
	rpc, cancel := context.WithTimeout(ctx, rpcTimeout)
	_, err = e.service.RequestCancelActivityExecution(rpc, &workflowservice.RequestCancelActivityExecutionRequest{
		Namespace: e.opts.Namespace, ActivityId: d.activityID, RunId: d.runID,
		Identity: e.opts.Identity, RequestId: cancelRequest,
		Reason: cancelReason + time.Now().UTC().Format(time.RFC3339Nano),
	})
	cancel()
	// It may have ended, or been cancelled with another tool.
	if err != nil && !isFailedPrecondition(err) {
		return nil, convert(ctx, err)
	}
	if d, err = e.describe(ctx, name); err != nil {
		return nil, err
	}
	e.mu.Lock()
	a := e.attempts[name]
	e.mu.Unlock()
	if a != nil && d.stage() == cancelling && a.n == d.info.GetAttempt() {
		a.cancelled()
	}
	return e.record(d), nil
}

const (
	minDeletePause = 2 * time.Millisecond
	// maxDeletePause is long because a busy Temporal deletes last of all: callers
	// that asked often would keep it from deleting.
	maxDeletePause = 5 * time.Second
)

// Delete implements [engine.Engine]. It refuses operations that are not done,
// and returns when Temporal has deleted the operation, which takes a busy one
// up to minutes. If ctx ends before, Temporal deletes it nevertheless.
func (e *Engine) Delete(ctx context.Context, name string) error {
	if err := e.delete(ctx, name); err != nil {
		return fmt.Errorf("delete operation %q: %w", name, err)
	}
	return nil
}

func (e *Engine) delete(ctx context.Context, name string) error {
	ctx, done, err := e.enter(ctx)
	if err != nil {
		return err
	}
	defer done()
	// Temporal would take two deletes at once for two that succeed.
	unlock, err := e.lock(ctx, name)
	if err != nil {
		return err
	}
	defer unlock()
	d, err := e.describe(ctx, name)
	if err != nil {
		return err
	}
	// Temporal would terminate it.
	if d.stage() != over {
		return engine.ErrNotTerminal
	}
	rpc, cancel := context.WithTimeout(ctx, rpcTimeout)
	_, err = e.service.DeleteActivityExecution(rpc, &workflowservice.DeleteActivityExecutionRequest{
		Namespace: e.opts.Namespace, ActivityId: d.activityID, RunId: d.runID,
	})
	cancel()
	if err != nil && !isNotFound(err) {
		return convert(ctx, err)
	}
	for wait := minDeletePause; ; wait = min(2*wait, maxDeletePause) {
		_, err := e.describeActivity(ctx, d.activityID, d.runID)
		if errors.Is(err, engine.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if !enginekit.Pause(ctx, wait) {
			return convert(ctx, ctx.Err())
		}
	}
}
