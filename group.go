package lro

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"time"
)

// Limits of a [Group] that sets none.
const (
	groupInFlight = 100
	groupQPS      = 500
)

// Handle is an [*Operation] of any types. A slice of it, or a [Group], holds
// operations of different methods.
type Handle interface {
	// Name returns the operation's name.
	Name() string
	// Done reports whether the operation is known to have ended.
	Done() bool
	// ResultErr returns the error that [Operation.Result] returns: nil when the
	// operation is known to have succeeded with a readable response, [ErrNotDone]
	// while it is not known to be done.
	ResultErr() error
	// Token resumes it; see [Method.Resume].
	Token() string
	// Cancel asks the service to cancel it; see [Operation.Cancel].
	Cancel(ctx context.Context) (bool, error)

	untyped() *core
	decodes(view) bool
	metadataFault(view) error
}

// ResultErr returns the error that Result returns; see [Handle].
func (o *Operation[R, M]) ResultErr() error {
	_, err := o.Result()
	return err
}

func (o *Operation[R, M]) untyped() *core { return &o.core }

// Group waits for many operations with one scheduler: no goroutine per
// operation, at most InFlight calls open at once and QPS calls begun a second.
// H is the type of the operations: *Operation[R, M] where all are of one method,
// and [Handle] where they are not. Operations of different methods and services
// may share a group; each keeps its own [Policy].
//
// While its operations are no more than InFlight and their clients' budgets
// allow, a group uses WaitOperation. Beyond that it polls, and its limits may
// make it later than the policies say: of n operations each is polled every
// n/QPS seconds at best, so that 100,000 operations at the default of 500 calls
// a second are found done up to 200 s after their end.
//
// The zero value is ready for use, and [GroupOf] makes a group of operations. A
// Group is safe for concurrent use, but its fields must not be changed during an
// iteration.
type Group[H Handle] struct {
	// InFlight is how many calls may be open at once. 0 means 100.
	InFlight int
	// QPS is how many calls may be begun a second. 0 and NaN mean
	// 500; negative means no limit.
	QPS float64

	group group
}

// GroupOf returns a group of the given operations, with the default limits:
//
//	group := lro.GroupOf(ops...)
//	group.QPS = 100
//	for op, err := range group.Completed(ctx) {
func GroupOf[H Handle](ops ...H) *Group[H] {
	g := &Group[H]{}
	g.Add(ops...)
	return g
}

// Add adds operations to the group. It may be called during an iteration, and
// accepts operations that are done or that other callers wait for. No call is
// made until Completed is iterated.
func (g *Group[H]) Add(ops ...H) {
	for _, op := range ops {
		g.group.add(op.untyped())
	}
}

// Len returns how many operations of the group have not been yielded yet.
func (g *Group[H]) Len() int { return g.group.len() }

// Completed iterates over the group's operations as they end, each once. The
// error is nil for an operation that is done, whatever its outcome (see
// [Handle].ResultErr), and a [*WaitError] for one that cannot be waited for any
// longer; both leave the group. The iteration ends when the group is empty.
//
// When ctx ends first, each operation that is not done is yielded with the
// [*WaitError] of that. Those stay in the group, and another iteration resumes
// the wait for them; so it does when the loop is left early. Shortly before a
// deadline of ctx each is polled a last time, as far as the limits allow.
// Completed panics when the group is iterated already.
func (g *Group[H]) Completed(ctx context.Context) iter.Seq2[H, error] {
	return func(yield func(H, error) bool) {
		g.group.iterate(ctx, g.InFlight, g.QPS, func(op Handle, err error) bool { return yield(op.(H), err) })
	}
}

// group is a [Group] without the type of its operations.
type group struct {
	mu        sync.Mutex // taken after that of a core
	left      []*member  // that have not ended
	ended     []finished // not yielded yet
	iteration *iteration // nil while none is under way
	iterated  bool
	deadline  time.Duration // of the iteration's ctx, by clock; 0 for none
	scheduler scheduler
}

// iteration is one use of Completed.
type iteration struct {
	began time.Time
	news  chan struct{} // a member has ended
}

// finished is an operation that has left the group.
type finished struct {
	op  Handle
	err error
}

func (g *group) add(c *core) {
	m := &member{core: c, group: g}
	g.mu.Lock()
	m.index = int32(len(g.left))
	g.left = append(g.left, m)
	it := g.iteration
	g.mu.Unlock()
	if it != nil {
		m.join(it)
	}
}

func (g *group) len() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.left) + len(g.ended)
}

// iterate yields operations as they end, with the limits of a [Group].
func (g *group) iterate(ctx context.Context, inFlight int, qps float64, yield func(Handle, error) bool) {
	it := g.begin(ctx, inFlight, qps)
	defer g.end()
	for {
		op, left, err := g.take()
		switch {
		case op != nil:
			if !yield(op, err) {
				return
			}
			continue
		case left == 0:
			return
		}
		select {
		case <-it.news:
		case <-ctx.Done():
			g.stop(ctx, it, yield)
			return
		}
	}
}

// begin makes the group wait for its operations.
func (g *group) begin(ctx context.Context, inFlight int, qps float64) *iteration {
	it := &iteration{began: time.Now(), news: make(chan struct{}, 1)}
	g.mu.Lock()
	if g.iterated {
		g.mu.Unlock()
		panic("lro: Group is iterated by two loops at once")
	}
	g.iterated, g.iteration, g.deadline = true, it, 0
	if deadline, ok := ctx.Deadline(); ok {
		g.deadline = max(1, clock()+deadline.Sub(it.began))
	}
	g.scheduler.limit(ctx, inFlight, qps)
	left := slices.Clone(g.left)
	g.mu.Unlock()
	for _, m := range left {
		m.join(it)
	}
	return it
}

// during reports whether the iteration it is under way.
func (g *group) during(it *iteration) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.iteration == it
}

// end ends the iteration, and the group's waiting with it.
func (g *group) end() {
	g.mu.Lock()
	g.iteration = nil
	left := slices.Clone(g.left)
	g.mu.Unlock()
	for _, m := range left {
		m.leave()
	}
	g.scheduler.await()
	g.mu.Lock()
	g.iterated = false
	g.mu.Unlock()
}

// stop yields what has ended, and then each operation that has not, with the
// error that ctx has ended.
func (g *group) stop(ctx context.Context, it *iteration, yield func(Handle, error) bool) {
	g.mu.Lock()
	left := slices.Clone(g.left)
	g.mu.Unlock()
	for _, m := range left {
		for op, _, err := g.take(); op != nil; op, _, err = g.take() {
			if !yield(op, err) {
				return
			}
		}
		at := m.leave()
		if at.last.done {
			g.hand(m, nil)
		}
		if g.has(m) {
			at.err = contextCauses(ctx)
			if !yield(m.core.self, at.waitError(time.Since(it.began))) {
				return
			}
		}
	}
	for op, _, err := g.take(); op != nil; op, _, err = g.take() {
		if !yield(op, err) {
			return
		}
	}
}

// has reports whether the member has not ended.
func (g *group) has(m *member) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return m.index >= 0
}

// take removes an operation that has ended, if there is one. It also returns
// how many are left to wait for.
func (g *group) take() (op Handle, left int, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.ended) == 0 {
		return nil, len(g.left), nil
	}
	f := g.ended[0]
	g.ended[0] = finished{}
	g.ended = g.ended[1:]
	return f.op, len(g.left), f.err
}

// hand moves a member that has ended to those that are to be yielded. Without e,
// or with one that has no error, it is done.
func (g *group) hand(m *member, e *ending) {
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
	m.index = outside
	f := finished{op: m.core.self}
	if e != nil && e.err != nil {
		var elapsed time.Duration
		if g.iteration != nil {
			elapsed = time.Since(g.iteration.began)
		}
		f.err = e.waitError(elapsed)
	}
	g.ended = append(g.ended, f)
	if g.iteration != nil {
		signal(g.iteration.news)
	}
}

// WaitAll waits until all operations are done, within the limits of a [Group]
// of their own. It returns nil when all succeeded, and otherwise the errors of
// those that did not, joined: an [*OperationError], [*ResultError] or
// [*WaitError] each. errors.AsType finds the first of a type; to see each, read the
// ResultErr of the operations, or iterate over a [Group]. Operations of
// different types are waited for by WaitAll[lro.Handle].
func WaitAll[H Handle](ctx context.Context, ops ...H) error {
	g := GroupOf(ops...)
	var errs []error
	for op, err := range g.Completed(ctx) {
		if err == nil {
			err = op.ResultErr()
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// WaitAny waits until one of the operations is done, within the limits of a
// [Group] of their own, and returns it; its Result has the outcome.
// When ctx ends first, or none of them can be waited for any longer, the error
// joins the [*WaitError] of each.
func WaitAny[H Handle](ctx context.Context, ops ...H) (H, error) {
	var none H
	g := GroupOf(ops...)
	var errs []error
	for op, err := range g.Completed(ctx) {
		if err == nil {
			return op, nil
		}
		errs = append(errs, err)
	}
	if len(errs) == 0 {
		return none, errors.New("wait for any of no operations")
	}
	return none, errors.Join(errs...)
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
