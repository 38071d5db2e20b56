package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// worker is a call of Work. Its fields below wake are guarded by Engine.mu.
type worker struct {
	engine.Worker
	concurrency int
	ctx         context.Context // of the attempts; ends never
	abandoned   chan struct{}   // closed when the attempts that are left are given up
	wake        chan struct{}   // there may be something to claim
	marks       map[string]*mark

	active   int            // attempts
	running  map[string]int // of those, by kind
	attempts map[*attempt]struct{}
	stopped  bool          // begins no other claim
	claimed  bool          // no claim is under way any more
	idle     chan struct{} // closed when claimed and active is 0
}

// Work implements [engine.Engine]. The attempts' contexts have the values of
// ctx. An attempt that has not returned 10 s after its ctx says that the worker
// is draining loses its operation, and Work returns without it.
func (e *Engine) Work(ctx context.Context, w engine.Worker) error {
	if w.Run == nil {
		return fmt.Errorf("work: %w: Run is nil", engine.ErrInvalid)
	}
	wk := &worker{
		Worker:      w,
		concurrency: w.Concurrency,
		ctx:         apart(context.WithoutCancel(ctx)),
		abandoned:   make(chan struct{}),
		wake:        make(chan struct{}, 1),
		marks:       make(map[string]*mark),
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
	claiming, stop := context.WithCancel(wk.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		e.claimLoop(claiming, wk)
	}()
	select {
	case <-ctx.Done():
	case <-e.closing:
	}
	e.stopWorker(wk)
	// A claim that is under way is not torn: what it claims would wait for the
	// end of the lease.
	kick(wk.wake)
	<-done
	stop()
	e.stopIdle(wk)
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
	e.workers[wk] = struct{}{}
	return true
}

func (e *Engine) stopWorker(wk *worker) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.workers, wk)
	wk.stopped = true
}

func (e *Engine) stopIdle(wk *worker) {
	e.mu.Lock()
	defer e.mu.Unlock()
	wk.claimed = true
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
	if w.claimed && w.active == 0 {
		close(w.idle)
	}
	kick(w.wake)
}

// drain returns when the worker's attempts have ended, or were given up.
func (e *Engine) drain(wk *worker) {
	enginekit.Drain{
		Idle: wk.idle,
		For:  wk.Drain,
		Tell: func() {
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

// wakeWorkers has the workers of a kind look for operations; "" is every kind.
func (e *Engine) wakeWorkers(kind string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for w := range e.workers {
		if _, ok := w.Kinds[kind]; ok || kind == "" {
			kick(w.wake)
		}
	}
}

// pollEvery is how often to look for what LISTEN would have delivered.
func (e *Engine) pollEvery() time.Duration {
	if e.news.listening() {
		return max(e.opts.Poll, listeningPoll)
	}
	return e.opts.Poll
}
