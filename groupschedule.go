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
	for len(g.due) > 0 && len(g.called) < g.inFlight() {
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
		g.called[e] = struct{}{}
		e.calling = true
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
		g.learnHeld(e)
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
	g.observeBegin(ctx, e)
	ctx, d, number := g.callOf(ctx, e)
	obs, a := c.ask(ctx, e.op.decodes, d, number)
	if g.settle(ctx, e, obs, a) && c.known().done {
		c.tellGroups()
	}
}

// callOf counts a call and returns what it needs.
func (g *Group) callOf(ctx context.Context, e *groupEntry) (_ context.Context, d decision, number int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if e.began == 0 {
		e.began = max(1, time.Since(g.base))
	}
	e.polls++
	number = int(e.polls)
	if e.rare != nil && e.rare.seen.ctx != nil {
		ctx = valuesOf{ctx, e.rare.seen.ctx}
		number -= int(e.rare.seen.polls)
	}
	return ctx, decision{action: e.action, timeout: e.timeout}, number
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
	delete(g.called, e)
	e.calling = false
	now := time.Since(g.base)
	paused := ctx.Err() != nil && !obs.done // the iteration has ended, not the wait
	if paused || e.over {
		g.observeEnd(e)
	}
	switch {
	case e.over:
		return false
	case paused:
		// The next iteration begins by deciding anew.
		e.slot.release(e.op.untyped())
		e.decided, e.due = false, now
		g.due.push(e)
		return false
	}
	g.takeOver(e, &obs, a, now)
	if g.decide(e, obs, now) != forever {
		return false
	}
	g.observeEnd(e)
	g.hand(e)
	return true
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
	c.tell(a.view)
	if c.policy.Hint == nil {
		return
	}
	r := e.more()
	if r.hint == nil {
		r.hint = c.policy.newHint()
	}
	obs.aim = r.hint(Raw{c.name, a.view}, now-e.began)
}

// learnHeld makes the answer with which e ends known. g.mu must be held.
func (g *Group) learnHeld(e *groupEntry) {
	if e.rare == nil || !e.rare.held.done {
		return
	}
	e.op.untyped().tell(e.rare.held)
}

// finish ends an entry whose operation somebody else has found done.
func (g *Group) finish(e *groupEntry) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if e.over {
		return
	}
	g.due.remove(e)
	g.end(e, nil)
	if !e.calling { // else settle does
		g.observeEnd(e)
	}
	g.hand(e)
}

// end takes an entry out of the scheduler. g.mu must be held.
func (g *Group) end(e *groupEntry, err error) {
	e.over = true
	e.slot.release(e.op.untyped())
	if err != nil {
		e.more().final = err
	}
	e.unlink()
}

// hand moves an entry that has ended to those that are to be yielded. g.mu must
// be held.
func (g *Group) hand(e *groupEntry) {
	g.waiting--
	g.ended = append(g.ended, e)
	signal(g.news)
	signal(g.wake)
}

// waitError says why waiting for an entry ended without an outcome. g.mu must
// be held.
func (g *Group) waitError(e *groupEntry, err error) *WaitError {
	c := e.op.untyped()
	cs, ok := err.(causes)
	if !ok {
		cs = causes{err}
	}
	w := &WaitError{
		Name: c.name, Last: Raw{c.name, c.known()}, Polls: int(e.polls), Elapsed: time.Since(g.base) - e.began, cause: cs,
	}
	if e.rare != nil {
		w.PollErr = e.rare.last
	}
	return w
}

// stopped says that ctx ended before an entry did, in an iteration since begin.
func (g *Group) stopped(ctx context.Context, e *groupEntry, begin time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	w := g.waitError(e, contextCauses(ctx))
	w.Elapsed = time.Since(begin)
	return w
}
