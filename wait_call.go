package lro

import (
	"context"
	"sync/atomic"
	"time"
)

// call is a call for the state of an operation that is under way.
type call struct {
	poll
	core     *core
	lane     *lane
	begun    time.Duration
	timeout  time.Duration   // of a WaitOperation, else 0
	number   int             // of the wait's calls
	from     context.Context // of the caller whose credentials it carries
	turn     int             // of the lane, when it was opened; -1 for a call that does not count
	nextPoll func(Raw) time.Duration
	span     *span
	cut      atomic.Bool // a WaitOperation that was given up, to poll instead
}

// visit does what is due for a wait: it decides about one that is new, makes a
// call, or gives up one that takes too long. The scheduler calls it.
func (c *core) visit(s *scheduler) {
	var e *ending
	c.mu.Lock()
	w, now := &c.wait, clock()
	switch {
	case w.lane == nil || w.lane.scheduler != s || w.at > now: // it has moved meanwhile
	case c.view.done: // learned in another bubble
		e = c.endLocked(nil, nil)
	case c.needsSpanLocked():
		sp := c.newSpanLocked()
		c.mu.Unlock()
		sp.begin()
		return // it is still due
	case w.at == dueNew:
		e = c.beginLocked()
	case w.call() != nil:
		c.cutLocked()
		w.lane.put(c, forever)
	default:
		go c.openLocked(now).make()
	}
	c.mu.Unlock()
	e.notify()
}

// openLocked prepares the call that is due. Its wait is visited again if it is a
// WaitOperation which should show progress and has taken too long: a service that
// ignores the timeout must not keep progress from callers that watch.
func (c *core) openLocked(now time.Duration) *call {
	w, x := &c.wait, c.wait.ensureExtra()
	w.polls++
	w.calls++
	k := &call{core: c, lane: w.lane, begun: now, timeout: x.timeout, number: int(w.polls), from: w.callerContext(), nextPoll: x.nextPoll, span: x.span}
	k.values = k.from
	if k.span != nil {
		k.values = k.span.holdForCall(k.from)
	}
	if k.timeout > 0 {
		k.deadline = time.Now().Add(k.limit())
	}
	x.call, w.last = k, false
	k.lane.opened(k)
	overdue := forever
	if k.timeout > 0 && w.watched() {
		overdue = now + k.timeout + c.client.lastPollMargin()
	}
	k.lane.put(c, overdue)
	return k
}

// limit returns how long the call may take.
func (k *call) limit() time.Duration { return k.timeout + k.core.policy.AttemptTimeout }

// make makes the call and passes its answer to the wait.
func (k *call) make() {
	c := k.core
	limits := c.client.limitsHere()
	limits.add(&k.limited, k.limit())
	obs, a := c.observeCall(k)
	if k.nextPoll != nil && k.timeout == 0 && a.err == nil && !a.view.done {
		obs.aim = k.nextPoll(Raw{c.name, a.view})
	}
	limits.drop(&k.limited)
	k.end(context.Canceled)
	k.lane.returned(k)
	c.mu.Lock()
	observed := k.span.releaseLocked()
	if c.wait.call() != k {
		// The wait has ended meanwhile. The service's answer counts all the same;
		// an error says nothing, since the call was given up.
		c.mu.Unlock()
		if a.err == nil && !(k.timeout > 0 && a.view.done) {
			c.recordAnswer(a)
		}
		observed.end()
		return
	}
	c.wait.extra.call = nil
	if k.timeout > 0 && a.err != nil && k.cut.Load() {
		obs, a = observation{call: interrupted}, answer{}
	}
	e := c.decideLocked(obs, a, k.from)
	c.mu.Unlock()
	e.notify()
}

// giveUp ends a WaitOperation, so that its operation is polled instead.
func (k *call) giveUp() {
	k.cut.Store(true)
	k.end(context.Canceled)
}
