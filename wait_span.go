package lro

import (
	"context"
	"sync/atomic"
	"time"
)

// span is a wait as the observer sees it, from WaitStart to WaitEnd. The wait
// holds it, and so do WaitStart while it runs and the call under way. WaitEnd is
// called when the last of them has released it.
type span struct {
	core   *core
	began  time.Duration   // by clock
	link   any             // what Observer.Started returned
	values callerValues    // what WaitStart's context is derived from
	ctx    context.Context // what WaitStart returned; nil before. Guarded by core.mu
	holds  int             // guarded by core.mu
	ending *ending         // of the wait; guarded by core.mu
}

// callerValues is a context with the values of the caller for which calls are
// made at the time, which may be another than the first.
type callerValues struct {
	context.Context
	from atomic.Pointer[context.Context]
}

func (v *callerValues) Value(key any) any { return (*v.from.Load()).Value(key) }

// needsSpanLocked reports whether WaitStart is to be called: when the first caller
// joins, or before the first call if only groups wait.
func (c *core) needsSpanLocked() bool {
	o, w := c.client.config.observer, &c.wait
	return o != nil && (o.WaitStart != nil || o.WaitEnd != nil) && (w.extra == nil || w.extra.span == nil) &&
		(w.at != dueNew || w.members.by.group == nil)
}

// newSpanLocked returns the span of the wait. Its begin must be called.
func (c *core) newSpanLocked() *span {
	from, x := c.wait.callerContext(), c.wait.ensureExtra()
	x.span = &span{core: c, began: clock(), link: x.link, holds: 2}
	x.span.values.Context = context.Background()
	x.span.values.from.Store(&from)
	return x.span
}

// begin calls WaitStart, and releases the span.
func (sp *span) begin() {
	c := sp.core
	ctx := c.client.config.observer.waitStart(&sp.values, WaitStart{Operation: c.name, Method: c.method, Link: sp.link})
	c.mu.Lock()
	sp.ctx = ctx
	last := sp.releaseLocked()
	c.mu.Unlock()
	last.end()
}

// holdForCall holds the span for a call that is made for the caller whose context is
// from, and returns the context of the call. core.mu must be held.
func (sp *span) holdForCall(from context.Context) context.Context {
	sp.holds++
	sp.values.from.Store(&from)
	if sp.ctx == nil { // the wait has moved to another scheduler meanwhile
		return from
	}
	return sp.ctx
}

// releaseLocked releases the span. If it was held no more than once, it returns the
// span, whose end must be called once core.mu is free; else nil.
func (sp *span) releaseLocked() *span {
	if sp == nil {
		return nil
	}
	if sp.holds--; sp.holds > 0 {
		return nil
	}
	return sp
}

// end calls WaitEnd.
func (sp *span) end() {
	if sp == nil {
		return
	}
	c, e := sp.core, sp.ending
	c.client.config.observer.waitEnd(sp.ctx, WaitEnd{
		Operation: c.name, Method: c.method, Snapshot: Raw{c.name, e.last},
		Err: e.err, Polls: e.polls, Elapsed: elapsedSince(sp.began, clock()),
	})
}

// setLink keeps what Observer.Started returned.
func (c *core) setLink(link any) {
	if link != nil {
		c.wait.ensureExtra().link = link
	}
}
