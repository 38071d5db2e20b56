package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// leaseRetry is the pause after which the end of a lease is tried again when
// the store refuses it.
const leaseRetry = time.Second

// Report implements [engine.Engine]. The metadata is durable when it returns.
func (e *Engine) Report(ctx context.Context, l engine.Lease, u engine.Update) (*engine.Record, error) {
	if err := u.Check(e.opts.MaxPayload); err != nil {
		return nil, fmt.Errorf("report to operation %q: %w", l.Name, err)
	}
	return e.change(ctx, "report to", l.Name, func(b *batch) (*row, error) {
		r, err := b.findRenewed(l)
		if err != nil || u.Metadata == nil {
			return r, err
		}
		after := r.edit()
		after.rec.Metadata = u.Metadata
		after.rec.UpdateTime = now()
		after.rec.Revision++
		return after, b.updateMetadata(r, after)
	})
}

// Heartbeat implements [engine.Engine]. It writes nothing: after a restart
// every lease begins anew.
func (e *Engine) Heartbeat(ctx context.Context, l engine.Lease) (*engine.Record, error) {
	rec, late, err := e.heartbeat(l)
	if late {
		return e.change(ctx, "heartbeat of", l.Name, func(b *batch) (*row, error) { return b.findRenewed(l) })
	}
	if err != nil {
		return nil, fmt.Errorf("heartbeat of operation %q: %w", l.Name, err)
	}
	return rec, nil
}

// heartbeat renews a lease, unless it is late: when the lease is over, its end may
// be on its way to the store, and the writer knows.
func (e *Engine) heartbeat(l engine.Lease) (rec *engine.Record, late bool, _ error) {
	seq, ok := enginekit.ParseSeqName(l.Name)
	if !ok {
		return nil, false, engine.ErrNotFound
	}
	e.mu.Lock()
	if err := e.down; err != nil {
		e.mu.Unlock()
		return nil, false, err
	}
	if en := e.cache.entries[seq]; en != nil && en.row.rec.Name == l.Name && en.row.owned(l) {
		defer e.mu.Unlock()
		if en.leaseIsOver() {
			return nil, true, nil
		}
		e.renewLease(en)
		return en.row.rec, false, nil
	}
	e.mu.Unlock()
	// All that run are in memory, so this one does not.
	r, err := e.read(context.Background(), seq)
	if err != nil {
		return nil, false, err
	}
	if r == nil || r.rec.Name != l.Name {
		return nil, false, engine.ErrNotFound
	}
	return nil, false, engine.ErrFenced
}

// Complete implements [engine.Engine].
func (e *Engine) Complete(ctx context.Context, l engine.Lease, c engine.Completion) (*engine.Record, error) {
	if err := c.Check(e.opts.MaxPayload); err != nil {
		return nil, fmt.Errorf("complete operation %q: %w", l.Name, err)
	}
	return e.change(ctx, "complete", l.Name, func(b *batch) (*row, error) {
		r, err := b.find(l.Name)
		if err != nil {
			return nil, err
		}
		if r.rec.State == engine.Succeeded && r.rec.Fence == l.Fence {
			return r, nil
		}
		if !r.owned(l) {
			return nil, engine.ErrFenced
		}
		after := r.byLease()
		if c.Metadata != nil {
			after.rec.Metadata = c.Metadata
		}
		return after, b.succeed(r, after, c.Response, now())
	})
}

// Fail implements [engine.Engine]. Failing again with the lease that failed it
// is no error and changes nothing.
func (e *Engine) Fail(ctx context.Context, l engine.Lease, f engine.Failure) (*engine.Record, error) {
	if err := f.Check(e.opts.MaxPayload); err != nil {
		return nil, fmt.Errorf("fail operation %q: %w", l.Name, err)
	}
	return e.change(ctx, "fail", l.Name, func(b *batch) (*row, error) {
		r, err := b.find(l.Name)
		if err != nil {
			return nil, err
		}
		if (r.rec.State == engine.Failed || r.rec.State == engine.Cancelled) && r.rec.Fence == l.Fence {
			return r, nil
		}
		if !r.owned(l) {
			return nil, engine.ErrFenced
		}
		after := r.byLease()
		if f.Metadata != nil {
			after.rec.Metadata = f.Metadata
		}
		return after, b.failWith(r, after, f.Error, now())
	})
}

// byLease returns a copy of r to be ended by someone who holds its lease, who
// may not be the attempt that reports its progress.
func (r *row) byLease() *row {
	c := r.edit()
	if !r.rec.External {
		c.rec.Revision += revisionGap
	}
	return c
}

// findOwned returns the operation of a lease that is valid.
func (b *batch) findOwned(l engine.Lease) (*row, error) {
	r, err := b.find(l.Name)
	if err != nil {
		return nil, err
	}
	if !r.owned(l) {
		return nil, engine.ErrFenced
	}
	return r, nil
}

// findRenewed returns the operation of a lease that is valid, and renews it.
func (b *batch) findRenewed(l engine.Lease) (*row, error) {
	r, err := b.findOwned(l)
	if err != nil {
		return nil, err
	}
	b.e.mu.Lock()
	defer b.e.mu.Unlock()
	if en := b.e.cache.entries[r.seq]; en != nil { // else its lease begins with its publication
		b.e.renewLease(en)
	}
	return r, nil
}

// renewLease starts the time within which the owner of an external operation must
// be heard again. The caller holds Engine.mu.
func (e *Engine) renewLease(en *entry) {
	d := en.row.leaseFor
	if d == 0 || !en.row.rec.External {
		return
	}
	en.deadline = time.Now().Add(d)
	seq := en.row.seq
	if t := e.timers[seq]; t != nil {
		t.Reset(d)
		return
	}
	e.timers[seq] = time.AfterFunc(d, func() { e.leaseTimer(seq) })
}

// leaseTimer runs when the time of a lease is over.
func (e *Engine) leaseTimer(seq int64) {
	e.mu.Lock()
	if e.down != nil {
		e.mu.Unlock()
		return
	}
	e.background.Add(1)
	e.mu.Unlock()
	defer e.background.Done()
	err := e.write(context.Background(), 0, func(b *batch) error { return b.endLease(seq) })
	if err == nil {
		return
	}
	e.opts.Logger.Error("end of lease could not be stored, will try again", "error", err)
	e.mu.Lock()
	defer e.mu.Unlock()
	if t := e.timers[seq]; t != nil && e.down == nil {
		t.Reset(leaseRetry)
	}
}

// endLease stages the end of an operation whose owner was not heard from.
func (b *batch) endLease(seq int64) error {
	r, err := b.load(seq)
	if err != nil {
		return err
	}
	if r == nil || r.rec.State != engine.Running || !b.e.leaseIsOver(seq) {
		return nil
	}
	after := r.edit()
	after.rec.Fence++
	return b.failWith(r, after, enginekit.LeaseEnded(r.leaseFor), now())
}

func (e *Engine) leaseIsOver(seq int64) bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	en := e.cache.entries[seq]
	return en != nil && en.leaseIsOver()
}

// leaseIsOver reports whether the owner of an external operation was not heard from
// in time. The caller holds Engine.mu.
func (en *entry) leaseIsOver() bool {
	return !en.deadline.IsZero() && !time.Now().Before(en.deadline)
}
