package lro

import (
	"context"
	"errors"
	"time"
)

// caller is a caller that waits for one operation, or an iteration over a group,
// which waits for all of its operations.
type caller struct {
	ctx      context.Context
	began    time.Time
	deadline time.Duration // of ctx, by clock; 0 for none
	at       time.Duration // when last polls are made for it, by clock
	index    int32         // among the deadlines of its scheduler, plus 1
	watch    bool          // it is woken by each change, not only at the end
	wake     chan struct{}

	only   member      // its place in the wait for one operation
	ending *ending     // of the wait for that operation; nil before. Guarded by core.mu
	then   func()      // called at the end, on a goroutine of its own, instead of wake
	stop   func() bool // keeps then from being called at the end of ctx

	group     *group     // nil for one operation
	scheduler *scheduler // of the group
}

// member is the place of a caller in one wait.
type member struct {
	core  *core
	by    *caller // while it waits; guarded by core.mu
	next  *member // of the same wait; guarded by core.mu
	index int32   // of a group's member in group.left, -1 once it has ended; guarded by group.mu
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

// lastPolls polls each operation that the caller waits for, shortly before its
// deadline.
func (k *caller) lastPolls() {
	if k.group == nil {
		k.only.core.lastPoll()
		return
	}
	for _, m := range k.group.members() {
		m.core.lastPoll()
	}
}

// lastPollMargin returns how long before its deadline the caller's last polls are
// made. Those of a group depend on all of its clients, even if another scheduler
// moves the waits because other callers wait too.
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

// join makes the caller wait for a member's operation, or notifies it at once if
// there is nothing to wait for.
//
// It does little on the caller's stack, because a stack that has grown stays so for
// as long as the caller waits. The scheduler does the rest.
func (k *caller) join(m *member) {
	m.core.mu.Lock()
	e := k.joinLocked(m)
	m.core.mu.Unlock()
	e.notify()
}

func (k *caller) joinLocked(m *member) *ending {
	if k.group != nil && !k.group.iterating(k) {
		return nil // the iteration has ended
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
			// A long poll that waits for the end only would keep progress from the
			// first caller that watches.
			c.cutLocked()
		}
		w.link(m)
		if w.begun == 0 && k.ctx.Err() == nil {
			w.begun = clock() // not at the scheduler's visit: the caller may leave before it
		}
		c.assignLocked()
		if k.group == nil && k.deadline > 0 {
			w.lane.scheduler.addDeadline(k)
		}
		return nil
	}
	e := &ending{core: c, last: c.view, err: err}
	e.addLocked(m)
	return e
}

// leave removes the caller from the wait for its only operation. It returns nil if
// the operation is done, else a [*WaitError].
func (k *caller) leave() error { return k.only.leave(k.ctx).waitError(k.began) }

// leave removes a member from its wait, if it is still in it. It returns how waiting
// ended for a caller with the context ctx: as it did before, or because it leaves
// now. A caller whose ctx had ended may leave before it joins.
func (m *member) leave(ctx context.Context) *ending {
	c := m.core
	c.mu.Lock()
	w := &c.wait
	if w.unlink(m) && !c.view.done && w.poll.check == confirm && w.poll.failed > 0 {
		// WaitOperation has returned the outcome, and GetOperation failed to
		// confirm it.
		c.learnLocked(w.extra.held)
	}
	left := c.endingLocked(nil)
	if !left.last.done && ctx.Err() != nil {
		left.err = contextCauses(ctx)
	}
	if m.by != nil && m.by.ending != nil {
		left = m.by.ending
	}
	e := c.assignLocked()
	c.mu.Unlock()
	e.notify()
	return left
}

// link adds a member: a group's at the end, and any other after the first, which
// remains the one for which calls are made.
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

// unlink removes a member, and reports whether it was in the wait.
func (w *wait) unlink(m *member) bool {
	for p := &w.members; *p != nil; p = &(*p).next {
		if *p != m {
			continue
		}
		if m.by.group == nil {
			w.lane.scheduler.dropDeadline(m.by)
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

// watch calls yield with each state that differs from the one shown before. It
// returns nil when yield returns false and after the state that is done, and a
// [*WaitError] when waiting ends before.
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
	return c.view, k.ending != nil
}
