package lro

import (
	"context"
	"math/rand/v2"
	"reflect"
	"time"
)

// wait is the state of waiting for one operation, which all its callers share.
// The scheduler of its lane moves it: that of its client, or that of a group
// while only groups wait. It is kept small, since a group may hold a million;
// fields that few need are in extra. All is guarded by core.mu, the entry also by
// the scheduler's mu.
type wait struct {
	begun   time.Duration // when the schedule of polls began, by clock; 0 before
	older   time.Duration // age of the operation when it began
	due     time.Duration // when the next call is made, by clock
	lane    *lane         // nil while no caller waits
	members *member       // of the callers that wait; groups come last
	extra   *waitExtra
	poll    pollState
	entry         // in the agenda of the lane
	polls   int32 // calls made by this wait
	calls   int32 // calls made for the operation since begun
	phase   phase
	slot    longPollSlot
	again   bool // poll again when the call under way has ended
	last    bool // the next call is one before a deadline
}

// phase is what a wait is doing.
type phase uint8

const (
	idle    phase = iota // no caller waits
	fresh                // the scheduler has not decided about it yet
	pausing              // until due
	calling
)

// Keys of waits that go before those whose next call is due.
const (
	freshKey    time.Duration = iota // no call: the scheduler is to decide about it
	lastPollKey                      // a poll before a deadline
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

// trim lets go of what is not used any more.
func (w *wait) trim(now time.Duration) {
	x := w.extra
	if x == nil {
		return
	}
	if x.notBefore <= now {
		x.notBefore = 0
	}
	if reflect.ValueOf(x).Elem().IsZero() {
		w.extra = nil
	}
}

// watched reports whether a caller iterates over progress.
func (w *wait) watched() bool {
	for m := w.members; m != nil; m = m.next {
		if m.by.watch {
			return true
		}
	}
	return false
}

// values returns the context of a caller that waits: the one whose values,
// such as credentials, the next call carries.
func (w *wait) values() context.Context {
	for m := w.members; m != nil; m = m.next {
		if m.by.ctx.Err() == nil {
			return m.by.ctx
		}
	}
	return w.members.by.ctx
}

// putLocked has the scheduler look at the wait when its next call is due, or, if
// that call is a WaitOperation which should show progress, when it has taken too
// long: a service that ignores the timeout must not keep progress from those who
// watch.
func (c *core) putLocked() {
	w, key := &c.wait, forever
	switch {
	case w.phase == fresh:
		key = freshKey
	case w.phase == pausing && w.last && w.due <= clock():
		key = lastPollKey
	case w.phase == pausing:
		key = w.due
	case w.extra.call.long && w.watched():
		k := w.extra.call
		key = k.begun + k.timeout + c.client.lastPollMargin()
	}
	w.lane.put(c, key)
}

// homeLocked puts the wait where its callers want it: with its client, or with a
// group while only groups wait. It returns the end of the wait when no caller is
// left.
func (c *core) homeLocked() *ending {
	w := &c.wait
	if w.members == nil {
		return c.endLocked(nil, nil)
	}
	old, group := w.lane, w.members.by.scheduler
	switch {
	case old != nil && (old.scheduler == group || group == nil && old.scheduler.client != nil):
		return nil
	case group != nil:
		w.lane = group.enlist(c.client)
	default:
		w.lane = c.client.enlist()
	}
	if old != nil {
		old.remove(c)
	}
	if w.phase == idle {
		w.phase = fresh
	}
	c.putLocked()
	return nil
}

// beginLocked decides what a new wait does first.
func (c *core) beginLocked() *ending {
	w, now := &c.wait, clock()
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
		return c.endLocked(nil, nil)
	case d.action == doFail && refusal(d.err):
		return c.endLocked(d.err, from)
	case d.action == doFail:
		return c.endLocked(d.err, nil)
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
	c.putLocked()
	return nil
}

// pollSoonLocked makes the wait poll as soon as the service allows it; after the
// call under way, if there is one.
func (c *core) pollSoonLocked() {
	w := &c.wait
	switch {
	case !w.reachable():
	case w.phase == pausing:
		w.plan(clock(), 0)
		c.putLocked()
	default:
		w.again = true
		c.cutLocked()
	}
}

// lastPoll polls shortly before the deadline of a caller. One poll serves all
// callers whose time has come: none is made where the state is younger than the
// margin, a poll is under way, or the service wants no call.
func (c *core) lastPoll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := &c.wait
	young := c.view.at != 0 && time.Duration(time.Now().UnixNano()-c.view.at) < c.client.lastPollMargin()
	early := w.extra != nil && w.extra.notBefore > clock()
	if young || early || !w.reachable() || w.phase == calling && !w.extra.call.long {
		return
	}
	w.last = true
	c.pollSoonLocked()
}

// reachable reports whether there is a wait whose goroutines may be woken from
// here: they are not in another bubble of testing/synctest.
func (w *wait) reachable() bool { return w.lane != nil && w.lane.scheduler.bubble == bubble() }

// giveWay keeps the streams of the connection free for a request to cancel the
// operation: its own WaitOperation gives way at once, and all that the client's
// callers wait by do where the request is not answered soon. The returned
// function ends that.
func (c *core) giveWay() (end func()) {
	c.mu.Lock()
	if c.wait.reachable() {
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
		x.call.giveUp()
	}
}
