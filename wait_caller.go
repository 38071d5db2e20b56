package lro

import (
	"context"
	"errors"
	"time"
)

// caller is one that waits for an operation by itself, not in a group.
type caller struct {
	ctx      context.Context
	began    time.Time
	deadline time.Duration // of ctx, by clock; 0 for none, and once a last poll was made for it
	watch    bool          // is woken by each change, not only by the end
	wake     chan struct{}

	// Guarded by core.mu.
	next, prev *caller
	ended      *ending // of its wait; nil before
}

func newCaller(ctx context.Context, watch bool) *caller {
	k := &caller{ctx: ctx, began: time.Now(), watch: watch, wake: make(chan struct{}, 1)}
	if deadline, ok := ctx.Deadline(); ok {
		k.deadline = max(1, clock()+deadline.Sub(k.began))
	}
	return k
}

func (k *caller) signal() { signal(k.wake) }

var errOtherBubble = errors.New("callers in another bubble of testing/synctest wait for the operation")

// join counts the caller as one that waits. It reports false when the operation
// is done, and fails when that is not possible.
//
// It does little, on the caller's stack: a stack that has grown stays so for as
// long as the caller waits. The scheduler does the rest.
func (c *core) join(k *caller) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := &c.wait
	switch {
	case c.view.done:
		return false, nil
	case w.lane != nil && w.lane.scheduler.bubble != bubble():
		return false, &WaitError{Name: c.name, Last: Raw{c.name, c.view}, cause: causes{errOtherBubble}}
	}
	if k.watch && w.phase == calling && !w.watched() {
		// A long poll meant for those who want the end only would keep progress
		// from the first who watches.
		c.cutLocked()
	}
	w.link(k)
	c.homeLocked()
	return true, nil
}

// leave takes a caller out, and returns what its waiting ended with: nil when
// the operation is done, else a [*WaitError].
func (c *core) leave(k *caller) error {
	c.mu.Lock()
	if k.ended != nil {
		defer c.mu.Unlock()
		if k.ended.err == nil {
			return nil
		}
		return k.ended.waitError(time.Since(k.began))
	}
	var err error
	if w := &c.wait; !c.view.done && w.poll.check == confirm && w.poll.failed > 0 {
		// WaitOperation has told how the operation ended; only the confirmation
		// could not be had.
		c.learnLocked(w.extra.held)
		w.unlink(k)
		e := c.endLocked(nil)
		c.mu.Unlock()
		e.tell()
		return nil
	}
	if !c.view.done && k.ctx.Err() != nil {
		err = c.errorLocked(k.began, contextCauses(k.ctx))
	}
	c.wait.unlink(k)
	e := c.homeLocked()
	c.mu.Unlock()
	e.tell()
	return err
}

// link adds a caller, behind the first: that remains the one for which calls are
// made.
func (w *wait) link(k *caller) {
	first := w.callers
	if first == nil {
		w.callers = k
		return
	}
	k.prev, k.next = first, first.next
	if k.next != nil {
		k.next.prev = k
	}
	first.next = k
}

func (w *wait) unlink(k *caller) {
	if k.prev != nil {
		k.prev.next = k.next
	} else {
		w.callers = k.next
	}
	if k.next != nil {
		k.next.prev = k.prev
	}
	k.prev, k.next = nil, nil
}

// errorLocked says that waiting ended for these causes, with what the wait knows.
func (c *core) errorLocked(began time.Time, cs causes) *WaitError {
	e := c.endingLocked(cs)
	return e.waitError(time.Since(began))
}

func (c *core) hasEnded(k *caller) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return k.ended != nil
}

// await blocks until the operation is done or waiting ends.
func (c *core) await(ctx context.Context) error {
	if ctx.Err() != nil {
		return c.stopped(ctx, time.Now())
	}
	k := newCaller(ctx, false)
	if ok, err := c.join(k); !ok {
		return err
	}
	select {
	case <-k.wake:
	case <-ctx.Done():
	}
	return c.leave(k)
}

// stopped is the answer to waiting with a ctx that has ended; nil when the
// operation is done or ctx has not ended.
func (c *core) stopped(ctx context.Context, began time.Time) error {
	v := c.known()
	if v.done || ctx.Err() == nil {
		return nil
	}
	return &WaitError{Name: c.name, Last: Raw{c.name, v}, Elapsed: time.Since(began), cause: contextCauses(ctx)}
}

// watch calls yield with each state that differs from the one shown, until it
// returns false, the operation is done, which is yielded too, or waiting ends,
// which is returned.
func (c *core) watch(ctx context.Context, shown view, yield func(view) bool) error {
	if err := c.stopped(ctx, time.Now()); err != nil {
		return err
	}
	k := newCaller(ctx, true)
	waits, err := c.join(k)
	if err != nil {
		return err
	}
	defer func() {
		if waits {
			_ = c.leave(k)
		}
	}()
	for !shown.done {
		if now := c.known(); now.at != 0 && !now.same(shown) {
			shown = now
			if !yield(shown) {
				return nil
			}
			continue
		}
		select {
		case <-k.wake:
			if !c.hasEnded(k) {
				continue
			}
		case <-ctx.Done():
		}
		waits = false
		if err := c.leave(k); err != nil {
			return err
		}
	}
	return nil
}
