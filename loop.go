package lro

import (
	"context"
	"errors"
	"time"
)

// errNobodyWaits is the cause with which a loop is stopped when its last
// waiter has left.
var errNobodyWaits = errors.New("lro: nobody waits for the operation any more")

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

	slot longPollSlot // the goroutine's own
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
	ctx = o.client.config.observer.waitStart(ctx, WaitStart{Operation: o.name, Method: o.method, Link: o.link})
	defer l.finish(ctx)
	o.mu.Lock()
	s, obs := o.poll, o.observeBegin()
	o.mu.Unlock()
	s.confirm, s.suspect = false, false
	hint := o.policy.newHint()
	var held view // what WaitOperation said, to be confirmed
	for {
		l.prepare(&obs)
		var d decision
		s, d = o.decide(s, obs)
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
		obs, a = l.call(ctx, d)
		if a.err != nil && ctx.Err() != nil {
			// That the call was given up says nothing about the service.
			l.end(s, view{}, context.Cause(ctx))
			return
		}
		switch {
		case a.err == nil && obs.done:
			held = a.view
		case a.err == nil:
			l.publish(s, a.view)
			obs.aim = hint(Raw{o.name, a.view}, time.Since(l.began))
		}
	}
}

// prepare adds to an observation what the loop and its client know.
func (l *loop) prepare(o *observation) {
	l.slot.update(l.op, true)
	o.longPoll = l.slot.held
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
func (l *loop) call(ctx context.Context, d decision) (observation, answer) {
	o := l.op
	o.mu.Lock()
	l.polls++
	number := l.polls
	callCtx := ctx
	if d.action == doWait {
		callCtx, l.interrupt = context.WithCancel(ctx)
	}
	o.mu.Unlock()

	obs, a := o.ask(callCtx, l.decodes, d, number)

	o.mu.Lock()
	defer o.mu.Unlock()
	if d.action == doWait {
		if a.err != nil && callCtx.Err() != nil && ctx.Err() == nil {
			obs = observation{call: interrupted}
		}
		l.interrupt()
		l.interrupt = nil
	}
	if obs.call != interrupted {
		l.pollErr = a.err
	}
	return obs, a
}

// publish shows a state that is not the last.
func (l *loop) publish(s pollState, v view) {
	l.op.mu.Lock()
	defer l.op.mu.Unlock()
	l.op.poll = s
	if l.op.learnLocked(v) {
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
		l.op.learnLocked(done)
	}
	l.err = err
	l.detachLocked()
}

// finish releases what the loop holds and wakes its waiters.
func (l *loop) finish(ctx context.Context) {
	l.slot.release(l.op)
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
	if l.op.known().done {
		l.op.tellGroups()
	}
}
