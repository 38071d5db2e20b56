package lro

import (
	"context"
	"math/rand/v2"
	"time"
)

// wait is the state of waiting for one operation, which all its callers share.
// It is moved by the scheduler of one lane: of its client, or of a group while
// only groups wait. It is kept small, since a group may hold a million; fields
// that few need are in extra. All is guarded by core.mu but the last three
// fields, which the scheduler's mu guards.
type wait struct {
	begun   time.Duration // when the schedule of polls began, by clock; 0 before
	older   time.Duration // age of the operation when it began
	due     time.Duration // when the next call is made, by clock
	lane    *lane         // nil while no caller waits
	callers *caller       // first of those that wait for this operation alone
	members *member       // first of those of groups that are iterated
	extra   *waitExtra
	poll    pollState
	polls   int32 // calls made by this wait
	calls   int32 // calls made for the operation since begun
	phase   phase
	slot    longPollSlot
	again   bool // poll again when the call under way has ended

	long  bool // the next call is a WaitOperation
	index int32
	key   time.Duration // when the scheduler is to look at it
}

// phase is what a wait is doing.
type phase uint8

const (
	idle    phase = iota // no caller waits
	fresh                // the scheduler has not decided about it yet
	pausing              // until due
	calling
)

// waitExtra is what a wait has only when something special is set or happens.
type waitExtra struct {
	link      any           // what Observer.Started returned
	notBefore time.Duration // when the service asked to be called again, by clock
	held      view          // a done answer of WaitOperation, to be confirmed
	pollErr   error         // of the last poll
	hint      func(Raw, time.Duration) time.Duration
	began     time.Duration // of this wait, by clock; set with hint
	timeout   time.Duration // of the next call if that is a WaitOperation, else 0
	span      *span
	call      *call     // under way
	forecast  *forecast // by the progress of the operation; nil for none
}

func (w *wait) more() *waitExtra {
	if w.extra == nil {
		w.extra = &waitExtra{}
	}
	return w.extra
}

// plan sets the next call, as soon as the service allows it after due: a
// WaitOperation with this timeout, or a GetOperation when that is 0.
func (w *wait) plan(due, timeout time.Duration) {
	w.due = due
	if timeout > 0 || w.extra != nil {
		x := w.more()
		x.timeout = timeout
		w.due = max(due, x.notBefore)
	}
}

// timeout is that of the next call; 0 for a GetOperation.
func (w *wait) timeout() time.Duration {
	if w.extra == nil {
		return 0
	}
	return w.extra.timeout
}

// trim lets go of what is not used any more.
func (w *wait) trim(now time.Duration) {
	x := w.extra
	if x == nil {
		return
	}
	if x.notBefore <= now {
		x.notBefore = 0
	}
	if x.link == nil && x.notBefore == 0 && !x.held.done && x.pollErr == nil && x.hint == nil && x.forecast == nil && x.timeout == 0 && x.span == nil && x.call == nil {
		w.extra = nil
	}
}

// watched reports whether a caller iterates over progress.
func (w *wait) watched() bool {
	for k := w.callers; k != nil; k = k.next {
		if k.watch {
			return true
		}
	}
	return false
}

// homeLocked puts the wait where its callers want it: with its client, or with a
// group while only groups wait. It returns the end of the wait when no caller is
// left.
func (c *core) homeLocked() *ending {
	w := &c.wait
	old := w.lane
	switch {
	case w.callers != nil:
		if old == nil || old.scheduler.client == nil {
			w.lane = c.client.enlist()
		}
	case w.members != nil:
		if s := &w.members.group.scheduler; old == nil || old.scheduler != s {
			w.lane = s.enlist(c.client)
		}
	default:
		return c.endLocked(nil)
	}
	if old != nil && old != w.lane {
		old.remove(c)
	}
	switch w.phase {
	case idle:
		w.phase, w.index = fresh, -1
		w.lane.scheduler.begin(c)
	case fresh:
		if old != w.lane {
			w.lane.scheduler.begin(c)
		}
	default:
		w.lane.put(c, c.keyLocked(clock()))
	}
	return nil
}

// begin begins a wait, if it is still s that is to.
func (c *core) begin(s *scheduler) {
	c.mu.Lock()
	w := &c.wait
	mine := func() bool { return w.phase == fresh && w.lane.scheduler == s }
	if mine() && w.callers != nil {
		if sp := c.newSpanLocked(w.callers.ctx); sp != nil {
			link := w.extra.link
			c.mu.Unlock()
			sp.begin(c, link)
			c.mu.Lock()
		}
	}
	var e *ending
	if mine() {
		e = c.beginLocked()
	}
	c.mu.Unlock()
	e.tell()
}

// values returns the context of a caller that waits: the one whose values,
// such as credentials, the next call carries.
func (w *wait) values() context.Context {
	for k := w.callers; k != nil; k = k.next {
		if k.ctx.Err() == nil {
			return k.ctx
		}
	}
	if w.callers != nil {
		return w.callers.ctx
	}
	return w.members.group.scheduler.ctx
}

// beginLocked decides what a new wait does first.
func (c *core) beginLocked() *ending {
	w := &c.wait
	now := clock()
	if w.begun == 0 {
		w.begun = now
	}
	if c.policy.NextPoll != nil {
		w.more().hint, w.more().began = c.policy.newHint(), now
	}
	age := time.Duration(-1)
	if at := c.view.at; at != 0 {
		age = max(0, time.Duration(time.Now().UnixNano()-at))
	}
	return c.decideLocked(observation{call: beginOfWait, age: age}, answer{}, nil, now)
}

// tookLocked takes over what a call brought, made with the credentials of from;
// nil for one that the wait did not make.
func (c *core) tookLocked(obs observation, a answer, from context.Context) *ending {
	w := &c.wait
	now := clock()
	switch {
	case obs.call == interrupted:
	case a.err != nil:
		w.more().pollErr = a.err
	case w.extra != nil:
		w.extra.pollErr = nil
	}
	if a.hint > 0 {
		w.more().notBefore = now + a.hint
	}
	return c.decideLocked(obs, a, from, now)
}

// decideLocked takes what was observed through the policy and does what that
// decides: it ends the wait, which is returned, or sets the next call.
func (c *core) decideLocked(obs observation, a answer, from context.Context, now time.Duration) *ending {
	w := &c.wait
	if w.lane != nil {
		w.slot.update(c, w.lane.scheduler.longPolls())
	}
	if w.poll.check == confirm && obs.call == calledGet && obs.done {
		c.client.longPollTrust.Store(true)
	}
	obs.longPoll, obs.watched = w.slot.held, w.watched()
	obs.trusted = c.client.longPollTrust.Load()
	obs.elapsed = elapsedSince(w.begun, now)
	obs.polls = int(w.calls)
	obs.jitter = 2*rand.Float64() - 1
	obs.learned = c.learnedLocked(obs, a, now)
	s, d := c.policy.next(w.poll, obs)
	w.poll = s
	if obs.call == calledWait && obs.err == nil {
		c.client.longPollDoubts.Store(0)
	}
	if d.doubt && c.client.longPollDoubts.Add(1) >= longPollDoubts {
		d.noLongPoll = longPollPause
		c.client.longPollDoubts.Store(0)
	}
	if d.noLongPoll > 0 {
		c.client.pauseLongPoll(d.noLongPoll)
	}
	switch {
	case d.action == doFinish:
		v := a.view
		if !v.done {
			v = w.extra.held
		}
		c.learnLocked(v)
		return c.endLocked(nil)
	case d.action == doFail && from != nil && refusal(d.err) && !w.only(from):
		return c.refuseLocked(from, d.err, now)
	case d.action == doFail:
		return c.endLocked(d.err)
	case obs.done:
		w.more().held = a.view
	case a.err == nil && obs.call != beginOfWait && obs.call != interrupted:
		c.learnLocked(a.view)
	}
	if w.phase == idle || w.phase == calling || w.phase == fresh && obs.call != beginOfWait {
		return nil // an answer from elsewhere
	}
	if w.again {
		w.again, d = false, decision{action: doGet}
	}
	w.phase = pausing
	w.plan(now+d.after, d.timeout)
	w.trim(now)
	w.lane.put(c, c.keyLocked(now))
	return nil
}

// pollSoonLocked makes the wait poll as soon as the service allows it.
func (c *core) pollSoonLocked() {
	w := &c.wait
	if w.lane == nil || w.lane.scheduler.bubble != bubble() {
		return
	}
	if w.phase != pausing {
		w.again = true
		c.cutLocked()
		return
	}
	w.plan(clock(), 0)
	w.lane.put(c, c.keyLocked(clock()))
}

// giveWay keeps the streams of the connection free for a request to cancel the
// operation: its own WaitOperation gives way at once, and all that the client's
// callers wait by do where the request is not answered soon. The returned
// function ends that.
func (c *core) giveWay() (end func()) {
	c.mu.Lock()
	if l := c.wait.lane; l != nil && l.scheduler.bubble == bubble() {
		c.cutLocked()
	}
	c.mu.Unlock()
	const soon = time.Second
	later := time.AfterFunc(soon, c.client.giveWay)
	return func() { later.Stop() }
}

// cutLocked gives up a WaitOperation under way, for a GetOperation.
func (c *core) cutLocked() {
	if x := c.wait.extra; x != nil && x.call != nil && x.call.long {
		x.call.cut.Store(true)
		x.call.cancel()
	}
}
