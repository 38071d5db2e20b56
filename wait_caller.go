package lro

import (
	"context"
	"errors"
	"time"
)

// caller is one that waits: for one operation, or in an iteration over a group
// for all of its operations.
type caller struct {
	ctx      context.Context
	began    time.Time
	deadline time.Duration // of ctx, by clock; 0 for none
	entry                  // among the deadlines of its scheduler
	watch    bool          // is woken by each change, not only by the end
	wake     chan struct{}

	only  member      // its part in the wait for one operation
	ended *ending     // of that; nil before. Guarded by core.mu
	then  func()      // is called on a goroutine of its own at the end, in place of wake
	stop  func() bool // keeps then from being called at the end of ctx. Guarded by core.mu

	group     *group     // nil for one operation
	scheduler *scheduler // of the group
}

// member is the part of a caller in one wait.
type member struct {
	core  *core
	by    *caller // while it waits; guarded by core.mu
	next  *member // of the same wait; guarded by core.mu
	index int32   // of a group's: in group.left, -1 once it has ended; guarded by group.mu
}

func newCaller(ctx context.Context, c *core) *caller {
	k := &caller{ctx: ctx, began: time.Now(), wake: make(chan struct{}, 1)}
	k.only.core = c
	if deadline, ok := ctx.Deadline(); ok {
		k.deadline = max(1, clock()+deadline.Sub(k.began))
	}
	return k
}

// signal wakes the caller.
func (k *caller) signal() {
	switch {
	case k.then == nil:
		signal(k.wake)
	case k.stop():
		go k.then()
	}
}

// lastPolls polls what the caller waits for, shortly before its deadline.
func (k *caller) lastPolls() {
	if k.group == nil {
		k.only.core.lastPoll()
		return
	}
	for _, m := range k.group.members() {
		m.core.lastPoll()
	}
}

var errOtherBubble = errors.New("callers in another bubble of testing/synctest wait for the operation")

// join makes the caller wait for a member's operation. It returns nil, or how
// waiting has ended before it began, where that is so.
//
// It does little, on the caller's stack: a stack that has grown stays so for as
// long as the caller waits. The scheduler does the rest.
func (k *caller) join(m *member) *ending {
	c := m.core
	c.mu.Lock()
	defer c.mu.Unlock()
	w, ended := &c.wait, &ending{core: c, last: c.view}
	switch {
	case k.group != nil && !k.group.during(k):
		return nil // it waits for nothing any more
	case c.view.done:
		return ended
	case k.group == nil && k.ctx.Err() != nil:
		ended.err = contextCauses(k.ctx)
		return ended
	case w.lane != nil && !w.reachable():
		ended.err = errOtherBubble
		return ended
	}
	if k.watch && w.phase == calling && !w.watched() {
		// A long poll meant for those who want the end only would keep progress
		// from the first who watches.
		c.cutLocked()
	}
	w.link(m, k)
	c.homeLocked()
	if k.group == nil && k.deadline > 0 {
		w.lane.scheduler.expect(k)
	}
	if k.then != nil {
		k.stop = context.AfterFunc(k.ctx, k.then)
	}
	return nil
}

// leave takes the caller of one operation out, and returns what its waiting ended
// with: nil when the operation is done, else a [*WaitError].
func (k *caller) leave() error {
	at := k.only.leave()
	switch {
	case k.ended != nil:
		at = k.ended
	case !at.last.done && k.ctx.Err() != nil:
		at.err = contextCauses(k.ctx)
	}
	return at.outcome(k.began)
}

// leave takes a member out that may have ended, and returns the state of the
// wait.
func (m *member) leave() *ending {
	c := m.core
	c.mu.Lock()
	w := &c.wait
	waits := w.unlink(m)
	if waits && !c.view.done && w.poll.check == confirm && w.poll.failed > 0 {
		// WaitOperation has told how the operation ended; only the confirmation
		// could not be had.
		c.learnLocked(w.extra.held)
	}
	at := c.endingLocked(nil)
	var e *ending
	switch {
	case waits && c.view.done:
		e = c.endLocked(nil, nil)
	case waits:
		e = c.homeLocked()
	}
	c.mu.Unlock()
	e.tell()
	return at
}

// link adds a member: a group's last, and another behind the first, which remains
// the one for which calls are made.
func (w *wait) link(m *member, by *caller) {
	m.by = by
	p := &w.members
	for *p != nil && (*p).by.group == nil {
		p = &(*p).next
		if by.group == nil {
			break
		}
	}
	m.next, *p = *p, m
}

// unlink takes a member out. It reports whether that was one.
func (w *wait) unlink(m *member) bool {
	for p := &w.members; *p != nil; p = &(*p).next {
		if *p != m {
			continue
		}
		if m.by.group == nil {
			w.lane.scheduler.forget(m.by)
		}
		*p, m.next = m.next, nil
		return true
	}
	return false
}

// await blocks until the operation is done or waiting ends.
func (c *core) await(ctx context.Context) error {
	k := newCaller(ctx, c)
	if e := k.join(&k.only); e != nil {
		return e.outcome(k.began)
	}
	select {
	case <-k.wake:
	case <-ctx.Done():
	}
	return k.leave()
}

// onEnd calls f on a goroutine of its own with what await returns. No goroutine
// waits.
func (c *core) onEnd(ctx context.Context, f func(error)) {
	k := newCaller(ctx, c)
	k.then = func() { f(k.leave()) }
	if e := k.join(&k.only); e != nil {
		go f(e.outcome(k.began))
	}
}

// watch calls yield with each state that differs from the one shown, until it
// returns false, the operation is done, which is yielded too, or waiting ends,
// which is returned.
func (c *core) watch(ctx context.Context, shown view, yield func(view) bool) error {
	k := newCaller(ctx, c)
	k.watch = true
	e := k.join(&k.only)
	waits := e == nil
	if !waits && e.err != nil {
		return e.outcome(k.began)
	}
	defer func() {
		if waits {
			_ = k.leave()
		}
	}()
	for !shown.done {
		now, ended := k.state()
		switch {
		case now.at != 0 && !now.same(shown):
			shown = now
			if !yield(shown) {
				return nil
			}
			continue
		case !ended && ctx.Err() == nil:
			select {
			case <-k.wake:
			case <-ctx.Done():
			}
			continue
		}
		waits = false
		if err := k.leave(); err != nil {
			return err
		}
	}
	return nil
}

// state returns the state of the caller's only operation, and whether waiting
// for it has ended.
func (k *caller) state() (view, bool) {
	c := k.only.core
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.view, k.ended != nil
}
