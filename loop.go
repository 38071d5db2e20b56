package lro

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

// errNobodyWaits is the cause with which a loop is stopped when its last
// waiter has left.
var errNobodyWaits = errors.New("lro: nobody waits for the operation any more")

// core is the part of an [Operation] that does not depend on its types.
type core struct {
	client *Client
	policy *Policy
	method string // Method.Name
	name   string

	mu   sync.Mutex // never held across a call or a wait
	view view       // latest state
	poll pollState
	loop *loop // nil while nobody waits
}

// resultChecker tells whether a done answer holds the result that the
// operation's owner expects.
type resultChecker func(view) bool

// loop asks for the state of one operation for as long as somebody waits for
// it. One goroutine, which ends when the operation is done, a poll failed for
// good, or the last waiter has left.
type loop struct {
	op      *core
	decodes resultChecker
	began   time.Time
	stop    context.CancelCauseFunc
	ended   chan struct{} // closed at the end
	kick    chan struct{} // asks for a poll right now

	// Guarded by op.mu.
	waiters   int
	watchers  int // those of the waiters who iterate over progress
	polls     int
	pollErr   error              // of the last poll
	err       error              // what waiting ended with; nil when done
	changed   chan struct{}      // closed and replaced at every change
	interrupt context.CancelFunc // ends a WaitOperation under way; nil else

	slot bool // holds one of the client's long polls; the goroutine's own
}

// known returns the latest state.
func (c *core) known() view {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.view
}

// learn takes over a newer state and reports whether it differs. What is done
// stays as it is: an answer that was overtaken on its way changes nothing.
func (c *core) learn(v view) bool {
	if c.view.done || c.view.at > v.at {
		return false
	}
	if c.view.same(v) {
		c.view.at = v.at
		return false
	}
	c.view = v
	return true
}

// join counts the caller as a waiter, and starts a loop when it is the first.
// It returns nil when the operation is done. The loop's calls carry the values
// of the first waiter's ctx, but do not end with it.
func (c *core) join(ctx context.Context, decodes resultChecker, watch bool) *loop {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.view.done {
		return nil
	}
	l := c.loop
	fresh := l == nil
	if fresh {
		ctx, stop := context.WithCancelCause(context.WithoutCancel(ctx))
		l = &loop{
			op:      c,
			decodes: decodes,
			began:   time.Now(),
			stop:    stop,
			ended:   make(chan struct{}),
			kick:    make(chan struct{}, 1),
			changed: make(chan struct{}),
		}
		c.loop = l
		go l.run(ctx)
	}
	l.waiters++
	if watch {
		l.watchers++
		if l.watchers == 1 && !fresh {
			// A long poll meant for those who want the end only would keep
			// progress from the first who watches.
			l.pollNowLocked()
		}
	}
	return l
}

func (l *loop) leave(watch bool) {
	l.op.mu.Lock()
	defer l.op.mu.Unlock()
	l.waiters--
	if watch {
		l.watchers--
	}
	if l.waiters == 0 {
		l.detachLocked()
		l.stop(errNobodyWaits)
	}
}

// detachLocked makes the next waiter start a loop of its own.
func (l *loop) detachLocked() {
	if l.op.loop == l {
		l.op.loop = nil
	}
}

// pollNow makes the loop ask for the state at once: by ending a long poll or a
// pause, or right after a poll that is under way.
func (l *loop) pollNow() {
	l.op.mu.Lock()
	defer l.op.mu.Unlock()
	l.pollNowLocked()
}

func (l *loop) pollNowLocked() {
	select {
	case l.kick <- struct{}{}:
	default:
	}
	if l.interrupt != nil {
		l.interrupt()
	}
}

func (l *loop) run(ctx context.Context) {
	o := l.op
	ctx = o.client.config.observer.waitStart(ctx, WaitStart{Operation: o.name, Method: o.method})
	defer l.finish(ctx)
	o.mu.Lock()
	s, obs := o.poll, l.observeBegin()
	o.mu.Unlock()
	var held view // what WaitOperation said, to be confirmed
	for {
		l.prepare(&obs)
		if s.confirm && obs.call == calledGet && obs.done {
			o.client.longPollTrust.Store(true)
		}
		var d decision
		s, d = o.policy.next(s, obs)
		if d.noLongPoll > 0 {
			o.client.pauseLongPoll(d.noLongPoll)
		}
		switch d.action {
		case doFinish:
			l.end(s, held, nil)
			return
		case doFail:
			l.end(s, view{}, d.err)
			return
		}
		kicked, ok := l.pause(ctx, d.after)
		if !ok {
			l.end(s, view{}, context.Cause(ctx))
			return
		}
		if kicked {
			if o.known().done { // learnt by somebody else's Poll
				l.end(s, view{}, nil)
				return
			}
			d.action = doGet
		}
		var a answer
		obs, a = l.call(ctx, s, d)
		switch {
		case a.err == nil && obs.done:
			held = a.view
		case a.err == nil:
			l.publish(s, a.view)
		}
	}
}

// observeBegin says what is known when waiting begins.
func (l *loop) observeBegin() observation {
	age := time.Duration(-1)
	if at := l.op.view.at; at != 0 {
		age = max(0, time.Duration(time.Now().UnixNano()-at))
	}
	return observation{call: beginOfWait, age: age}
}

// prepare adds to an observation what the loop and its client know.
func (l *loop) prepare(o *observation) {
	c := l.op.client
	if l.op.policy.LongPoll > 0 {
		if l.slot && !c.longPollUsable() {
			c.releaseLongPoll()
			l.slot = false
		}
		if !l.slot {
			l.slot = c.acquireLongPoll()
		}
	}
	o.longPoll = l.slot
	o.trusted = c.longPollTrust.Load()
	o.jitter = 2*rand.Float64() - 1
	l.op.mu.Lock()
	o.watched = l.watchers > 0
	l.op.mu.Unlock()
}

// pause waits until the next poll is due or asked for. It reports whether it
// was asked for, and false when nobody waits any more.
func (l *loop) pause(ctx context.Context, d time.Duration) (kicked, ok bool) {
	if d <= 0 {
		select {
		case <-ctx.Done():
			return false, false
		case <-l.kick:
			return true, true
		default:
			return false, true
		}
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false, false
	case <-l.kick:
		return true, true
	case <-t.C:
		return false, true
	}
}

// call asks once, as decided.
func (l *loop) call(ctx context.Context, s pollState, d decision) (observation, answer) {
	o := l.op
	o.mu.Lock()
	l.polls++
	start := PollStart{Operation: o.name, Method: o.method, Number: l.polls, LongPoll: d.action == doWait}
	callCtx := ctx
	if start.LongPoll {
		callCtx, l.interrupt = context.WithCancel(ctx)
	}
	o.mu.Unlock()

	obsv := o.client.config.observer
	callCtx = obsv.pollStart(callCtx, start)
	obs := observation{call: calledGet}
	var a answer
	if start.LongPoll {
		obs = observation{call: calledWait, asked: d.timeout}
		a = o.client.wait(callCtx, o.name, d.timeout, o.policy.AttemptTimeout)
	} else {
		a = o.client.get(callCtx, o.name, o.policy.AttemptTimeout)
		if a.err == nil {
			o.client.learnRTT(a.took)
		}
	}
	obs.err, obs.took, obs.hint = a.err, a.took, a.hint
	if a.err == nil && a.view.done {
		obs.done, obs.decodes = true, l.decodes(a.view)
	}

	o.mu.Lock()
	if start.LongPoll {
		if a.err != nil && callCtx.Err() != nil && ctx.Err() == nil {
			obs = observation{call: interrupted}
		}
		l.interrupt()
		l.interrupt = nil
	}
	if obs.call != interrupted {
		l.pollErr = a.err
	}
	o.mu.Unlock()
	if obsv != nil && obsv.PollEnd != nil {
		obsv.PollEnd(callCtx, PollEnd{PollStart: start, Snapshot: Raw{o.name, a.view}, Err: a.err, Elapsed: a.took})
	}
	return obs, a
}

// publish shows a state that is not the last.
func (l *loop) publish(s pollState, v view) {
	l.op.mu.Lock()
	defer l.op.mu.Unlock()
	l.op.poll = s
	if l.op.learn(v) {
		close(l.changed)
		l.changed = make(chan struct{})
	}
}

// end records how waiting ended: with a done state, or with an error.
func (l *loop) end(s pollState, done view, err error) {
	l.op.mu.Lock()
	defer l.op.mu.Unlock()
	l.op.poll = s
	if done.done {
		l.op.learn(done)
	}
	l.err = err
	l.detachLocked()
}

// finish releases what the loop holds and wakes its waiters.
func (l *loop) finish(ctx context.Context) {
	if l.slot {
		l.op.client.releaseLongPoll()
	}
	l.stop(nil)
	if obsv := l.op.client.config.observer; obsv != nil && obsv.WaitEnd != nil {
		l.op.mu.Lock()
		e := WaitEnd{
			Operation: l.op.name,
			Method:    l.op.method,
			Snapshot:  Raw{l.op.name, l.op.view},
			Err:       l.err,
			Polls:     l.polls,
			Elapsed:   time.Since(l.began),
		}
		l.op.mu.Unlock()
		if errors.Is(e.Err, errNobodyWaits) {
			e.Err = nil
		}
		obsv.WaitEnd(ctx, e)
	}
	close(l.ended)
}
