package sqlite

import (
	"context"
	"fmt"

	"github.com/go-lro/lro/server/engine"
)

// waitSet is everybody who waits for the end of one operation.
type waitSet struct {
	waiters int
	done    chan struct{}
	rec     *engine.Record // set before done is closed
	err     error
}

// Wait implements [engine.Engine]. It costs nothing while the operation runs:
// whoever ends it wakes the waiters.
func (e *Engine) Wait(ctx context.Context, name string) (*engine.Record, error) {
	rec, err := e.wait(ctx, name)
	if err != nil {
		return rec, fmt.Errorf("wait for operation %q: %w", name, err)
	}
	return rec, nil
}

func (e *Engine) wait(ctx context.Context, name string) (*engine.Record, error) {
	seq, ok := parseName(name)
	if !ok {
		return nil, engine.ErrNotFound
	}
	// Joined before the state is read, so that no end falls between.
	w := e.joinWait(seq)
	defer e.leaveWait(seq, w)
	r, err := e.find(context.WithoutCancel(ctx), name)
	if err != nil {
		return nil, err
	}
	if r.rec.State.Terminal() {
		return r.rec, nil
	}
	select {
	case <-w.done:
		return w.rec, w.err
	case <-ctx.Done():
	}
	select {
	case <-w.done: // both at once
		return w.rec, w.err
	default:
	}
	if latest := e.visible(seq); latest != nil && !latest.rec.State.Terminal() {
		r = latest
	}
	return r.rec, ctx.Err()
}

func (e *Engine) joinWait(seq int64) *waitSet {
	e.mu.Lock()
	defer e.mu.Unlock()
	w := e.waits[seq]
	if w == nil {
		w = &waitSet{done: make(chan struct{})}
		e.waits[seq] = w
	}
	w.waiters++
	return w
}

func (e *Engine) leaveWait(seq int64, w *waitSet) {
	e.mu.Lock()
	defer e.mu.Unlock()
	w.waiters--
	if w.waiters == 0 && e.waits[seq] == w {
		delete(e.waits, seq)
	}
}

// endWait answers the waiters of an operation.
func (e *Engine) endWait(seq int64, rec *engine.Record, err error, todo *after) {
	w := e.waits[seq]
	if w == nil {
		return
	}
	w.rec, w.err = rec, err
	delete(e.waits, seq)
	todo.wake = append(todo.wake, w.done)
}
