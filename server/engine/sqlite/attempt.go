package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

const (
	// While the store refuses the end of an attempt, it is tried again after
	// this long, doubling.
	minFinishPause = 50 * time.Millisecond
	maxFinishPause = 5 * time.Second

	// revisionGap lifts a revision above all that were shown for progress that
	// was never persisted.
	revisionGap = 1 << 20
)

var noTime time.Time

// attempt implements [engine.Attempt].
type attempt struct {
	e      *Engine
	worker *worker
	seq    int64
	kind   string
	fence  int64

	rec    *engine.Record // as it was claimed
	ctx    context.Context
	cancel context.CancelCauseFunc

	// Guarded by Engine.mu.
	finishing bool // the handler has returned
	cancelled bool // was notified of a cancel request
}

func (a *attempt) Record() *engine.Record { return a.rec }

func (a *attempt) lease() engine.Lease { return engine.Lease{Name: a.rec.Name, Fence: a.fence} }

// run executes the attempt to its end.
func (a *attempt) run() {
	outcome := a.worker.Run(a.ctx, a)
	a.e.mu.Lock()
	a.finishing = true
	a.e.mu.Unlock()
	a.finish(outcome)
	a.cancel(nil)
	a.release()
}

// release gives back the worker's slot.
func (a *attempt) release() {
	a.e.mu.Lock()
	delete(a.worker.attempts, a)
	a.worker.release(a.kind)
	a.e.mu.Unlock()
	a.e.queue.wake()
}

// finish records how the attempt ended.
func (a *attempt) finish(o engine.Outcome) {
	o = enginekit.Storable(o, a.e.opts.MaxPayload)
	a.insist("end of attempt could not be stored, will try again", func(b *batch) error {
		return b.settle(a, o, false)
	})
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
	a.insist("abandoned operation could not be handed back, will try again", func(b *batch) error {
		return b.settle(a, engine.Outcome{Release: true}, true)
	})
}

// insist tries until the store takes a change, or the operation is no longer the
// attempt's. It returns when the worker gives up, and the engine goes on in the
// background until it closes: then the operation runs again after the next open.
func (a *attempt) insist(failed string, apply func(*batch) error) {
	store := func(pause time.Duration) bool {
		err := a.e.write(context.Background(), 0, apply)
		if err == nil || errors.Is(err, engine.ErrFenced) || isDown(err) {
			return true
		}
		a.e.opts.Logger.Error(failed, "operation", a.rec.Name, "attempt", a.rec.Attempt, "error", err, "after", pause)
		return false
	}
	if enginekit.Retry(a.worker.abandoned, minFinishPause, maxFinishPause, store) {
		return
	}
	a.e.mu.Lock()
	defer a.e.mu.Unlock()
	if !enginekit.IsClosed(a.e.closing) {
		a.e.background.Go(func() { enginekit.Retry(a.e.closing, maxFinishPause, maxFinishPause, store) })
	}
}

// settle stages the outcome of an attempt. forced says that the attempt goes
// on without knowing.
func (b *batch) settle(a *attempt, o engine.Outcome, forced bool) error {
	r, err := b.load(a.seq)
	if err != nil {
		return err
	}
	if r == nil || !r.owned(a.lease()) {
		return engine.ErrFenced
	}
	at := now()
	after := r.edit()
	if forced {
		after.rec.Revision += revisionGap
	}
	if o.Metadata != nil {
		after.rec.Metadata = o.Metadata
	}
	cancelled := !r.rec.CancelTime.IsZero()
	switch {
	case o.Response != nil:
		return b.succeed(r, after, o.Response, at)
	case o.Release && cancelled:
		return b.failWith(r, after, enginekit.Cancelled(), at)
	case o.Release && r.atMostOnce():
		return b.failWith(r, after, enginekit.Interrupted(), at)
	case o.Release:
		after.rec.Releases++
		after.addEvent(at, engine.EventAttemptReleased, "")
		return b.handBack(r, after, at, noTime)
	case o.Retry && !cancelled && !r.atMostOnce():
		after.addEvent(at, engine.EventAttemptRetry, o.Error.GetMessage())
		return b.handBack(r, after, at, at.Add(max(o.RetryAfter, 0)))
	default:
		return b.failWith(r, after, o.Error, at)
	}
}

// handBack stages that the operation waits for another attempt.
func (b *batch) handBack(before, after *row, at, due time.Time) error {
	after.rec.State = engine.Pending
	after.rec.Revision++
	after.rec.UpdateTime = at
	after.due = due
	_, err := b.update(before, after)
	return err
}

func (b *batch) succeed(before, after *row, response *anypb.Any, at time.Time) error {
	after.rec.State = engine.Succeeded
	after.rec.Response = response
	_, err := b.end(before, after, at)
	return err
}

// failWith stages the end with an error: CANCELLED when its code says so.
func (b *batch) failWith(before, after *row, s *status.Status, at time.Time) error {
	after.rec.State, after.rec.Error = enginekit.Ending(s)
	_, err := b.end(before, after, at)
	return err
}

// Report implements [engine.Attempt]. Metadata that cannot be
// stored is dropped, with a line in the log.
func (a *attempt) Report(metadata *anypb.Any) {
	e := a.e
	if metadata == nil {
		return
	}
	if err := (engine.Update{Metadata: metadata}).Check(e.opts.MaxPayload); err != nil {
		e.opts.Logger.Warn("progress dropped", "operation", a.rec.Name, "error", err)
		return
	}
	at := now()
	e.mu.Lock()
	defer e.mu.Unlock()
	en := e.cache.entries[a.seq]
	if en == nil || en.attempt != a || a.finishing {
		return
	}
	r := en.row.edit()
	r.rec.Metadata = metadata
	r.rec.Revision++
	r.rec.UpdateTime = at
	e.notify(en.row, r)
	en.row = r
	e.dirty[a.seq] = struct{}{}
	kick(e.dirtyKick)
}

// Save implements [engine.Attempt].
func (a *attempt) Save(ctx context.Context, checkpoint []byte) error {
	if err := engine.CheckSize("checkpoint", len(checkpoint), a.e.opts.MaxPayload); err != nil {
		return fmt.Errorf("save checkpoint of %q: %w", a.rec.Name, err)
	}
	// The record keeps it, and this call may return while it is being written.
	data := bytes.Clone(checkpoint)
	if data == nil {
		data = []byte{}
	}
	err := a.e.write(ctx, len(data), func(b *batch) error { return b.save(a, data) })
	if err != nil {
		return fmt.Errorf("save checkpoint of %q: %w", a.rec.Name, err)
	}
	return nil
}

func (b *batch) save(a *attempt, data []byte) error {
	r, err := b.load(a.seq)
	if err != nil {
		return err
	}
	if r == nil || !r.owned(a.lease()) {
		return engine.ErrFenced
	}
	after := r.edit()
	after.rec.Checkpoint = data
	after.flags |= flagCheckpoint
	after.addEvent(now(), engine.EventCheckpoint, "")
	if _, err := b.update(r, after); err != nil {
		return err
	}
	err = b.c.execute(`INSERT INTO checkpoint (seq, data) VALUES (?1, ?2)
		ON CONFLICT (seq) DO UPDATE SET data = ?2`, a.seq, blobArg(data))
	if err != nil {
		return b.fail(err)
	}
	return nil
}
