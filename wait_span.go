package lro

import (
	"context"
	"sync/atomic"
	"time"
)

// span is a wait as the observer sees it, from WaitStart to WaitEnd.
type span struct {
	began  time.Duration   // by clock
	link   any             // what Observer.Started returned
	values callerValues    // what WaitStart's context is derived from
	ctx    context.Context // what WaitStart returned; nil before. Guarded by core.mu
	ending *ending         // of the wait, when it ended before WaitStart returned. Guarded by core.mu
}

// callerValues is a context with the values of the caller for which calls are
// made at the time, which may be another than the first.
type callerValues struct {
	context.Context
	from atomic.Pointer[context.Context]
}

func (v *callerValues) Value(key any) any { return (*v.from.Load()).Value(key) }

// valuesOf is a context with the values of another.
type valuesOf struct {
	context.Context
	values context.Context
}

func (v valuesOf) Value(key any) any {
	if x := v.Context.Value(key); x != nil { // its own key of package context
		return x
	}
	return v.values.Value(key)
}

// unobservedLocked reports whether the observer is to be told that the wait
// begins: with its first caller, or before the first call if only groups wait.
func (c *core) unobservedLocked() bool {
	o, w := c.client.config.observer, &c.wait
	return o != nil && (o.WaitStart != nil || o.WaitEnd != nil) && (w.extra == nil || w.extra.span == nil) &&
		(w.phase == pausing || w.phase == fresh && w.members.by.group == nil)
}

// newSpanLocked returns the span of the wait, for WaitStart to begin.
func (c *core) newSpanLocked() *span {
	from, x := c.wait.values(), c.wait.more()
	x.span = &span{began: clock(), link: x.link}
	x.span.values.Context = context.Background()
	x.span.values.from.Store(&from)
	return x.span
}

// begin tells the observer, also of the end if the wait has ended meanwhile.
func (sp *span) begin(c *core) {
	ctx := c.client.config.observer.waitStart(&sp.values, WaitStart{Operation: c.name, Method: c.method, Link: sp.link})
	c.mu.Lock()
	sp.ctx = ctx
	e := sp.ending
	c.mu.Unlock()
	e.endSpan()
}

// endSpan tells the observer that the wait has ended, if it was told that it
// began.
func (e *ending) endSpan() {
	if e == nil || e.span == nil {
		return
	}
	c := e.core
	c.client.config.observer.waitEnd(e.span.ctx, WaitEnd{
		Operation: c.name, Method: c.method, Snapshot: Raw{c.name, e.last},
		Err: e.err, Polls: e.polls, Elapsed: elapsedSince(e.span.began, clock()),
	})
}

// setLink keeps what Observer.Started returned.
func (c *core) setLink(link any) {
	if link != nil {
		c.wait.more().link = link
	}
}
