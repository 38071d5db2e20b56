package lro

import (
	"context"
	"reflect"
	"time"
)

// endLocked ends the wait with err, nil if the operation is done or no caller is
// left. The caller must call notify of the returned ending once core.mu is free. It
// is nil if there was no wait.
//
// If from is not nil, the service has refused its credentials: the wait ends only
// for callers whose context it is, and continues for the others.
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
		e.addLocked(m)
	}
	if w.members != nil {
		c.planLocked(clock(), 0)
		c.assignLocked()
		return e
	}
	if x := w.extra; x != nil {
		if x.span != nil {
			x.span.ending = e
			e.span = x.span.releaseLocked()
		}
		if x.call != nil {
			x.call.end(context.Canceled)
		}
		c.scoreForecastLocked(x.forecast)
		*x = waitExtra{link: x.link, notBefore: x.notBefore}
	}
	w.slot.release(c)
	w.lane.remove(c)
	w.poll.check, w.poll.missed = nothing, false
	*w = wait{begun: w.begun, startAge: w.startAge, poll: w.poll, calls: w.calls, extra: w.extra}
	w.trim()
	return e
}

// sameContext reports whether two contexts are one, and so carry the same
// credentials.
func sameContext(a, b context.Context) bool { return reflect.TypeOf(a).Comparable() && a == b }

// ending is how a wait ended for some or all of its callers.
type ending struct {
	core       *core
	recipients []recipient
	span       *span // to be ended; nil if it is not, or not yet
	last       view
	err        error // nil when the operation is done, or no caller was left
	pollErr    error
	polls      int
}

// recipient is a caller to notify of an end, and its place in the wait.
type recipient struct {
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

// addLocked makes e the end of a member's wait.
func (e *ending) addLocked(m *member) {
	if m.by.group == nil {
		m.by.ending = e
	}
	e.recipients = append(e.recipients, recipient{m.by, m})
}

// notify calls the observer, then wakes the callers.
func (e *ending) notify() {
	if e == nil {
		return
	}
	e.span.end()
	for _, t := range e.recipients {
		if t.by.group != nil {
			t.by.group.finish(t.of, e)
		} else {
			t.by.signal()
		}
	}
}

// waitError returns the [*WaitError] of a caller that began to wait at began; nil if
// the operation is done, or the caller has left.
func (e *ending) waitError(began time.Time) error {
	if e.err == nil {
		return nil
	}
	return &WaitError{
		Name: e.core.name, Last: Raw{e.core.name, e.last}, PollErr: e.pollErr, Polls: e.polls, Elapsed: time.Since(began), cause: causesOf(e.err),
	}
}
