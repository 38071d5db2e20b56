package lro

import (
	"math"
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

// longPollSlot is one of a client's open WaitOperation calls, held or not.
type longPollSlot struct{ held bool }

// update takes a slot if one is wanted and to be had, and gives it back if it
// is of no use any more.
func (s *longPollSlot) update(o *core, wanted bool) {
	wanted = wanted && o.policy.LongPoll > 0
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
