package lro

import (
	"context"
	"slices"
	"sync"
	"time"
)

// group is the part of a [Group] that does not depend on the type of its operations.
type group struct {
	mu        sync.Mutex         // taken after a core's
	left      []*member          // that have not ended
	wrapped   map[*member]Handle // of those, the handles that are not the operation itself
	finished  []finished         // not yielded yet
	iteration *caller            // nil while none is under way
	iterated  bool
}

// finished is an operation that has left the group.
type finished struct {
	op  Handle
	err error
}

func (g *group) add(op Handle) {
	m := &member{core: op.untyped()}
	g.mu.Lock()
	if op != m.core.self {
		if g.wrapped == nil {
			g.wrapped = make(map[*member]Handle)
		}
		g.wrapped[m] = op
	}
	m.index = int32(len(g.left))
	g.left = append(g.left, m)
	it := g.iteration
	g.mu.Unlock()
	if it != nil {
		it.join(m)
	}
}

func (g *group) len() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.left) + len(g.finished)
}

// members returns those that have not ended.
func (g *group) members() []*member {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.left)
}

// iterate yields operations as they end, with the limits of a [Group].
func (g *group) iterate(ctx context.Context, inFlight int, qps float64, yield func(Handle, error) bool) {
	it := g.begin(ctx, inFlight, qps)
	defer g.end(it)
	for {
		left, ok := g.drain(yield)
		if !ok || left == 0 {
			return
		}
		select {
		case <-it.wake:
		case <-ctx.Done():
			g.stop(it, yield)
			return
		}
	}
}

// begin makes the group wait for its operations.
func (g *group) begin(ctx context.Context, inFlight int, qps float64) *caller {
	it := newCaller(ctx, nil)
	it.group = g
	g.mu.Lock()
	if g.iterated {
		g.mu.Unlock()
		panic("lro: Group is iterated by two loops at once")
	}
	it.scheduler = newGroupScheduler(ctx, inFlight, qps)
	g.iterated, g.iteration = true, it
	left := slices.Clone(g.left) // add joins those that are added from now on
	g.mu.Unlock()
	for _, m := range left {
		it.join(m)
	}
	if it.deadline > 0 {
		it.scheduler.addDeadline(it)
	}
	return it
}

// end ends the iteration, and the group's waiting with it.
func (g *group) end(it *caller) {
	g.mu.Lock()
	g.iteration = nil
	g.mu.Unlock()
	for _, m := range g.members() {
		m.leave(it.ctx)
	}
	it.scheduler.close()
	g.mu.Lock()
	g.iterated = false
	g.mu.Unlock()
}

// iterating reports whether it is the iteration that is under way.
func (g *group) iterating(it *caller) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.iteration == it
}

// stop yields the operations that are done, and each that is not with the error of
// ctx, which has ended.
func (g *group) stop(it *caller, yield func(Handle, error) bool) {
	for _, m := range g.members() {
		if _, ok := g.drain(yield); !ok {
			return
		}
		e := m.leave(it.ctx)
		switch {
		case e.last.done:
			g.finish(m, e)
		default:
			if op := g.handle(m); op != nil && !yield(op, e.waitError(it.began)) {
				return
			}
		}
	}
	g.drain(yield)
}

// handle returns what was added to the group, nil once it has ended.
func (g *group) handle(m *member) Handle {
	g.mu.Lock()
	defer g.mu.Unlock()
	if m.index < 0 {
		return nil
	}
	return g.handleLocked(m)
}

func (g *group) handleLocked(m *member) Handle {
	if op, ok := g.wrapped[m]; ok {
		return op
	}
	return m.core.self
}

// drain yields the operations that have finished. It returns how many are left to
// wait for, and false if yield returned false.
func (g *group) drain(yield func(Handle, error) bool) (left int, ok bool) {
	for {
		g.mu.Lock()
		left = len(g.left)
		if len(g.finished) == 0 {
			g.mu.Unlock()
			return left, true
		}
		f := g.finished[0]
		g.finished[0] = finished{}
		g.finished = g.finished[1:]
		g.mu.Unlock()
		if !yield(f.op, f.err) {
			return left, false
		}
	}
}

// finish moves a member that has ended to those that are to be yielded.
func (g *group) finish(m *member, e *ending) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if m.index < 0 {
		return
	}
	last := len(g.left) - 1
	g.left[m.index] = g.left[last]
	g.left[m.index].index = m.index
	g.left[last] = nil
	g.left = g.left[:last]
	m.index = -1
	began := time.Now()
	if g.iteration != nil {
		began = g.iteration.began
		g.iteration.signal()
	}
	g.finished = append(g.finished, finished{g.handleLocked(m), e.waitError(began)})
	delete(g.wrapped, m)
}
