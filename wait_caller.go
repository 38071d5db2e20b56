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
	at       time.Duration // when its last polls are made, by clock
	index    int32         // among the deadlines of its scheduler, plus 1
	watch    bool          // is woken by each change, not only by the end
	wake     chan struct{}

	only  member      // its part in the wait for one operation
	ended *ending     // of that; nil before. Guarded by core.mu
	then  func()      // is called on a goroutine of its own at the end, in place of wake
	stop  func() bool // keeps then from being called at the end of ctx

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

// lastPollMargin is how long before its deadline the caller's last polls are
// made. Those of a group depend on all of its clients, also where another
// scheduler moves the waits because others wait too.
func (k *caller) lastPollMargin() time.Duration {
	if k.group == nil {
		return k.only.core.client.lastPollMargin()
	}
	var longest time.Duration
	for _, m := range k.group.members() {
		longest = max(longest, m.core.client.lastPollMargin())
	}
	return longest
}

var errOtherBubble = errors.New("callers in another bubble of testing/synctest wait for the operation")

// join makes the caller wait for a member's operation, or lets it know how waiting
// has ended before it began.
//
// It does little, on the caller's stack: a stack that has grown stays so for as
// long as the caller waits. The scheduler does the rest.
func (k *caller) join(m *member) {
	m.core.mu.Lock()
	e := k.joinLocked(m)
	m.core.mu.Unlock()
	e.tell()
}

func (k *caller) joinLocked(m *member) *ending {
	if k.group != nil && !k.group.during(k) {
		return nil // it waits for nothing any more
	}
	c, err := m.core, error(nil)
	w := &c.wait
	m.by = k
	switch {
	case c.view.done:
	case k.group == nil && k.ctx.Err() != nil:
		err = contextCauses(k.ctx)
	case w.lane != nil && !w.reachable():
		err = errOtherBubble
	default:
		if k.watch && !w.watched() {
			// A long poll meant for those who want the end only would keep progress
			// from the first who watches.
			c.cutLocked()
		}
		w.link(m)
		c.homeLocked()
		if k.group == nil && k.deadline > 0 {
			w.lane.scheduler.expect(k)
		}
		return nil
	}
	e := &ending{core: c, last: c.view, err: err}
	e.give(m)
	return e
}

// leave takes the caller of one operation out, and returns what its waiting ended
// with: nil when the operation is done, else a [*WaitError].
func (k *caller) leave() error {
	e := k.only.leave(k.ctx)
	if k.ended != nil {
		e = k.ended
	}
	return e.outcome(k.began)
}

// leave takes a member out whose caller's context is ctx, and returns what its
// waiting ended with, if it had not ended before.
func (m *member) leave(ctx context.Context) *ending {
	c := m.core
	c.mu.Lock()
	w := &c.wait
	if w.unlink(m) && !c.view.done && w.poll.check == confirm && w.poll.failed > 0 {
		// WaitOperation has told how the operation ended; only the confirmation
		// could not be had.
		c.learnLocked(w.extra.held)
	}
	left := c.endingLocked(nil)
	if !left.last.done && ctx.Err() != nil {
		left.err = contextCauses(ctx)
	}
	e := c.homeLocked()
	c.mu.Unlock()
	e.tell()
	return left
}

// link adds a member: a group's last, and another behind the first, which remains
// the one for which calls are made.
func (w *wait) link(m *member) {
	p := &w.members
	for *p != nil && (*p).by.group == nil {
		p = &(*p).next
		if m.by.group == nil {
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
	k.join(&k.only)
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
	k.stop = context.AfterFunc(ctx, k.then)
	k.join(&k.only)
}

// watch calls yield with each state that differs from the one shown, until it
// returns false, the operation is done, which is yielded too, or waiting ends,
// which is returned.
func (c *core) watch(ctx context.Context, shown view, yield func(view) bool) error {
	k := newCaller(ctx, c)
	k.watch = true
	k.join(&k.only)
	defer func() { _ = k.leave() }()
	for !shown.done {
		now, ended := k.state()
		switch {
		case now.at != 0 && !now.same(shown):
			if shown = now; !yield(shown) {
				return nil
			}
		case ended || ctx.Err() != nil:
			if err := k.leave(); err != nil {
				return err
			}
		default:
			select {
			case <-k.wake:
			case <-ctx.Done():
			}
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
