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
	values  context.Context // what WaitStart returned; nil without
	fresh   *span           // to begin before the call
	link    any             // for that

	cut    atomic.Bool // a WaitOperation that was given up, to poll instead
	ending *ending     // of the wait, when it ended before the call; guarded by core.mu

	// Guarded by the scheduler's mu.
	over   bool // has returned
	counts bool // as one of those that are open
}

// open prepares the call that is due, and reports whether it is to be made. The
// scheduler calls it.
func (c *core) open(k *call) bool {
	c.mu.Lock()
	w := &c.wait
	if !k.lane.claim(c) {
		c.mu.Unlock()
		return false
	}
	now := clock()
	timeout := w.timeout()
	switch {
	case c.view.done: // learnt in another bubble
		e := c.endLocked(nil)
		c.mu.Unlock()
		e.tell()
		return false
	case w.phase == calling:
		x := w.extra
		if c.serveDeadlinesLocked(now) || x.call.long && w.watched() && now >= c.overstaysAt(x.call) {
			c.cutLocked()
		}
		if x.call.cut.Load() {
			k.lane.put(c, forever)
		} else {
			k.lane.put(c, c.keyLocked(now))
		}
		c.mu.Unlock()
		return false
	case now < w.due:
		if !c.serveDeadlinesLocked(now) {
			k.lane.put(c, c.keyLocked(now))
			c.mu.Unlock()
			return false
		}
		timeout = 0
	}
	x := w.more()
	k.timeout, k.long = timeout, timeout > 0
	k.from, k.link = w.values(), x.link
	k.ctx, k.cancel = context.WithTimeout(context.Background(), timeout+c.policy.AttemptTimeout)
	k.fresh = c.newSpanLocked(k.from)
	if k.fresh == nil && x.span != nil && x.span.ctx != nil {
		k.values = x.span.ctx
		x.span.values.from.Store(&valuesOf{context.Background(), k.from})
	}
	w.polls++
	w.calls++
	k.number = int(w.polls)
	x.call, w.phase = k, calling
	k.lane.put(c, c.keyLocked(now))
	c.mu.Unlock()
	return true
}

// make makes the call and takes over what it brings.
func (k *call) make() {
	c := k.core
	ctx := valuesOf{k.ctx, k.from}
	if k.fresh != nil {
		if !k.fresh.begin(c, k.link) {
			k.cancel()
			k.lane.scheduler.release(k)
			return
		}
		ctx.values = k.fresh.ctx
	} else if k.values != nil {
		ctx.values = k.values
	}
	obs, a := c.ask(ctx, c.self.decodes, k.timeout, k.number)
	if a.err == nil && !a.view.done {
		if hint, began := c.hintFor(k); hint != nil {
			obs.aim = hint(Raw{c.name, a.view}, elapsedSince(began, clock()))
		}
	}
	k.settle(obs, a)
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

func (k *call) settle(obs observation, a answer) {
	c := k.core
	k.cancel()
	k.lane.scheduler.release(k)
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
