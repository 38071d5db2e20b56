package lro

import (
	"math"
	"slices"
	"sync"
	"time"
)

// acquireLongPoll reserves one of the WaitOperation calls that may be open at
// once. It fails when there is none, or the service is known not to offer the
// method.
func (c *Client) acquireLongPoll() bool {
	if !c.longPollUsable() {
		return false
	}
	if c.longPolls.Add(1) > int64(c.config.longPolls) {
		c.longPolls.Add(-1)
		return false
	}
	return true
}

func (c *Client) releaseLongPoll() { c.longPolls.Add(-1) }

func (c *Client) longPollUsable() bool {
	if c.waiter == nil || c.config.longPolls <= 0 {
		return false
	}
	resume := c.longPollResume.Load()
	return resume == 0 || resume != math.MaxInt64 && time.Now().UnixNano() >= resume
}

// pauseLongPoll keeps WaitOperation from being used for d, or for good,
// which no later pause shortens.
func (c *Client) pauseLongPoll(d time.Duration) {
	if d == forever {
		c.longPollResume.Store(math.MaxInt64)
		return
	}
	for {
		old := c.longPollResume.Load()
		if old == math.MaxInt64 || c.longPollResume.CompareAndSwap(old, time.Now().Add(d).UnixNano()) {
			return
		}
	}
}

// learnLongPoll takes in what a call, and what was decided after it, say of
// WaitOperation.
func (c *Client) learnLongPoll(s pollState, o observation, d decision) {
	switch {
	case s.check == confirm && o.call == calledGet && o.done:
		c.longPollTrust.Store(true)
	case o.call == calledWait && o.err == nil:
		c.longPollDoubts.Store(0)
	case d.doubt && c.longPollDoubts.Add(1) >= longPollDoubts:
		c.longPollDoubts.Store(0)
		d.noLongPoll = longPollPause
	}
	if d.noLongPoll > 0 {
		c.pauseLongPoll(d.noLongPoll)
	}
}

// waitsFor reports whether the service has WaitOperation for the operation, as
// far as it says so itself.
func (c *Client) waitsFor(name string) bool { return c.selective == nil || c.selective.WaitsFor(name) }

// longPollSlot is one of a client's open WaitOperation calls, held or not.
type longPollSlot struct{ held bool }

// update takes a slot if one is wanted and to be had, and gives it back if it
// is not needed any more.
func (s *longPollSlot) update(o *core, wanted bool) {
	wanted = wanted && o.policy.LongPoll > 0 && o.client.waitsFor(o.name)
	if s.held && !(wanted && o.client.longPollUsable()) {
		s.release(o)
	}
	if wanted && !s.held {
		s.held = o.client.acquireLongPoll()
	}
}

func (s *longPollSlot) release(o *core) {
	if s.held {
		o.client.releaseLongPoll()
		s.held = false
	}
}

// longCalls are a client's WaitOperation calls that are open, the oldest first.
type longCalls struct {
	mu    sync.Mutex // taken after that of a scheduler
	calls []*call
}

func (l *longCalls) add(k *call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = append(l.calls, k)
}

func (l *longCalls) drop(k *call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = slices.DeleteFunc(l.calls, func(o *call) bool { return o == k })
}

// giveWay makes the oldest n calls that match concerns poll instead, and returns
// how many it found.
func (l *longCalls) giveWay(n int, concerns func(*call) bool) (given int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = slices.DeleteFunc(l.calls, func(k *call) bool {
		gives := given < n && concerns(k)
		if gives {
			k.giveUp()
			given++
		}
		return gives
	})
	return given
}

// giveWay makes all long polls for the client's operations poll instead.
func (c *Client) giveWay() {
	b := bubble()
	c.longCalls.giveWay(math.MaxInt, func(k *call) bool { return k.lane.scheduler.bubble == b })
}
