package lro

import (
	"context"
	"sync/atomic"
	"time"
)

// call is one call for the state of an operation, under way.
type call struct {
	core    *core
	lane    *lane
	begun   time.Duration
	timeout time.Duration // of a WaitOperation, else 0
	long    bool          // by WaitOperation
	number  int           // of the wait's calls
	ctx     context.Context
	cancel  context.CancelFunc
	from    context.Context // of the caller whose credentials it carries
	counts  bool            // as one of the calls that are open
	turn    int             // of the lane, when it was opened

	cut    atomic.Bool // a WaitOperation that was given up, to poll instead
	ending *ending     // of the wait, when it ended before the call; guarded by core.mu
}

// visit does what is due for a wait: it decides about one that is new, makes a
// call, or gives up one that takes too long. The scheduler calls it.
func (c *core) visit(s *scheduler) {
	var e *ending
	c.mu.Lock()
	w, now := &c.wait, clock()
	switch {
	case w.lane == nil || w.lane.scheduler != s || w.entry.at > now: // any more
	case c.view.done: // learnt in another bubble
		e = c.endLocked(nil, nil)
	case c.unobservedLocked():
		sp := c.newSpanLocked()
		c.mu.Unlock()
		sp.begin(c)
		return // it is still due
	case w.phase == fresh:
		e = c.beginLocked()
	case w.phase == calling:
		c.cutLocked()
		w.lane.put(c, forever)
	default:
		go c.openLocked(now).make()
	}
	c.mu.Unlock()
	e.tell()
}

// openLocked prepares the call that is due.
func (c *core) openLocked(now time.Duration) *call {
	w, x := &c.wait, c.wait.more()
	w.polls++
	w.calls++
	k := &call{core: c, lane: w.lane, begun: now, timeout: x.timeout, long: x.timeout > 0, number: int(w.polls), from: w.values()}
	values := k.from
	if x.span != nil && x.span.ctx != nil {
		values = x.span.ctx
		x.span.values.from.Store(&k.from)
	}
	ctx, cancel := context.WithTimeout(context.Background(), x.timeout+c.policy.AttemptTimeout)
	k.ctx, k.cancel = valuesOf{ctx, values}, cancel
	x.call, w.phase, w.last = k, calling, false
	k.lane.opened(k)
	c.putLocked()
	return k
}

// make makes the call and takes over what it brings.
func (k *call) make() {
	c := k.core
	obs, a := c.ask(k.ctx, c.self.decodes, k.timeout, k.number)
	if a.err == nil && !a.view.done {
		if hint, began := c.hintFor(k); hint != nil {
			obs.aim = hint(Raw{c.name, a.view}, elapsedSince(began, clock()))
		}
	}
	k.cancel()
	k.lane.returned(k)
	c.mu.Lock()
	x := c.wait.extra
	if x == nil || x.call != k {
		// The wait has ended meanwhile. What the service said counts all the
		// same; that the call was given up says nothing.
		e := k.ending
		c.mu.Unlock()
		if a.err == nil && !(k.long && a.view.done) {
			c.heard(a)
		}
		e.endSpan()
		return
	}
	x.call = nil
	if k.long && a.err != nil && k.cut.Load() {
		obs, a = observation{call: interrupted}, answer{}
	}
	c.wait.phase = pausing
	e := c.tookLocked(obs, a, k.from)
	c.mu.Unlock()
	e.tell()
}

// giveUp ends a WaitOperation, so that its operation is polled instead.
func (k *call) giveUp() {
	k.cut.Store(true)
	k.cancel()
}

// hintFor returns the policy's hint where the call is that of a wait which has
// one.
func (c *core) hintFor(k *call) (hint func(Raw, time.Duration) time.Duration, began time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if x := c.wait.extra; x != nil && x.call == k {
		return x.hint, x.began
	}
	return nil, 0
}
