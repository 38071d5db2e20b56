package lro

import (
	"context"
	"sync/atomic"
	"time"
)

// span is a wait as the observer sees it, from WaitStart to WaitEnd.
type span struct {
	began  time.Duration   // by clock
	values callerValues    // what WaitStart's context is derived from
	ctx    context.Context // what WaitStart returned; nil before. Guarded by core.mu
	ending *ending         // of the wait, when it ended before WaitStart returned. Guarded by core.mu
}

// callerValues is a context with the values of the caller for which calls are
// made at the time, which may be another than the first.
type callerValues struct {
	context.Context
	from atomic.Pointer[valuesOf]
}

func (v *callerValues) Value(key any) any { return v.from.Load().Value(key) }

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

// observed reports whether the observer is told of waits.
func (c *core) observed() bool {
	o := c.client.config.observer
	return o != nil && (o.WaitStart != nil || o.WaitEnd != nil)
}

// newSpanLocked returns a span for WaitStart to begin, if the observer wants one
// and has none yet.
func (c *core) newSpanLocked(from context.Context) *span {
	if !c.observed() || c.wait.extra != nil && c.wait.extra.span != nil {
		return nil
	}
	sp := &span{began: clock()}
	sp.values.Context = context.Background()
	sp.values.from.Store(&valuesOf{context.Background(), from})
	c.wait.more().span = sp
	return sp
}

// begin tells the observer. It reports false when the wait has ended meanwhile.
func (sp *span) begin(c *core, link any) bool {
	ctx := c.client.config.observer.waitStart(&sp.values, WaitStart{Operation: c.name, Method: c.method, Link: link})
	c.mu.Lock()
	sp.ctx = ctx
	e := sp.ending
	c.mu.Unlock()
	e.endSpan()
	return e == nil
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
