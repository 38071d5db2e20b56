package enginekit

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/go-lro/lro/server/engine"
)

// WaitFor reports whether done was closed within d. It does not wait when d is
// 0 or negative.
func WaitFor(done <-chan struct{}, d time.Duration) bool {
	if IsClosed(done) {
		return true
	}
	if d <= 0 {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}

// Pause waits for d, or reports false when ctx ends first.
func Pause(ctx context.Context, d time.Duration) bool { return !WaitFor(ctx.Done(), d) }

// IsClosed reports whether a channel on which nothing is sent was closed.
func IsClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// Waits holds the callers that wait in this process for the end of operations,
// by a key of the engine's choice. The zero value is ready to use, and all
// methods are safe for concurrent use.
type Waits[K comparable] struct {
	mu   sync.Mutex
	sets map[K]*waitSet
}

// waitSet holds all that wait for one operation.
type waitSet struct {
	waiters int
	done    chan struct{}
	rec     *engine.Record // set before done is closed
	err     error
}

// Waiter is one caller that waits.
type Waiter[K comparable] struct {
	waits *Waits[K]
	key   K
	set   *waitSet
}

// Join begins to wait. Call it before the state of the operation is read, so
// that the end cannot be missed, and call Leave when the wait is over.
func (w *Waits[K]) Join(key K) Waiter[K] {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.sets == nil {
		w.sets = make(map[K]*waitSet)
	}
	set := w.sets[key]
	if set == nil {
		set = &waitSet{done: make(chan struct{})}
		w.sets[key] = set
	}
	set.waiters++
	return Waiter[K]{waits: w, key: key, set: set}
}

// Leave ends the wait.
func (w Waiter[K]) Leave() {
	w.waits.mu.Lock()
	defer w.waits.mu.Unlock()
	if w.set.waiters--; w.set.waiters == 0 && w.waits.sets[w.key] == w.set {
		delete(w.waits.sets, w.key)
	}
}

// Done is closed when the operation has ended.
func (w Waiter[K]) Done() <-chan struct{} { return w.set.done }

// Result returns what End was given. It may be called once Done is closed.
func (w Waiter[K]) Result() (*engine.Record, error) { return w.set.rec, w.set.err }

// Waiting reports whether a caller waits for an operation.
func (w *Waits[K]) Waiting(key K) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sets[key] != nil
}

// Keys returns the operations that callers wait for, in no order.
func (w *Waits[K]) Keys() []K {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Collect(maps.Keys(w.sets))
}

// Len returns how many callers wait.
func (w *Waits[K]) Len() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, set := range w.sets {
		n += set.waiters
	}
	return n
}

// End wakes the waiters of an operation: with its last record, or with an error
// such as [engine.ErrNotFound].
func (w *Waits[K]) End(key K, rec *engine.Record, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if set := w.sets[key]; set != nil {
		w.end(key, set, rec, err)
	}
}

// EndAll wakes all waiters with an error.
func (w *Waits[K]) EndAll(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key, set := range w.sets {
		w.end(key, set, nil, err)
	}
}

func (w *Waits[K]) end(key K, set *waitSet, rec *engine.Record, err error) {
	set.rec, set.err = rec, err
	delete(w.sets, key)
	close(set.done)
}
