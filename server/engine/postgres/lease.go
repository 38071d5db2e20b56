package postgres

import (
	"cmp"
	"context"
	"fmt"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// Report implements [engine.Engine]. The metadata is durable when it returns.
func (e *Engine) Report(ctx context.Context, l engine.Lease, u engine.Update) (*engine.Record, error) {
	if err := u.Check(e.opts.MaxPayload); err != nil {
		return nil, fmt.Errorf("report to operation %q: %w", l.Name, err)
	}
	return e.change(ctx, "report to", l.Name, func(r *row) (*row, error) {
		if !r.owned(l) {
			return nil, engine.ErrFenced
		}
		if u.Metadata == nil && r.leaseFor == 0 {
			return r, nil
		}
		after := r.renewed()
		if u.Metadata != nil {
			after.rec.Metadata = u.Metadata
			after.rec.UpdateTime = r.at()
			after.rec.Revision++
		}
		return after, nil
	})
}

// Heartbeat implements [engine.Engine].
func (e *Engine) Heartbeat(ctx context.Context, l engine.Lease) (*engine.Record, error) {
	return e.change(ctx, "heartbeat of", l.Name, func(r *row) (*row, error) {
		switch {
		case !r.owned(l):
			return nil, engine.ErrFenced
		case !r.rec.External || r.leaseFor == 0:
			return r, nil
		}
		return r.renewed(), nil
	})
}

// renewed returns a copy of r whose lease begins anew, if it has one.
func (r *row) renewed() *row {
	after := r.edit()
	if r.rec.External && r.leaseFor > 0 {
		after.leaseUntil = r.now.Add(r.leaseFor)
	}
	return after
}

// Complete implements [engine.Engine]. With a ctx of [WithTx] or [WithSQLTx] the
// operation has ended if and only if that transaction commits. An attempt that has
// ended its operation already, in another transaction, gets [engine.ErrFenced].
func (e *Engine) Complete(ctx context.Context, l engine.Lease, c engine.Completion) (*engine.Record, error) {
	if err := c.Check(e.opts.MaxPayload); err != nil {
		return nil, fmt.Errorf("complete operation %q: %w", l.Name, err)
	}
	rec, err := e.completeHere(ctx, l, c)
	if err != nil {
		return nil, fmt.Errorf("complete operation %q: %w", l.Name, e.storeError(ctx, err))
	}
	if rec != nil {
		return rec, nil
	}
	return e.change(ctx, "complete", l.Name, func(r *row) (*row, error) {
		if r.rec.State == engine.Succeeded && r.rec.Fence == l.Fence {
			return r, endsAgain(ctx, r)
		}
		if !r.owned(l) {
			return nil, engine.ErrFenced
		}
		after := r.takenOver()
		after.rec.State, after.rec.Response = engine.Succeeded, c.Response
		if c.Metadata != nil {
			after.rec.Metadata = c.Metadata
		}
		after.end(r.at())
		return after, nil
	})
}

// completeHere is Complete in a transaction, for an operation whose attempt runs
// here: as that is known, one statement is enough. It returns nil for others,
// for one that another transaction has locked, and for one that is not the
// attempt's any more.
func (e *Engine) completeHere(ctx context.Context, l engine.Lease, c engine.Completion) (*engine.Record, error) {
	j := joinedBy(ctx)
	seq, ok := enginekit.ParseSeqName(l.Name)
	if j == nil || !ok {
		return nil, nil
	}
	o := engine.Outcome{Response: c.Response, Metadata: c.Metadata}
	e.mu.Lock()
	a := e.attempts[seq]
	if a == nil || a.finishing || a.lost || a.rec.Name != l.Name || a.rec.Fence != l.Fence {
		e.mu.Unlock()
		return nil, nil
	}
	if o.Metadata == nil {
		o.Metadata = a.progress
	}
	revision := max(a.revision, a.rec.Revision) + revisionGap // it may report more until the commit
	e.mu.Unlock()
	call, err := newEnd(a, o, revision)
	if err != nil {
		return nil, err
	}
	var ended *news
	err = j.frame().run(ctx, statement{sql: e.sql.end, args: call.args(), scan: func(r rows) error {
		n, err := scanEnd(r, func(claim) *endCall { return &call })
		ended = &n
		return err
	}})
	if err != nil || ended == nil {
		return nil, err
	}
	ended.own = false // it does not know of the commit
	e.changed(ctx, *ended)
	return cmp.Or(ended.ended, call.rec), nil
}

// Fail implements [engine.Engine]. Failing again with the lease that failed it
// is no error and changes nothing. With a ctx of [WithTx] or [WithSQLTx] the
// operation has ended if and only if that transaction commits. An attempt that has
// ended its operation already, in another transaction, gets [engine.ErrFenced].
func (e *Engine) Fail(ctx context.Context, l engine.Lease, f engine.Failure) (*engine.Record, error) {
	if err := f.Check(e.opts.MaxPayload); err != nil {
		return nil, fmt.Errorf("fail operation %q: %w", l.Name, err)
	}
	return e.change(ctx, "fail", l.Name, func(r *row) (*row, error) {
		if (r.rec.State == engine.Failed || r.rec.State == engine.Cancelled) && r.rec.Fence == l.Fence {
			return r, endsAgain(ctx, r)
		}
		if !r.owned(l) {
			return nil, engine.ErrFenced
		}
		after := r.takenOver()
		after.rec.State, after.rec.Error = enginekit.Ending(f.Error)
		if f.Metadata != nil {
			after.rec.Metadata = f.Metadata
		}
		after.end(r.at())
		return after, nil
	})
}

// endsAgain is the error of ending an operation with the lease that has ended it. An
// attempt that has not got the answer to its commit, and runs its transaction again,
// has to roll that back: its rows would be there twice.
func endsAgain(ctx context.Context, r *row) error {
	if j := joinedBy(ctx); j == nil || r.rec.External || j.ended(r.seq) {
		return nil
	}
	return engine.ErrFenced
}

// takenOver returns a copy of r to be ended by someone who holds its lease, who
// may not be the attempt that reports its progress.
func (r *row) takenOver() *row {
	after := r.edit()
	if !r.rec.External {
		after.rec.Revision += revisionGap
	}
	return after
}
