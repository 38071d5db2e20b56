package temporal

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// worker is a call of Work.
type worker struct {
	engine.Worker
	e         *Engine
	ctx       context.Context // of the attempts; ends never
	slots     chan struct{}   // one is in it for each poll and each attempt
	waiting   atomic.Int32    // pollers that wait for a slot
	stopping  chan struct{}   // closed when no more polls may begin
	draining  chan struct{}   // closed when attempts were told to end
	abandoned chan struct{}   // closed when the attempts that are left are given up

	polls      context.Context // of the polls that are under way
	abortPolls context.CancelFunc
	pollers    sync.WaitGroup

	mu       sync.Mutex
	attempts map[*attempt]struct{}
	running  sync.WaitGroup // attempts that were not abandoned
}

// kindSlots are a kind's places in a worker.
type kindSlots struct {
	name  string
	queue string
	slots chan struct{} // nil for no limit of its own

	mu      sync.Mutex
	pollers int
	idle    int // pollers while there is nothing to do
}

// Work implements [engine.Engine]. The attempts' contexts have the values of
// ctx. While it waits for operations of a kind, it holds one to four
// places of [engine.Worker.Concurrency] for it; when places are few, kinds that
// have nothing to do take turns in one. An attempt that has not returned 10 s after it was told that
// the worker is draining loses its operation, and Work returns without it.
func (e *Engine) Work(ctx context.Context, w engine.Worker) error {
	if w.Run == nil {
		return fmt.Errorf("work: %w: Run is nil", engine.ErrInvalid)
	}
	if !e.work() {
		return fmt.Errorf("work: %w", engine.ErrClosed)
	}
	defer e.works.Done()
	if w.Concurrency <= 0 {
		w.Concurrency = enginekit.DefaultConcurrency
	}
	wk := &worker{
		Worker:    w,
		e:         e,
		ctx:       context.WithoutCancel(ctx),
		slots:     make(chan struct{}, w.Concurrency),
		stopping:  make(chan struct{}),
		draining:  make(chan struct{}),
		abandoned: make(chan struct{}),
		attempts:  make(map[*attempt]struct{}),
	}
	wk.polls, wk.abortPolls = context.WithCancel(e.ctx)
	defer wk.abortPolls()
	for kind, limit := range w.Kinds {
		k := &kindSlots{name: kind, queue: e.kindQueue(kind), idle: idlePollers(w, limit)}
		if limit > 0 {
			k.slots = make(chan struct{}, limit)
		}
		for range k.idle {
			k.grow(wk)
		}
	}
	select {
	case <-ctx.Done():
	case <-e.closing.Done():
	}
	wk.drain()
	return nil
}

// drain returns when the worker's attempts have ended, or were given up.
func (w *worker) drain() {
	begin := time.Now()
	close(w.stopping)
	polled := make(chan struct{})
	go func() { // ends with the polls, which are aborted below
		w.pollers.Wait()
		close(polled)
	}()
	// A poll that is aborted may have been given an operation just then, which
	// no worker runs until its lease has ended.
	if !enginekit.WaitFor(polled, pollGrace) {
		w.abortPolls()
		<-polled
	}
	idle := make(chan struct{})
	go func() { // ends with the attempts, which are abandoned below
		w.running.Wait()
		close(idle)
	}()
	enginekit.Drain{
		Idle: idle,
		For:  w.Drain - time.Since(begin),
		Tell: func() {
			close(w.draining)
			for _, a := range w.left() {
				a.cancel(engine.ErrDraining)
			}
		},
		Abandon: func() {
			close(w.abandoned)
			var abandoning sync.WaitGroup
			for _, a := range w.left() {
				abandoning.Go(a.abandon)
			}
			abandoning.Wait()
			<-idle
		},
	}.Run()
}

func (w *worker) left() []*attempt {
	w.mu.Lock()
	defer w.mu.Unlock()
	left := make([]*attempt, 0, len(w.attempts))
	for a := range w.attempts {
		left = append(left, a)
	}
	return left
}
