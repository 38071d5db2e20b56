package temporal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
	"github.com/go-lro/lro/temporal/internal/statepb"
)

// Report implements [engine.Engine]. The metadata is durable when it returns.
// Of an operation that an attempt runs in another process, that attempt's next
// heartbeat replaces it. Temporal cannot compare a write with what it has, so
// one process at a time should report and heartbeat by a lease: of two that do
// at once, the later one may write back what the earlier one replaced.
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
	if a := e.local(l); rec.State != engine.Running || rec.Fence != l.Fence || a != nil && a.isLost() {
		return d, rec, engine.ErrFenced
	}
	return d, rec, nil
}

func (e *Engine) report(ctx context.Context, l engine.Lease, u engine.Update) (*engine.Record, error) {
	if err := u.Check(e.maxPayload()); err != nil {
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
	asked, err := owner.heartbeat(ctx, rpcTimeout, p)
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
	if err := c.Check(e.maxPayload()); err != nil {
		return nil, err
	}
	return e.endBy(ctx, l, func(rec *engine.Record) bool { return rec.State == engine.Succeeded },
		func(ctx context.Context, o owner, _ *described, rec *engine.Record) error {
			result := &statepb.Result{Response: c.Response, Metadata: c.Metadata}
			if c.Metadata == nil {
				result.Metadata = rec.Metadata
			}
			if err := e.checkSize("response with metadata", result); err != nil {
				return err
			}
			return o.complete(ctx, result)
		})
}

func (e *Engine) fail(ctx context.Context, l engine.Lease, f engine.Failure) (*engine.Record, error) {
	if err := f.Check(e.maxPayload()); err != nil {
		return nil, err
	}
	return e.endBy(ctx, l, func(rec *engine.Record) bool { return rec.State == engine.Failed || rec.State == engine.Cancelled },
		func(ctx context.Context, o owner, d *described, rec *engine.Record) error {
			ending := &statepb.Ending{Error: enginekit.WithCode(f.Error), Metadata: f.Metadata}
			if f.Metadata == nil {
				ending.Metadata = rec.Metadata
			}
			if err := e.checkSize("error with metadata", ending); err != nil {
				return err
			}
			if d.stage() == cancelling && f.Error.GetCode() == int32(code.Code_CANCELLED) {
				return o.cancel(ctx, ending)
			}
			return o.fail(ctx, ending)
		})
}

// endBy ends an operation by its lease. done tells an end that the same call
// has made before.
func (e *Engine) endBy(ctx context.Context, l engine.Lease, done func(*engine.Record) bool, end func(context.Context, owner, *described, *engine.Record) error) (*engine.Record, error) {
	d, rec, err := e.owned(ctx, l)
	if err == nil {
		var o owner
		if o, err = e.owner(ctx, d); err == nil {
			err = end(ctx, o, d, rec)
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
