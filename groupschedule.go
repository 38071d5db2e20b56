package lro

import (
	"context"
	"time"
)

// burst is how much unused time QPS may make up for, so that timers that fire
// late do not lower the rate.
const burst = 10 * time.Millisecond

// schedule begins the calls that are due until ctx ends.
func (g *Group) schedule(ctx context.Context) {
	timer := time.NewTimer(forever)
	defer timer.Stop()
	for {
		e, after := g.pick()
		if e != nil {
			go g.call(ctx, e)
			continue
		}
		timer.Reset(after)
		select {
		case <-ctx.Done():
			return
		case <-g.wake:
		case <-timer.C:
		}
	}
}

// pick returns the entry to call for now, or how long there is nothing to do.
func (g *Group) pick() (*groupEntry, time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Since(g.base)
	for len(g.due) > 0 && g.calling < g.inFlight() {
		e := g.due[0]
		if wait := e.due - now; wait > 0 {
			return nil, wait
		}
		if !g.callNow(e, now) {
			continue
		}
		if wait := g.next - now; wait > 0 {
			return nil, wait
		}
		g.spend(now)
		g.due.remove(e)
		g.calling++
		return e, 0
	}
	return nil, forever
}

func (g *Group) inFlight() int {
	if g.InFlight > 0 {
		return g.InFlight
	}
	return DefaultGroupInFlight
}

// spend counts a call against QPS.
func (g *Group) spend(now time.Duration) {
	qps := g.QPS
	if qps == 0 {
		qps = DefaultGroupQPS
	}
	if qps > 0 {
		g.next = max(g.next, now-burst) + time.Duration(float64(time.Second)/qps)
	}
}

// callNow reports whether an entry that is due is to be called for. It is not
// when its first call is only now decided, for later, or when somebody else
// has learnt the state meanwhile, which counts as its own call. g.mu must be
// held.
func (g *Group) callNow(e *groupEntry, now time.Duration) bool {
	c := e.op.untyped()
	c.mu.Lock()
	begin := c.observeBegin()
	learnt := c.view.at
	c.mu.Unlock()
	switch {
	case !e.decided:
		return g.decide(e, begin, now) == 0
	case learnt != e.learnt:
		return g.decide(e, observation{call: calledGet}, now) == 0
	}
	return true
}

// decide settles what an entry does next, when, and where it is kept until
// then. It returns the time until its next call, forever when it has ended.
// g.mu must be held.
func (g *Group) decide(e *groupEntry, obs observation, now time.Duration) time.Duration {
	c := e.op.untyped()
	e.slot.update(c, g.waiting <= g.inFlight())
	obs.longPoll = e.slot.held
	c.mu.Lock()
	s := c.poll
	e.learnt = c.view.at
	c.mu.Unlock()
	s, d := c.decide(s, obs)
	c.mu.Lock()
	c.poll = s
	c.mu.Unlock()
	g.due.remove(e)
	switch d.action {
	case doFinish:
		g.end(e, nil)
		return forever
	case doFail:
		g.end(e, g.waitError(e, d.err))
		return forever
	}
	e.decided = true
	e.action, e.timeout = d.action, d.timeout
	e.due = now + d.after
	g.due.push(e)
	return d.after
}

// call makes the call that was decided for e, and decides what follows.
func (g *Group) call(ctx context.Context, e *groupEntry) {
	c := e.op.untyped()
	if e.began == 0 {
		g.observeBegin(ctx, e)
	}
	if e.rare != nil && e.rare.ctx != nil {
		ctx = valuesOf{ctx, e.rare.ctx}
	}
	e.polls++
	obs, a := c.ask(ctx, e.op.decodes, decision{action: e.action, timeout: e.timeout}, int(e.polls))
	if g.settle(ctx, e, obs, a) {
		g.observeEnd(e)
		if c.known().done {
			c.tellGroups()
		}
	}
}

// valuesOf is a context with the values of another.
type valuesOf struct {
	context.Context
	values context.Context
}

func (v valuesOf) Value(key any) any { return v.values.Value(key) }

// settle takes over what a call brought, and reports whether the entry has
// ended by it.
func (g *Group) settle(ctx context.Context, e *groupEntry, obs observation, a answer) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	defer signal(g.wake)
	g.calling--
	if e.over {
		return false
	}
	now := time.Since(g.base)
	if ctx.Err() != nil && !obs.done {
		// The iteration has ended, not the wait: the next iteration begins by
		// deciding anew.
		e.slot.release(e.op.untyped())
		e.decided, e.due = false, now
		g.due.push(e)
		return false
	}
	g.takeOver(e, &obs, a, now)
	return g.decide(e, obs, now) == forever
}

// takeOver keeps what an answer told. g.mu must be held.
func (g *Group) takeOver(e *groupEntry, obs *observation, a answer, now time.Duration) {
	c := e.op.untyped()
	if a.err != nil || e.rare != nil {
		e.more().last = a.err
	}
	if a.err != nil {
		return
	}
	if a.view.done {
		e.more().held = a.view
		return
	}
	c.mu.Lock()
	if c.learnLocked(a.view) && c.loop != nil {
		c.loop.noticeLocked()
	}
	c.mu.Unlock()
	if c.policy.Hint == nil {
		return
	}
	r := e.more()
	if r.hint == nil {
		r.hint = c.policy.newHint()
	}
	obs.aim = r.hint(Raw{c.name, a.view}, now-e.began)
}

// finish ends an entry whose operation somebody else has found done.
func (g *Group) finish(e *groupEntry) {
	g.mu.Lock()
	ended := !e.over
	if ended {
		g.due.remove(e)
		g.end(e, nil)
	}
	g.mu.Unlock()
	if ended {
		g.observeEnd(e)
	}
}

// end moves an entry to those that are to be yielded. g.mu must be held.
func (g *Group) end(e *groupEntry, err error) {
	c := e.op.untyped()
	e.over = true
	e.slot.release(c)
	if err != nil {
		e.more().final = err
	} else if e.rare != nil && e.rare.held.done {
		c.mu.Lock()
		if c.learnLocked(e.rare.held) && c.loop != nil {
			c.loop.noticeLocked()
		}
		c.mu.Unlock()
	}
	e.unlink()
	g.waiting--
	g.ended = append(g.ended, e)
	signal(g.news)
	signal(g.wake)
}

// waitError says why waiting for an entry ended without an outcome. g.mu must
// be held.
func (g *Group) waitError(e *groupEntry, err error) error {
	c := e.op.untyped()
	cs, ok := err.(causes)
	if !ok {
		cs = causes{err}
	}
	return &WaitError{
		Name: c.name, Last: Raw{c.name, c.known()}, PollErr: e.more().last, Polls: int(e.polls),
		Elapsed: time.Since(g.base) - e.began, cause: cs,
	}
}

// observeBegin tells the observer that waiting for an operation begins.
func (g *Group) observeBegin(ctx context.Context, e *groupEntry) {
	e.began = max(1, time.Since(g.base))
	c := e.op.untyped()
	if c.client.config.observer == nil {
		return
	}
	e.more().ctx = c.client.config.observer.waitStart(context.WithoutCancel(ctx), WaitStart{Operation: c.name, Method: c.method, Link: c.link})
}

// observeEnd tells it that waiting has ended.
func (g *Group) observeEnd(e *groupEntry) {
	c := e.op.untyped()
	obsv := c.client.config.observer
	if obsv == nil || obsv.WaitEnd == nil || e.began == 0 {
		return
	}
	obsv.WaitEnd(e.more().ctx, WaitEnd{
		Operation: c.name, Method: c.method, Snapshot: Raw{c.name, c.known()}, Err: e.more().final,
		Polls: int(e.polls), Elapsed: time.Since(g.base) - e.began,
	})
}
