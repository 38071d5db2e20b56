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
type clock struct {
	mu    sync.Mutex
	taken map[int64]bool
}

func newClock() *clock { return &clock{taken: make(map[int64]bool)} }

// sleep returns after d, or when ctx ends.
func (c *clock) sleep(ctx context.Context, d time.Duration) {
	now := time.Now()
	at := now.Add(max(d, 1)).UnixNano()
	c.mu.Lock()
	for c.taken[at] {
		at++
	}
	c.taken[at] = true
	c.mu.Unlock()
	timer := time.NewTimer(time.Duration(at - now.UnixNano()))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
