package lro

import (
	"context"
	"time"
)

// observedWait is a wait that the observer was told of: from the first call
// that an iteration makes for an entry to the entry's or the iteration's end.
type observedWait struct {
	ctx   context.Context // what the observer returned; nil when there is no such wait
	began time.Duration   // since group.base
	polls int32           // of the entry, before
}

// observeBegin tells the observer, before the first call of an iteration, that
// waiting for an operation begins.
func (g *Group) observeBegin(ctx context.Context, e *groupEntry) {
	c := e.op.untyped()
	if c.client.config.observer == nil || g.observed(e) {
		return
	}
	ctx = c.client.config.observer.waitStart(context.WithoutCancel(ctx), WaitStart{Operation: c.name, Method: c.method, Link: c.link})
	g.mu.Lock()
	defer g.mu.Unlock()
	e.more().seen = observedWait{ctx, time.Since(g.base), e.polls}
}

// observed reports whether the observer knows of a wait for the entry.
func (g *Group) observed(e *groupEntry) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return e.rare != nil && e.rare.seen.ctx != nil
}

// observeEnd tells the observer that waiting has ended, if it knows of the
// wait. g.mu must be held; it is not while the observer is told.
func (g *Group) observeEnd(e *groupEntry) {
	if e.rare == nil || e.rare.seen.ctx == nil {
		return
	}
	c, seen := e.op.untyped(), e.rare.seen
	e.rare.seen = observedWait{}
	tell := c.client.config.observer.WaitEnd
	if tell == nil {
		return
	}
	end := WaitEnd{
		Operation: c.name, Method: c.method, Snapshot: Raw{c.name, c.known()},
		Polls: int(e.polls - seen.polls), Elapsed: time.Since(g.base) - seen.began,
	}
	if failed, ok := e.rare.final.(*WaitError); ok {
		end.Err = causes(failed.cause)
	}
	g.mu.Unlock()
	defer g.mu.Lock()
	tell(seen.ctx, end)
}

// observePause tells the observer, at the end of an iteration, that nobody
// waits for what is left in the group. Where a call is under way, that is told
// when it returns.
func (g *Group) observePause() {
	g.mu.Lock()
	defer g.mu.Unlock()
	var left []*groupEntry
	for _, e := range g.due {
		if e.rare != nil && e.rare.seen.ctx != nil {
			left = append(left, e)
		}
	}
	for _, e := range left {
		g.observeEnd(e)
	}
}
