package sqlite

import (
	"context"
	"time"

	"github.com/go-lro/lro/server/engine"
)

// after collects what is to be done once Engine.mu is released.
type after struct {
	cancel []lostAttempt
	start  []*attempt
}

type lostAttempt struct {
	attempt *attempt
	cause   error
}

func (a *after) run() {
	for _, l := range a.cancel {
		l.attempt.cancel(l.cause)
	}
	for _, at := range a.start {
		go at.run()
	}
}

// publish makes a committed batch the state that all readers see, and notifies
// those who wait for it.
func (e *Engine) publish(b *batch, claims []*claim) {
	var todo after
	e.mu.Lock()
	for _, c := range b.order {
		e.publishChange(c, &todo)
	}
	for k, n := range b.tally {
		e.counts[k] += n
	}
	for _, c := range claims {
		if c.attempt == nil {
			c.worker.release(c.kind)
		}
	}
	e.mu.Unlock()
	todo.run()
}

func (e *Engine) publishChange(c *change, todo *after) {
	e.cache.changed(c.seq)
	en := e.cache.entries[c.seq]
	var visible *row
	if en != nil {
		visible = en.row
	}
	r := c.merge(visible)
	// What is visible may be the change itself: who reads from the database has it
	// once it is committed.
	e.notify(c.base, r)
	e.detach(en, r, todo)
	if r == nil {
		e.stopTimer(c.seq)
		e.waits.End(c.seq, nil, engine.ErrNotFound)
		e.cache.drop(c.seq)
		return
	}
	en = e.cache.put(r)
	switch {
	case r.hidden():
		e.waits.End(c.seq, nil, engine.ErrNotFound)
	case r.rec.State.Terminal():
		e.waits.End(c.seq, r.rec, nil)
	}
	switch {
	case r.rec.State == engine.Pending && (c.base == nil || c.base.rec.State != engine.Pending):
		e.enqueue(r)
	case r.rec.State == engine.Pending: // it is there already
	case r.rec.State == engine.Running && r.rec.External:
		if e.timers[c.seq] == nil {
			e.renewLease(en)
		}
	default:
		e.stopTimer(c.seq)
	}
	if r.rec.State.Terminal() {
		e.noteExpiry(r.rec.ExpireTime)
	}
	if c.attempt != nil {
		e.begin(en, c.attempt, todo)
	}
}

// detach takes an operation from its attempt, when r is no longer the
// attempt's, and notifies the attempt when cancel is requested.
func (e *Engine) detach(en *entry, r *row, todo *after) {
	if en == nil || en.attempt == nil {
		return
	}
	a := en.attempt
	if r == nil || !r.owned(engine.Lease{Fence: a.fence}) {
		en.attempt = nil
		if !a.finishing {
			todo.cancel = append(todo.cancel, lostAttempt{a, engine.ErrLeaseLost})
		}
		return
	}
	if !r.rec.CancelTime.IsZero() && !a.cancelled {
		a.cancelled = true
		todo.cancel = append(todo.cancel, lostAttempt{a, engine.ErrCancelRequested})
	}
}

// enqueue makes a PENDING operation ready to be claimed, now or when it is due.
func (e *Engine) enqueue(r *row) {
	e.stopTimer(r.seq)
	// It was handed back at UpdateTime. When the clock was set back since, the
	// wait is no longer than it was then.
	wait := min(time.Until(r.due), r.due.Sub(r.rec.UpdateTime))
	if r.due.IsZero() || wait <= 0 {
		e.push(r.rec.Kind, r.seq)
		return
	}
	e.timers[r.seq] = time.AfterFunc(wait, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.down != nil {
			return
		}
		delete(e.timers, r.seq)
		e.push(r.rec.Kind, r.seq)
		e.queue.wake()
	})
}

func (e *Engine) stopTimer(seq int64) {
	if t := e.timers[seq]; t != nil {
		t.Stop()
		delete(e.timers, seq)
	}
}

// begin gives an operation to the attempt that claimed it.
func (e *Engine) begin(en *entry, a *attempt, todo *after) {
	en.attempt = a
	a.rec = en.row.rec
	w := a.worker
	a.ctx, a.cancel = context.WithCancelCause(w.ctx)
	w.attempts[a] = struct{}{}
	// Cancel was requested in the same batch: there was no attempt to tell yet.
	if !a.rec.CancelTime.IsZero() {
		a.cancelled = true
		todo.cancel = append(todo.cancel, lostAttempt{a, engine.ErrCancelRequested})
	}
	if w.draining {
		todo.cancel = append(todo.cancel, lostAttempt{a, engine.ErrDraining})
	}
	todo.start = append(todo.start, a)
}
