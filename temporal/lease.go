package temporal

import (
	"context"
	"errors"
	"fmt"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/temporal/internal/statepb"
)

// Report implements [engine.Engine]. The metadata is durable when it returns.
// Of an operation that an attempt runs in another process, that attempt's next
// heartbeat replaces it. Temporal cannot compare what it is told with what it
// has, so one process at a time should report and heartbeat by a lease: of two
// that do at once, the later one may write back what the earlier one replaced.
func (e *Engine) Report(ctx context.Context, l engine.Lease, u engine.Update) (*engine.Record, error) {
	rec, err := e.leased(ctx, l, func(ctx context.Context) (*engine.Record, error) { return e.report(ctx, l, u) })
	if err != nil {
		return nil, fmt.Errorf("report to operation %q: %w", l.Name, err)
	}
	return rec, nil
}

// Heartbeat implements [engine.Engine].
func (e *Engine) Heartbeat(ctx context.Context, l engine.Lease) (*engine.Record, error) {
	rec, err := e.leased(ctx, l, func(ctx context.Context) (*engine.Record, error) { return e.report(ctx, l, engine.Update{}) })
	if err != nil {
		return nil, fmt.Errorf("heartbeat of operation %q: %w", l.Name, err)
	}
	return rec, nil
}

// Complete implements [engine.Engine].
func (e *Engine) Complete(ctx context.Context, l engine.Lease, c engine.Completion) (*engine.Record, error) {
	rec, err := e.leased(ctx, l, func(ctx context.Context) (*engine.Record, error) { return e.complete(ctx, l, c) })
	if err != nil {
		return nil, fmt.Errorf("complete operation %q: %w", l.Name, err)
	}
	return rec, nil
}

// Fail implements [engine.Engine]. Failing again with the lease that failed it
// is no error and changes nothing.
func (e *Engine) Fail(ctx context.Context, l engine.Lease, f engine.Failure) (*engine.Record, error) {
	rec, err := e.leased(ctx, l, func(ctx context.Context) (*engine.Record, error) { return e.fail(ctx, l, f) })
	if err != nil {
		return nil, fmt.Errorf("fail operation %q: %w", l.Name, err)
	}
	return rec, nil
}

// leased runs one call at a time for each operation: a heartbeat repeats the
// metadata of the report before, and must not overtake it.
func (e *Engine) leased(ctx context.Context, l engine.Lease, call func(context.Context) (*engine.Record, error)) (*engine.Record, error) {
	ctx, done, err := e.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	unlock, err := e.lock(ctx, l.Name)
	if err != nil {
		return nil, err
	}
	defer unlock()
	return call(ctx)
}

// owned returns the operation of a lease, and [engine.ErrFenced] with it when
// the lease gives no right to write.
func (e *Engine) owned(ctx context.Context, l engine.Lease) (*described, *engine.Record, error) {
	d, err := e.describe(ctx, l.Name)
	if err != nil {
		return nil, nil, err
	}
	if d.input.GetExternal() && d.stage() == waiting {
		// Who started it died before it was claimed.
		if err := e.claimExternals(); err != nil {
			return nil, nil, err
		}
		if _, err := e.untilStarted(ctx, d.activityID, d.runID); err != nil {
			return nil, nil, err
		}
		if d, err = e.describe(ctx, l.Name); err != nil {
			return nil, nil, err
		}
	}
	rec := e.record(d)
	if rec.State != engine.Running || rec.Fence != l.Fence {
		return d, rec, engine.ErrFenced
	}
	return d, rec, nil
}

func (e *Engine) report(ctx context.Context, l engine.Lease, u engine.Update) (*engine.Record, error) {
	if err := e.checkSize("metadata", &statepb.Progress{Metadata: u.Metadata}); err != nil {
		return nil, err
	}
	d, rec, err := e.owned(ctx, l)
	if err != nil {
		return nil, err
	}
	if a := e.local(l); a != nil {
		a.Report(u.Metadata)
		if err := a.beat(ctx); err != nil {
			return nil, err
		}
		return e.latest(ctx, l.Name)
	}
	// An attempt renews its lease itself, and some leases never end.
	if u.Metadata == nil && (!d.input.GetExternal() || d.info.GetHeartbeatTimeout().AsDuration() == 0) {
		return rec, nil
	}
	p := copyProgress(d.progress)
	p.Attempt = d.info.GetAttempt()
	p.Changes = d.changes()
	p.FirstStartTime = timestamppb.New(rec.StartTime)
	if u.Metadata != nil {
		p.Metadata = u.Metadata
		p.Changes++
		p.UpdateTime = timestamppb.New(latest(rec.UpdateTime, time.Now()))
	}
	if err := e.checkSize("metadata with checkpoint", p); err != nil {
		return nil, err
	}
	owner, err := e.owner(ctx, d)
	if err != nil {
		return nil, err
	}
	details, err := encode(p)
	if err != nil {
		return nil, err
	}
	asked, err := owner.heartbeat(ctx, details)
	if err != nil {
		return nil, err
	}
	if asked && d.stage() != cancelling {
		return e.latest(ctx, l.Name)
	}
	d.progress = p
	return e.record(d), nil
}

func (e *Engine) complete(ctx context.Context, l engine.Lease, c engine.Completion) (*engine.Record, error) {
	if c.Response == nil {
		return nil, fmt.Errorf("%w: response is nil", engine.ErrInvalid)
	}
	if err := e.checkSize("response with metadata", &statepb.Result{Response: c.Response, Metadata: c.Metadata}); err != nil {
		return nil, err
	}
	return e.endBy(ctx, l, func(rec *engine.Record) bool { return rec.State == engine.Succeeded },
		func(ctx context.Context, o owner, rec *engine.Record) error {
			result := &statepb.Result{Response: c.Response, Metadata: c.Metadata}
			if c.Metadata == nil {
				result.Metadata = rec.Metadata
			}
			if err := e.checkSize("response with metadata", result); err != nil {
				return err
			}
			payloads, err := encode(result)
			if err != nil {
				return err
			}
			return o.complete(ctx, payloads)
		})
}

func (e *Engine) fail(ctx context.Context, l engine.Lease, f engine.Failure) (*engine.Record, error) {
	if f.Error == nil {
		return nil, fmt.Errorf("%w: error is nil", engine.ErrInvalid)
	}
	if err := e.checkSize("error with metadata", &statepb.Ending{Error: f.Error, Metadata: f.Metadata}); err != nil {
		return nil, err
	}
	return e.endBy(ctx, l, func(rec *engine.Record) bool { return rec.State == engine.Failed || rec.State == engine.Cancelled },
		func(ctx context.Context, o owner, rec *engine.Record) error {
			ending := &statepb.Ending{Error: withCode(f.Error), Metadata: f.Metadata}
			if f.Metadata == nil {
				ending.Metadata = rec.Metadata
			}
			if err := e.checkSize("error with metadata", ending); err != nil {
				return err
			}
			failure, err := newFailure(ending, failedType)
			if err != nil {
				return err
			}
			failure.GetApplicationFailureInfo().NonRetryable = true
			if o.d.stage() == cancelling && f.Error.GetCode() == int32(code.Code_CANCELLED) {
				return o.cancel(ctx, failure.GetApplicationFailureInfo().GetDetails())
			}
			return o.fail(ctx, failure)
		})
}

// endBy ends an operation by its lease. done tells an end that the same call
// has made before.
func (e *Engine) endBy(ctx context.Context, l engine.Lease, done func(*engine.Record) bool, end func(context.Context, owner, *engine.Record) error) (*engine.Record, error) {
	d, rec, err := e.owned(ctx, l)
	if err == nil {
		var o owner
		if o, err = e.owner(ctx, d); err == nil {
			err = end(ctx, o, rec)
		}
		if err == nil || errors.Is(err, engine.ErrFenced) {
			var latestErr error
			if rec, latestErr = e.latest(ctx, l.Name); latestErr != nil {
				return nil, latestErr
			}
		}
	}
	switch {
	case err == nil:
		return rec, nil
	case errors.Is(err, engine.ErrFenced) && rec != nil && done(rec) && rec.Fence == l.Fence:
		return rec, nil
	default:
		return nil, err
	}
}

func (e *Engine) latest(ctx context.Context, name string) (*engine.Record, error) {
	d, err := e.describe(ctx, name)
	if err != nil {
		return nil, err
	}
	return e.record(d), nil
}

// local returns the attempt of a lease if it runs in this process.
func (e *Engine) local(l engine.Lease) *attempt {
	e.mu.Lock()
	defer e.mu.Unlock()
	a := e.attempts[l.Name]
	if a == nil || int64(a.n) != l.Fence {
		return nil
	}
	return a
}

// owner writes to an operation in the place of the attempt that owns it. An
// external one has a single attempt in its life and is written to by its ID;
// others by the task token, which is void when another attempt begins.
type owner struct {
	e     *Engine
	d     *described
	token []byte // nil for by ID
}

// tokenTimeout is how long the first heartbeat of an attempt, which brings its
// token, is waited for.
const tokenTimeout = 5 * time.Second

// owner returns the owner of an operation that is RUNNING.
func (e *Engine) owner(ctx context.Context, d *described) (owner, error) {
	if d.input.GetExternal() {
		return owner{e: e, d: d}, nil
	}
	if a := e.local(engine.Lease{Name: d.input.GetName(), Fence: int64(d.info.GetAttempt())}); a != nil {
		return owner{e: e, d: d, token: a.token}, nil
	}
	wait, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	for attempt := d.info.GetAttempt(); d.info.GetAttempt() == attempt; {
		if d.progress.GetAttempt() == attempt && len(d.progress.GetTaskToken()) > 0 {
			return owner{e: e, d: d, token: d.progress.GetTaskToken()}, nil
		}
		if _, err := e.changed(wait, d.activityID, d.runID, d.token); err != nil {
			if ctx.Err() == nil && wait.Err() != nil {
				err = fmt.Errorf("%w: the attempt has not been heard of yet", engine.ErrUnavailable)
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

// answer converts the error of a write: to what exists, but not for this owner.
func (o owner) answer(ctx context.Context, err error) error {
	if isNotFound(err) {
		return engine.ErrFenced
	}
	return convert(ctx, err)
}

func (o owner) heartbeat(ctx context.Context, details *commonpb.Payloads) (cancelAsked bool, _ error) {
	rpc, cancel := context.WithTimeout(ctx, rpcTimeout)
	defer cancel()
	if o.token == nil {
		resp, err := o.e.service.RecordActivityTaskHeartbeatById(rpc, &workflowservice.RecordActivityTaskHeartbeatByIdRequest{
			Namespace: o.e.opts.Namespace, ActivityId: o.d.activityID, RunId: o.d.runID, Identity: o.e.opts.Identity, Details: details,
		})
		return resp.GetCancelRequested(), o.answer(ctx, err)
	}
	resp, err := o.e.service.RecordActivityTaskHeartbeat(rpc, &workflowservice.RecordActivityTaskHeartbeatRequest{
		Namespace: o.e.opts.Namespace, TaskToken: o.token, Identity: o.e.opts.Identity, Details: details,
	})
	return resp.GetCancelRequested(), o.answer(ctx, err)
}

func (o owner) complete(ctx context.Context, result *commonpb.Payloads) error {
	rpc, cancel := context.WithTimeout(ctx, rpcTimeout)
	defer cancel()
	var err error
	if o.token == nil {
		_, err = o.e.service.RespondActivityTaskCompletedById(rpc, &workflowservice.RespondActivityTaskCompletedByIdRequest{
			Namespace: o.e.opts.Namespace, ActivityId: o.d.activityID, RunId: o.d.runID, Identity: o.e.opts.Identity, Result: result,
		})
	} else {
		_, err = o.e.service.RespondActivityTaskCompleted(rpc, &workflowservice.RespondActivityTaskCompletedRequest{
			Namespace: o.e.opts.Namespace, TaskToken: o.token, Identity: o.e.opts.Identity, Result: result,
		})
	}
	return o.answer(ctx, err)
}

func (o owner) fail(ctx context.Context, f *failurepb.Failure) error {
	rpc, cancel := context.WithTimeout(ctx, rpcTimeout)
	defer cancel()
	var err error
	if o.token == nil {
		_, err = o.e.service.RespondActivityTaskFailedById(rpc, &workflowservice.RespondActivityTaskFailedByIdRequest{
			Namespace: o.e.opts.Namespace, ActivityId: o.d.activityID, RunId: o.d.runID, Identity: o.e.opts.Identity, Failure: f,
		})
	} else {
		_, err = o.e.service.RespondActivityTaskFailed(rpc, &workflowservice.RespondActivityTaskFailedRequest{
			Namespace: o.e.opts.Namespace, TaskToken: o.token, Identity: o.e.opts.Identity, Failure: f,
		})
	}
	return o.answer(ctx, err)
}

func (o owner) cancel(ctx context.Context, details *commonpb.Payloads) error {
	rpc, cancel := context.WithTimeout(ctx, rpcTimeout)
	defer cancel()
	var err error
	if o.token == nil {
		_, err = o.e.service.RespondActivityTaskCanceledById(rpc, &workflowservice.RespondActivityTaskCanceledByIdRequest{
			Namespace: o.e.opts.Namespace, ActivityId: o.d.activityID, RunId: o.d.runID, Identity: o.e.opts.Identity, Details: details,
		})
	} else {
		_, err = o.e.service.RespondActivityTaskCanceled(rpc, &workflowservice.RespondActivityTaskCanceledRequest{
			Namespace: o.e.opts.Namespace, TaskToken: o.token, Identity: o.e.opts.Identity, Details: details,
		})
	}
	return o.answer(ctx, err)
}
