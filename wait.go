package lro

import (
	"context"
	"math/rand/v2"
	"reflect"
	"time"
)

// wait is the state of waiting for one operation, which all its callers share.
// The scheduler of its lane moves it: that of its client, or that of a group
// while only groups wait. It is idle without a lane. Otherwise it is new, or its
// next call is planned, or a call is under way.
//
// It is kept small, since a group may hold a million; fields that few need are in
// extra. core.mu guards all of it, and the scheduler's mu guards at and index too.
type wait struct {
	begun    time.Duration // when the operation was started, or first waited for, by clock; 0 before
	startAge time.Duration // age of the operation when it began
	lane     *lane         // nil while no caller waits
	members  *member       // of the callers that wait; groups come last
	extra    *waitExtra
	poll     pollState
	at       time.Duration // when the scheduler visits it, by clock: for the next call, if none is under way
	index    int32         // in the agenda of the lane, plus 1
	polls    int32         // calls made by this wait
	calls    int32         // calls made for the operation since begun
	slot     longPollSlot
	again    bool // poll again when the call under way has ended
	last     bool // the next call is one before a deadline
}

// Times of waits that are visited before those whose next call is due.
const (
	dueNew      time.Duration = iota // nothing has been decided about it yet
	dueLastPoll                      // a poll before a deadline
)

// waitExtra is what a wait has only when something special is set or happens.
type waitExtra struct {
	link      any           // what Observer.Started returned
	notBefore time.Duration // when the service asked to be called again, by clock
	held      view          // a done answer of WaitOperation, to be confirmed
	pollErr   error         // of the last poll
	nextPoll  func(Raw) time.Duration
	timeout   time.Duration // of the next call if that is a WaitOperation, else 0
	span      *span
	call      *call     // under way
	forecast  *forecast // by the progress of the operation; nil for none
}

func (w *wait) ensureExtra() *waitExtra {
	if w.extra == nil {
		w.extra = &waitExtra{}
	}
	return w.extra
}

// trim drops what is not used any more.
func (w *wait) trim() {
	x := w.extra
	if x == nil {
		return
	}
	if x.notBefore <= clock() {
		x.notBefore = 0
	}
	if reflect.ValueOf(x).Elem().IsZero() {
		w.extra = nil
	}
}

// call returns the call under way, nil for none.
func (w *wait) call() *call {
	if w.extra == nil {
		return nil
	}
	return w.extra.call
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

// callerContext returns the context of a caller that waits: the one whose values,
// such as credentials, the next call carries.
func (w *wait) callerContext() context.Context {
	for m := w.members; m != nil; m = m.next {
		if m.by.ctx.Err() == nil {
			return m.by.ctx
		}
	}
	return w.members.by.ctx
}

// reachable reports whether there is a wait whose goroutines may be woken from
// here: they are not in another bubble of testing/synctest.
func (w *wait) reachable() bool { return w.lane != nil && w.lane.scheduler.bubble == bubble() }

// assignLocked hands the wait to the scheduler that its callers want: that of its
// client, or that of a group while only groups wait. If the operation is done or no
// caller is left, it ends the wait and returns its end.
func (c *core) assignLocked() *ending {
	w := &c.wait
	if w.members == nil || c.view.done {
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
	w.lane.put(c, w.at)
	return nil
}

// beginLocked decides what a new wait does first.
func (c *core) beginLocked() *ending {
	w, now := &c.wait, clock()
	if c.policy.NextPoll != nil {
		w.ensureExtra().nextPoll = c.policy.nextPoll(now)
	}
	age := time.Duration(-1)
	if at := c.view.at; at != 0 {
		age = max(0, time.Duration(time.Now().UnixNano()-at))
	}
	return c.decideLocked(observation{call: beginOfWait, age: age}, answer{}, nil)
}

// decideLocked applies the policy to what was observed and does what it decides: it
// ends the wait and returns its end, or plans the next call. a is the answer of the
// call that was observed, and from the context of the caller for which it was made;
// nil for a call that the wait did not make.
func (c *core) decideLocked(obs observation, a answer, from context.Context) *ending {
	w, now := &c.wait, clock()
	if a.err != nil || w.extra != nil {
		w.ensureExtra().pollErr = a.err
	}
	if a.hint > 0 {
		w.ensureExtra().notBefore = now + a.hint
	}
	if w.lane != nil {
		w.slot.update(c, w.lane.scheduler.longPolls())
	}
	obs.longPoll, obs.watched = w.slot.held, w.watched()
	obs.trusted = c.client.longPollTrust.Load()
	obs.elapsed = elapsedSince(w.begun, now)
	obs.polls = int(w.calls)
	obs.jitter = 2*rand.Float64() - 1
	obs.learned = c.learnedLocked(obs, a, now)
	s, d := c.policy.next(w.poll, obs)
	w.poll = s
	c.client.learnLongPoll(s, obs, d)
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
		w.ensureExtra().held = a.view
	case a.view.at != 0:
		c.learnLocked(a.view)
	}
	if w.lane == nil || w.call() != nil || w.at == dueNew && obs.call != beginOfWait {
		return nil // the wait did not make the call
	}
	if w.again {
		w.again, d = false, decision{action: doGet}
	}
	c.planLocked(now+d.after, d.timeout)
	return nil
}

// planLocked plans the next call: a WaitOperation with this timeout, or a
// GetOperation if timeout is 0. It is made at due, or later if the service asked
// for a pause.
func (c *core) planLocked(due, timeout time.Duration) {
	w := &c.wait
	if timeout > 0 || w.extra != nil {
		x := w.ensureExtra()
		x.timeout = timeout
		due = max(due, x.notBefore)
	}
	if w.last && due <= clock() {
		due = dueLastPoll
	}
	w.trim()
	w.lane.put(c, due)
}

// pollSoonLocked makes the wait poll as soon as the service allows it, after the
// call under way if there is one.
func (c *core) pollSoonLocked() {
	w := &c.wait
	switch {
	case !w.reachable():
	case w.at != dueNew && w.call() == nil:
		c.planLocked(clock(), 0)
	default:
		w.again = true
		c.cutLocked()
	}
}

// lastPoll polls shortly before the deadline of a caller. One poll serves all
// callers whose deadlines are near: none is made if the state is younger than the
// margin, a poll is under way, or the service asked for a pause.
func (c *core) lastPoll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := &c.wait
	young := c.view.at != 0 && time.Duration(time.Now().UnixNano()-c.view.at) < c.client.lastPollMargin()
	early := w.extra != nil && w.extra.notBefore > clock()
	if k := w.call(); young || early || !w.reachable() || k != nil && k.timeout == 0 {
		return
	}
	w.last = true
	c.pollSoonLocked()
}

// giveWay keeps the streams of the connection free for a request to cancel the
// operation: the operation's own WaitOperation is given up at once, and all of the
// client's if the request is not answered soon. The returned function must be called
// when it was answered.
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

// cutLocked gives up a WaitOperation that is under way, to poll instead.
func (c *core) cutLocked() {
	if k := c.wait.call(); k != nil && k.timeout > 0 {
		k.giveUp()
	}
}
