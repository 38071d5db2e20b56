package sqlite

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"time"
)

const (
	// maxGroup bounds the requests in one transaction, so that the first of
	// them does not wait long for the last.
	maxGroup = 128
	// maxGroupBytes bounds their payloads.
	maxGroupBytes = 8 << 20

	// While the store refuses writes, claims are tried again after this long,
	// doubling.
	minClaimPause = 50 * time.Millisecond
	maxClaimPause = 5 * time.Second
)

// request is a change that waits for the writer.
type request struct {
	ctx   context.Context
	apply func(*batch) error
	size  int        // of its payloads, in bytes
	done  chan error // buffered
}

// queue hands requests to the writer. Only its writer takes from it.
type queue struct {
	mu     sync.Mutex
	items  []*request
	closed error         // what add returns; nil while it accepts
	kick   chan struct{} // buffered: something may be there to do
}

func newQueue() *queue { return &queue{kick: make(chan struct{}, 1)} }

func (q *queue) add(r *request) error {
	q.mu.Lock()
	if err := q.closed; err != nil {
		q.mu.Unlock()
		return err
	}
	q.items = append(q.items, r)
	first := len(q.items) == 1
	q.mu.Unlock()
	if first {
		q.wake()
	}
	return nil
}

func (q *queue) wake() {
	select {
	case q.kick <- struct{}{}:
	default:
	}
}

// take removes the requests of the next group.
func (q *queue) take() []*request {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, size := 0, 0
	for n < len(q.items) && n < maxGroup && (n == 0 || size+q.items[n].size <= maxGroupBytes) {
		size += q.items[n].size
		n++
	}
	if n == len(q.items) {
		group := q.items
		q.items = nil
		return group
	}
	group := q.items[:n:n]
	q.items = q.items[n:]
	return group
}

// close makes add refuse with err, and answers what waits.
func (q *queue) close(err error) {
	q.mu.Lock()
	left := q.items
	q.items, q.closed = nil, err
	q.mu.Unlock()
	for _, r := range left {
		r.done <- err
	}
}

// write has apply run on the writer's goroutine, in a transaction it shares
// with other requests, and returns when that is durable. apply checks first
// and changes the batch last: when it returns an error it must have changed
// nothing. When ctx ends while the change is under way, write returns before
// it is known whether it happened, so apply must own what it refers to.
func (e *Engine) write(ctx context.Context, size int, apply func(*batch) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r := &request{ctx: ctx, apply: apply, size: size, done: make(chan error, 1)}
	if err := e.queue.add(r); err != nil {
		return err
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// runWriter is the one goroutine that changes the database.
func (e *Engine) runWriter(stop <-chan struct{}) {
	var pause time.Duration
	var retry <-chan time.Time
	idle := maintainEvery
	upkeep := time.NewTimer(idle)
	defer upkeep.Stop()
	maintain := func() {
		next := e.maintain()
		if next == 0 {
			next, idle = idle, min(2*idle, maintainIdle)
		}
		upkeep.Reset(next)
	}
	for {
		group := e.queue.take()
		var claims []*claim
		if retry == nil {
			claims = e.pickClaims()
		}
		if len(group) == 0 && len(claims) == 0 {
			select {
			case <-e.queue.kick:
			case <-retry:
				retry = nil
			case <-upkeep.C:
				maintain()
			case <-stop:
				return
			}
			continue
		}
		err := e.commit(group, claims)
		if idle > maintainEvery {
			idle = maintainEvery
			upkeep.Reset(idle)
		}
		select {
		case <-upkeep.C: // a writer that always has work looks after the files too
			maintain()
		default:
		}
		switch {
		case err == nil:
			pause, retry = 0, nil
		case len(claims) > 0:
			pause = min(max(2*pause, minClaimPause), maxClaimPause)
			retry = time.After(pause)
		}
	}
}

// commit executes a group and answers its requests. It returns the store's
// error; errors of single requests are theirs alone.
func (e *Engine) commit(group []*request, claims []*claim) error {
	b := newBatch(e)
	results := make([]error, len(group))
	err := e.opts.withCause(filepath.Dir(e.path), b.execute(group, claims, results))
	refused := err != nil
	if changed := e.refused.Swap(refused) != refused; changed || errors.Is(err, errNotOwner) {
		e.noteStore(err)
	}
	if err != nil {
		e.unclaim(claims)
		for _, r := range group {
			r.done <- err
		}
		return err
	}
	for i, r := range group {
		r.done <- results[i]
	}
	return nil
}

// noteStore logs that commits begin to fail, or succeed again when err is nil.
func (e *Engine) noteStore(err error) {
	switch {
	case err == nil:
		e.opts.Logger.Warn("the store accepts changes again", "database", e.path)
	case errors.Is(err, errNotOwner):
		e.lose(err)
	default:
		e.opts.Logger.Error("the store refuses changes", "database", e.path, "error", err)
	}
}
