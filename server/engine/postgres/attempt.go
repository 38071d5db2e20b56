package postgres

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/anypb"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

const (
	// While the store refuses the end of an attempt, it is tried again after
	// this long, doubling.
	minFinishPause = 50 * time.Millisecond
	maxFinishPause = 5 * time.Second
	// lockedPause is how long to wait for an operation that is locked.
	lockedPause = 5 * time.Millisecond
)

// attempt implements [engine.Attempt].
type attempt struct {
	e      *Engine
	worker *worker
	seq    int64
	owner  int64          // of table proc
	rec    *engine.Record // as it was claimed

	ctx     context.Context
	cancel  context.CancelCauseFunc
	writing chan struct{} // holds one while progress or a checkpoint is being stored

	// Guarded by Engine.mu.
	progress    *anypb.Any // reported last; nil for nothing
	unsaved     bool       // it is not stored
	revision    int64      // that was shown with it
	reported    time.Time  // when
	showsCancel bool       // what was shown says that cancel was requested
	hidden      bool       // the operation was deleted, and subscribers know
	finishing   bool       // the handler has returned
	told        bool       // of the request to cancel
	lost        bool       // the operation is another's, or has ended
	released    bool       // its slot was given back
}

func (a *attempt) Record() *engine.Record { return a.rec }

func (a *attempt) lease() engine.Lease { return a.rec.Lease() }

// claim is one claim of an operation: each has a fence of its own.
type claim struct{ seq, fence int64 }

func (a *attempt) claim() claim { return claim{a.seq, a.rec.Fence} }

// run executes the attempt to its end.
func (a *attempt) run() { a.end(a.worker.Run(a.ctx, a)) }

func (a *attempt) end(o engine.Outcome) {
	a.e.mu.Lock()
	a.finishing = true
	a.e.mu.Unlock()
	a.finish(o)
	a.cancel(nil)
	a.release()
}

// release gives back the worker's slot, once.
func (a *attempt) release() {
	a.e.mu.Lock()
	defer a.e.mu.Unlock()
	if a.released {
		return
	}
	a.released = true
	delete(a.worker.attempts, a)
	a.worker.release(a.rec.Kind)
}

// forget has the engine no longer know the attempt. The caller holds Engine.mu.
func (a *attempt) forget() {
	if a.e.attempts[a.seq] == a {
		delete(a.e.attempts, a.seq)
	}
}

// finish records how the attempt ended.
func (a *attempt) finish(o engine.Outcome) {
	o = enginekit.Storable(o, a.e.opts.MaxPayload)
	a.insist("end of attempt could not be stored, will try again", func() error { return a.store(o) })
}

// insist calls store until the store takes the change, or the operation is no longer
// the attempt's. It returns when the worker gives up, and the engine goes on in the
// background until it closes: then the operation runs again in another process. Until
// then the engine knows the attempt: one that it does not know counts as never begun.
func (a *attempt) insist(failed string, store func() error) (done bool) {
	again := false
	try := func(pause time.Duration) bool {
		if a.isLost() {
			return true // it would be refused
		}
		err := store()
		if again && isRefusal(err) {
			a.e.tell([]news{{seq: a.seq}}) // it may have been stored before, without an answer
		}
		if err == nil || isRefusal(err) || isGone(err) {
			return true
		}
		again = true
		a.e.opts.Logger.Error(failed, "operation", a.rec.Name, "attempt", a.rec.Attempt, "error", err, "after", pause)
		return a.isLost()
	}
	done = enginekit.Retry(a.worker.abandoned, minFinishPause, maxFinishPause, try)
	a.e.mu.Lock()
	defer a.e.mu.Unlock()
	if done || enginekit.IsClosed(a.e.closing) {
		a.forget()
		return done
	}
	a.e.background.Go(func() {
		enginekit.Retry(a.e.closing, maxFinishPause, maxFinishPause, try)
		a.e.mu.Lock()
		defer a.e.mu.Unlock()
		a.forget()
	})
	return false
}

func (a *attempt) isLost() bool {
	a.e.mu.Lock()
	defer a.e.mu.Unlock()
	return a.lost
}

// store writes the outcome of the attempt.
func (a *attempt) store(o engine.Outcome) error {
	a.writing <- struct{}{}
	defer func() { <-a.writing }()
	a.e.mu.Lock()
	if o.Metadata == nil {
		o.Metadata = a.progress
	}
	revision := a.revision + 1
	a.e.mu.Unlock()
	if o.Release || o.Retry {
		return a.settle(o, revision)
	}
	c, err := newEnd(a, o, revision)
	if err != nil {
		return err
	}
	// Another transaction may have the operation, such as the claim of a process
	// that has read it before it was claimed here: mostly not for long.
	for try := range 2 {
		if try > 0 && !enginekit.Pause(a.e.ctx, lockedPause) {
			return a.e.ctx.Err()
		}
		ended, err := a.e.ends.do(a.e.ctx, c)
		if err != nil || ended {
			return err
		}
	}
	return a.settle(o, revision) // waits for it, or finds what else it is
}

// settle is store for outcomes that depend on whether cancel was requested.
func (a *attempt) settle(o engine.Outcome, revision int64) error {
	ctx, cancel := context.WithTimeout(a.e.ctx, statementTimeout)
	defer cancel()
	_, err := a.e.changeRow(ctx, a.e.pool, a.rec.Name, func(r *row) (*row, error) {
		if !r.owned(a.lease()) {
			return nil, engine.ErrFenced
		}
		after := settle(r, o, false)
		after.rec.Revision = max(after.rec.Revision, revision)
		return after, nil
	})
	return err
}

func (a *attempt) isFinishing() bool {
	a.e.mu.Lock()
	defer a.e.mu.Unlock()
	return a.finishing
}

// abandon takes the operation from an attempt that does not return. The end of one that
// has returned is being stored.
func (a *attempt) abandon() {
	if a.isFinishing() {
		return
	}
	a.e.opts.Logger.Error("attempt ignored the end of its context and was abandoned",
		"operation", a.rec.Name, "attempt", a.rec.Attempt)
	handedBack := a.insist("abandoned operation could not be handed back, will try again", func() error {
		ctx, cancel := context.WithTimeout(a.e.ctx, statementTimeout)
		defer cancel()
		_, err := a.e.changeRow(ctx, a.e.pool, a.rec.Name, func(r *row) (*row, error) {
			if !r.owned(a.lease()) {
				return nil, engine.ErrFenced
			}
			return settle(r, engine.Outcome{Release: true}, true), nil
		})
		return err
	})
	if handedBack {
		a.lose()
	}
	a.release()
}

// lose ends the attempt's context: the operation is no longer its own.
func (a *attempt) lose() {
	a.e.mu.Lock()
	a.lost = true
	a.forget()
	finishing := a.finishing
	a.e.mu.Unlock()
	if !finishing {
		a.cancel(engine.ErrLeaseLost)
	}
}

// hide has subscribers be shown no progress any more.
func (a *attempt) hide() {
	a.e.mu.Lock()
	defer a.e.mu.Unlock()
	a.hidden = true
}

// cancelRequested tells the attempt, once.
func (a *attempt) cancelRequested() {
	a.e.mu.Lock()
	told := a.told || a.finishing
	a.told = true
	a.e.mu.Unlock()
	if !told {
		a.cancel(engine.ErrCancelRequested)
	}
}

// Report implements [engine.Attempt]. Metadata that cannot be stored is dropped,
// with a line in the log.
func (a *attempt) Report(metadata *anypb.Any) {
	e := a.e
	if metadata == nil {
		return
	}
	if err := (engine.Update{Metadata: metadata}).Check(e.opts.MaxPayload); err != nil {
		e.opts.Logger.Warn("progress dropped", "operation", a.rec.Name, "error", err)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.attempts[a.seq] != a || a.finishing || a.lost {
		return
	}
	a.progress, a.unsaved = metadata, true
	a.revision = max(a.revision, a.rec.Revision) + 1
	a.reported = e.process.now()
	e.dirty[a.seq] = struct{}{}
	kick(e.dirtyKick)
	if a.hidden || !e.feed.Used() {
		return
	}
	rec := *a.rec
	rec.Metadata, rec.Revision, rec.UpdateTime = metadata, a.revision, a.reported
	e.feed.Send(engine.Change{Record: &rec})
}

// Save implements [engine.Attempt]. With a ctx of [WithTx] or [WithSQLTx] the
// checkpoint is there if and only if that transaction commits.
func (a *attempt) Save(ctx context.Context, checkpoint []byte) error {
	if err := engine.CheckSize("checkpoint", len(checkpoint), a.e.opts.MaxPayload); err != nil {
		return fmt.Errorf("save checkpoint of %q: %w", a.rec.Name, err)
	}
	if err := a.save(ctx, checkpoint); err != nil {
		return fmt.Errorf("save checkpoint of %q: %w", a.rec.Name, a.e.storeError(ctx, err))
	}
	return nil
}

func (a *attempt) save(ctx context.Context, checkpoint []byte) error {
	// Not while progress is being stored: the older would come last.
	select {
	case a.writing <- struct{}{}:
		defer func() { <-a.writing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	data := bytes.Clone(checkpoint)
	if data == nil {
		data = []byte{}
	}
	_, err := a.e.changeRow(ctx, a.e.pool, a.rec.Name, func(r *row) (*row, error) {
		if !r.owned(a.lease()) {
			return nil, engine.ErrFenced
		}
		after := r.edit()
		after.rec.Checkpoint = data
		after.addEvent(engine.EventCheckpoint, "")
		return after, nil
	})
	return err
}
