package simulation

import (
	"context"
	"sync"
	"time"
)

// clock has actors wake one at a time: no two of them at the same instant of the
// bubble. What an actor does at its instant, with all that this sets off in the
// engine and the server, is over before time moves on to the next one. So the
// order in which actors act comes from the seed, and not from Go's scheduler.
//
// With a step, actors crowd: all wake at multiples of it, many at once. That
// shows what happens when calls meet in the engine, and gives up the order.
type clock struct {
	step time.Duration // 0 for none

	mu    sync.Mutex
	taken map[int64]bool
}

func newClock(step time.Duration) *clock { return &clock{step: step, taken: make(map[int64]bool)} }

// sleep returns after d, or when ctx ends.
func (c *clock) sleep(ctx context.Context, d time.Duration) {
	now := time.Now()
	timer := time.NewTimer(time.Duration(c.instant(now.Add(max(d, 1)).UnixNano()) - now.UnixNano()))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// instant returns when an actor wakes that wants to wake at a time, both in
// nanoseconds.
func (c *clock) instant(at int64) int64 {
	if step := int64(c.step); step > 0 {
		return (at + step - 1) / step * step
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.taken[at] {
		at++
	}
	c.taken[at] = true
	return at
}
