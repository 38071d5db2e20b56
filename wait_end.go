package lro

import (
	"context"
	"errors"
	"reflect"
	"time"

	"google.golang.org/grpc/codes"
)

// endLocked ends the wait, without err because the operation is done or no
// caller is left, and hands out its callers. The returned end is to be told once
// core.mu is free. It is nil where there was no wait.
func (c *core) endLocked(err error) *ending {
	w := &c.wait
	w.poll.check, w.poll.missed = nothing, false
	if w.phase == idle {
		return nil
	}
	e := c.endingLocked(err)
	for w.callers != nil {
		e.take(w.callers)
	}
	for w.members != nil {
		e.takeMember(w.members)
	}
	if x := w.extra; x != nil {
		if e.span = x.span; e.span != nil && e.span.ctx == nil {
			e.span.ending, e.later = e, true
			if x.call != nil {
				e.polls-- // it will not be made
			}
		} else if x.call != nil {
			x.call.ending, e.later = e, true
		}
		if x.call != nil {
			x.call.cancel()
		}
		c.judgeLocked(x.forecast)
		*x = waitExtra{link: x.link, notBefore: x.notBefore}
	}
	w.slot.release(c)
	w.lane.remove(c)
	*w = wait{begun: w.begun, older: w.older, poll: w.poll, calls: w.calls, extra: w.extra}
	w.trim(clock())
	return e
}

// refuseLocked ends waiting for the callers whose credentials the service has
// refused, those with the context from. The wait lasts for the others, with
// theirs.
func (c *core) refuseLocked(from context.Context, err error, now time.Duration) *ending {
	w := &c.wait
	e := c.endingLocked(err)
	e.later = true // the span's end
	for k := w.callers; k != nil; {
		next := k.next
		if sameContext(k.ctx, from) {
			e.take(k)
		}
		k = next
	}
	for m := w.members; m != nil; {
		next := m.next
		if sameContext(m.group.scheduler.ctx, from) {
			e.takeMember(m)
		}
		m = next
	}
	w.plan(now, 0)
	c.homeLocked()
	return e
}

// sameContext reports whether two contexts are one, and so carry the same
// credentials.
func sameContext(a, b context.Context) bool { return reflect.TypeOf(a).Comparable() && a == b }

// only reports whether all callers have the context from.
func (w *wait) only(from context.Context) bool {
	for k := w.callers; k != nil; k = k.next {
		if !sameContext(k.ctx, from) {
			return false
		}
	}
	for m := w.members; m != nil; m = m.next {
		if !sameContext(m.group.scheduler.ctx, from) {
			return false
		}
	}
	return true
}

// ending is how a wait ended for some or all of its callers.
type ending struct {
	core    *core
	callers []*caller
	members []*member
	span    *span
	last    view
	err     error // nil when the operation is done, or no caller was left
	pollErr error
	polls   int
	later   bool // the observer is told later, or not at all
}

func (c *core) endingLocked(err error) *ending {
	e := &ending{core: c, last: c.view, err: err, polls: int(c.wait.polls)}
	if x := c.wait.extra; x != nil {
		e.pollErr = x.pollErr
	}
	return e
}

func (e *ending) take(k *caller) {
	e.core.wait.unlink(k)
	k.ended = e
	e.callers = append(e.callers, k)
}

func (e *ending) takeMember(m *member) {
	e.core.wait.drop(m)
	e.members = append(e.members, m)
}

// tell tells the observer, then the callers.
func (e *ending) tell() {
	if e == nil {
		return
	}
	if !e.later {
		e.endSpan()
	}
	for _, k := range e.callers {
		k.signal()
	}
	for _, m := range e.members {
		m.group.hand(m, e)
	}
}

func (e *ending) waitError(elapsed time.Duration) *WaitError {
	return &WaitError{
		Name: e.core.name, Last: Raw{e.core.name, e.last}, PollErr: e.pollErr, Polls: e.polls, Elapsed: elapsed, cause: causesOf(e.err),
	}
}

// refusal reports whether an error is about the caller's credentials.
func refusal(err error) bool {
	code := codeOf(err)
	return code == codes.Unauthenticated || code == codes.PermissionDenied
}

// causesOf returns the parts of an error with which a wait ended.
func causesOf(err error) causes {
	if cs, ok := err.(causes); ok {
		return cs
	}
	return causes{err}
}

// contextCauses returns ctx's error, and the cause it ended with where that is
// another.
func contextCauses(ctx context.Context) causes {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return causes{cause}
	}
	return causes{err, cause}
}
