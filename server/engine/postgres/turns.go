package postgres

import (
	"sync"
	"time"
)

// turnEvery is the least time between two reads of what is waited for, so that they
// are fewer than 10 a second, however much changes.
const turnEvery = 101 * time.Millisecond

// turns are the times at which what is waited for may be read while LISTEN works: by
// fetches of what has changed, and by the poll of each second, which finds what
// the next fetch would have.
type turns struct {
	mu   sync.Mutex
	next time.Time
}

// take returns when the next turn is, which the caller has alone.
func (t *turns) take() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := t.next
	if now := time.Now(); at.Before(now) {
		at = now
	}
	t.next = at.Add(turnEvery)
	return at
}
