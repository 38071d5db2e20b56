package sqlite

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// worker is a call of Work. Its fields below ctx are guarded by Engine.mu.
type worker struct {
	engine.Worker
	concurrency int
	ctx         context.Context // of the attempts; ends never
	abandoned   chan struct{}   // closed when the attempts that are left are given up

	active   int            // slots taken, also by claims on their way
	running  map[string]int // of those, by kind
	attempts map[*attempt]struct{}
	stopped  bool          // claims no more
	draining bool          // attempts were told to end
	idle     chan struct{} // closed when stopped and active is 0
}

// Work implements [engine.Engine]. The attempts' contexts have the values of
// ctx. An attempt that has not returned 10 s after it was told that the worker
// is draining loses its operation, and Work returns without it.
func (e *Engine) Work(ctx context.Context, w engine.Worker) error {
	if w.Run == nil {
		return fmt.Errorf("work: %w: Run is nil", engine.ErrInvalid)
	}
	wk := &worker{
		Worker:      w,
		concurrency: w.Concurrency,
		ctx:         context.WithoutCancel(ctx),
		abandoned:   make(chan struct{}),
		running:     make(map[string]int),
		attempts:    make(map[*attempt]struct{}),
		idle:        make(chan struct{}),
	}
	if wk.concurrency <= 0 {
		wk.concurrency = enginekit.DefaultConcurrency
	}
	if !e.addWorker(wk) {
		return fmt.Errorf("work: %w", engine.ErrClosed)
	}
	defer e.works.Done()
	e.queue.wake()
	select {
	case <-ctx.Done():
	case <-e.closing:
	}
	e.stopWorker(wk)
	e.drain(wk)
	return nil
}

// addWorker reports false when the engine is closing.
func (e *Engine) addWorker(wk *worker) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if enginekit.IsClosed(e.closing) {
		return false
	}
	e.works.Add(1)
	e.workers = append(e.workers, wk)
	return true
}

func (e *Engine) stopWorker(wk *worker) {
	e.mu.Lock()
	defer e.mu.Unlock()
	i := slices.Index(e.workers, wk)
	e.workers = slices.Delete(e.workers, i, i+1)
	wk.stopped = true
	if wk.active == 0 {
		close(wk.idle)
	}
}

// release gives back a slot. The caller holds Engine.mu.
func (w *worker) release(kind string) {
	w.active--
	if w.running[kind]--; w.running[kind] == 0 {
		delete(w.running, kind)
	}
	if w.stopped && w.active == 0 {
		close(w.idle)
	}
}

// drain returns when the worker's attempts have ended, or were given up.
func (e *Engine) drain(wk *worker) {
	enginekit.Drain{
		Idle: wk.idle,
		For:  wk.Drain,
		Tell: func() {
			e.mu.Lock()
			wk.draining = true
			e.mu.Unlock()
			for _, a := range e.left(wk) {
				a.cancel(engine.ErrDraining)
			}
		},
		Abandon: func() {
			close(wk.abandoned)
			for _, a := range e.left(wk) {
				a.abandon()
			}
		},
	}.Run()
}

// left returns the attempts that the worker runs.
func (e *Engine) left(wk *worker) []*attempt {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Collect(maps.Keys(wk.attempts))
}
