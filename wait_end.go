package lro

import (
	"context"
	"reflect"
	"time"
)

// endLocked ends the wait, without err because the operation is done or no
// caller is left, and hands out its callers. The returned end is to be told once
// core.mu is free. It is nil where there was no wait.
//
// With from, waiting ends for those callers only that have it as their context,
// since the service has refused their credentials. The wait lasts for the others,
// with theirs.
func (c *core) endLocked(err error, from context.Context) *ending {
	w := &c.wait
	if w.lane == nil {
		return nil
	}
	e := c.endingLocked(err)
	for m, next := w.members, (*member)(nil); m != nil; m = next {
		if next = m.next; from != nil && !sameContext(m.by.ctx, from) {
			continue
		}
		w.unlink(m)
		e.give(m)
	}
	if w.members != nil {
		c.planLocked(clock(), 0)
		c.homeLocked()
		return e
	}
	if x := w.extra; x != nil {
		if x.span != nil {
			x.span.ending = e
			e.span = x.span.releaseLocked()
		}
		if x.call != nil {
			x.call.cancel()
		}
		c.judgeLocked(x.forecast)
		*x = waitExtra{link: x.link, notBefore: x.notBefore}
	}
	w.slot.release(c)
	w.lane.remove(c)
	w.poll.check, w.poll.missed = nothing, false
	*w = wait{begun: w.begun, older: w.older, poll: w.poll, calls: w.calls, extra: w.extra}
	w.trim()
	return e
}

// sameContext reports whether two contexts are one, and so carry the same
// credentials.
func sameContext(a, b context.Context) bool { return reflect.TypeOf(a).Comparable() && a == b }

// ending is how a wait ended for some or all of its callers.
type ending struct {
	core    *core
	told    []told
	span    *span // of the wait, if that is to be ended; else nil
	last    view
	err     error // nil when the operation is done, or no caller was left
	pollErr error
	polls   int
}

// told is a caller that is told of an end, and its part in the wait.
type told struct {
	by *caller
	of *member
}

func (c *core) endingLocked(err error) *ending {
	e := &ending{core: c, last: c.view, err: err, polls: int(c.wait.polls)}
	if x := c.wait.extra; x != nil {
		e.pollErr = x.pollErr
	}
	return e
}

// give makes it the end of a caller's waiting for the operation. core.mu must be
// held.
func (e *ending) give(m *member) {
	if m.by.group == nil {
		m.by.ended = e
	}
	e.told = append(e.told, told{m.by, m})
}

// tell tells the observer, then the callers.
func (e *ending) tell() {
	if e == nil {
		return
	}
	e.span.end()
	for _, t := range e.told {
		if t.by.group != nil {
			t.by.group.hand(t.of, e)
		} else {
			t.by.signal()
		}
	}
}

// outcome is what waiting that began then ended with: nil when the operation is
// done, or the caller does not wait for that any more, else a [*WaitError].
func (e *ending) outcome(began time.Time) error {
	if e.err == nil {
		return nil
	}
	return &WaitError{
		Name: e.core.name, Last: Raw{e.core.name, e.last}, PollErr: e.pollErr, Polls: e.polls, Elapsed: time.Since(began), cause: causesOf(e.err),
	}
}
