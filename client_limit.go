package lro

import (
	"context"
	"sync"
	"time"
)

// limited is the context of one poll: it has the values of a caller's context and
// ends by itself. It does what [context.WithTimeout] does in the allocation of the
// call, with a timer that calls share; see [limits].
//
// The time limit is not its deadline: gRPC sends a deadline, and the service would
// need a timer for each poll. The service learns of the end of the call instead.
type limited struct {
	values   context.Context
	deadline time.Time     // sent to the service; the zero Time for none
	at       time.Duration // in the agenda of limits, as index is; guarded by limits.mu
	index    int32

	mu      sync.Mutex
	done    chan struct{} // nil until Done is called
	err     error         // nil until the end
	first   func()        // called at the end
	rest    context.Context
	endRest context.CancelFunc // nil until AfterFunc is called twice
}

func (l *limited) place() (*time.Duration, *int32) { return &l.at, &l.index }

func (l *limited) Deadline() (time.Time, bool) { return l.deadline, !l.deadline.IsZero() }
func (l *limited) Value(key any) any           { return l.values.Value(key) }

func (l *limited) Done() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done == nil {
		l.done = make(chan struct{})
		if l.err != nil {
			close(l.done)
		}
	}
	return l.done
}

func (l *limited) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// AfterFunc calls f when the context ends. Package context looks for this method
// in contexts of other types, and needs a goroutine for each context derived from
// one without it.
//
// The first f, usually that of gRPC's context, cannot be stopped, which saves an
// allocation. It is called when the call has returned, and then does nothing.
func (l *limited) AfterFunc(f func()) (stop func() bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil && l.first == nil {
		l.first = f
		return func() bool { return false }
	}
	if l.rest == nil {
		l.rest, l.endRest = context.WithCancel(context.Background())
		if l.err != nil {
			l.endRest()
		}
	}
	return context.AfterFunc(l.rest, f)
}

// end ends the context with err, unless it has ended before.
func (l *limited) end(err error) {
	l.mu.Lock()
	if l.err != nil {
		l.mu.Unlock()
		return
	}
	l.err = err
	if l.done != nil {
		close(l.done)
	}
	first, endRest := l.first, l.endRest
	l.first = nil
	l.mu.Unlock()
	if first != nil {
		first()
	}
	if endRest != nil {
		endRest()
	}
}

// limits ends a client's calls that exceed their time limits. They share a timer,
// because setting and stopping one for each call costs more than the rest of a
// poll: it wakes a thread. The timer is set for the earliest limit and is not
// stopped when that call returns, so most calls need not set it.
type limits struct {
	mu    sync.Mutex
	calls agenda[*limited]
	timer *time.Timer
	fires time.Duration // by clock; 0 while the timer is not set
}

// limitsHere returns the limits for calls of this goroutine. Each bubble of
// testing/synctest has its own, because timers cannot be used in two.
func (c *Client) limitsHere() *limits {
	b := bubble()
	if b == "" {
		return &c.limits
	}
	l, _ := c.bubbleLimits.LoadOrStore(b, &limits{})
	return l.(*limits)
}

// add ends the call with [context.DeadlineExceeded] after limit, unless drop is
// called before.
func (l *limits) add(call *limited, limit time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := clock() + limit
	l.calls.put(call, at)
	if l.fires == 0 || at < l.fires {
		l.setLocked(at, limit)
	}
}

func (l *limits) drop(call *limited) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls.drop(call)
}

func (l *limits) setLocked(at, after time.Duration) {
	l.fires = at
	if l.timer == nil {
		l.timer = time.AfterFunc(after, l.expire)
		return
	}
	l.timer.Reset(after)
}

// expire ends the calls that are late and sets the timer for the next.
func (l *limits) expire() {
	for call := l.late(); call != nil; call = l.late() {
		call.end(context.DeadlineExceeded)
	}
}

// late removes and returns a call that is late. When there is none, it sets the
// timer for the next call and returns nil.
func (l *limits) late() *limited {
	l.mu.Lock()
	defer l.mu.Unlock()
	call, at := l.calls.first()
	switch now := clock(); {
	case call == nil:
		l.fires = 0
		return nil
	case at > now:
		l.setLocked(at, at-now)
		return nil
	}
	l.calls.drop(call)
	return call
}
