package lro

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"
)

// Limits of a [Group] that sets none.
const (
	DefaultGroupInFlight = 100
	DefaultGroupQPS      = 500
)

// Handle is an [*Operation] of any types.
type Handle interface {
	// Name returns the operation's name.
	Name() string
	// Done reports whether the operation is known to have ended.
	Done() bool
	// Err returns nil when the operation is known to have succeeded with a
	// readable response, [ErrNotDone] before its end, and otherwise the error
	// that Result returns.
	Err() error
	// Token resumes it; see [Method.Resume].
	Token() string
	// Cancel asks the service to cancel it; see [Operation.Cancel].
	Cancel(ctx context.Context) (bool, error)

	untyped() *core
	decodes(view) bool
}

// Err returns what Result returns beside the response; see [Handle].
func (o *Operation[R, M]) Err() error {
	_, err := o.Result()
	return err
}

func (o *Operation[R, M]) untyped() *core { return &o.core }

// Group waits for many operations with one scheduler: no goroutine per
// operation, at most InFlight calls open at once and QPS calls begun a second.
// Operations of different types, methods and services may share a group; each
// keeps its own [Policy].
//
// While its operations are no more than InFlight and their clients' budgets
// allow, a group uses WaitOperation. Beyond that it polls, and its limits may
// make it later than the policies say: of n operations each is polled every
// n/QPS seconds at best, so that 100,000 operations at the default of 500 calls
// a second are found done up to 200 s after their end.
//
// The zero value is ready for use. A Group is safe for concurrent use, but its
// fields must not be changed once it is used.
type Group struct {
	// InFlight is how many calls may be open at once. 0 means
	// [DefaultGroupInFlight].
	InFlight int
	// QPS is how many calls may be begun a second. 0 means [DefaultGroupQPS];
	// negative means no limit.
	QPS float64

	mu       sync.Mutex
	due      entryHeap                // waiting for their next call
	called   map[*groupEntry]struct{} // a call for them is under way
	waiting  int                      // entries that have not ended
	ended    []*groupEntry            // not yielded yet
	base     time.Time                // what durations in it count from, so that a clock that is set does no harm
	next     time.Duration            // since base, before which QPS allows no call
	wake     chan struct{}            // tells the scheduler that something changed
	news     chan struct{}            // tells the iteration that an entry has ended
	iterated bool                     // somebody iterates
}

func (g *Group) init() {
	if g.wake == nil {
		g.base = time.Now()
		g.called = make(map[*groupEntry]struct{})
		g.wake, g.news = make(chan struct{}, 1), make(chan struct{}, 1)
	}
}

// Add puts operations into the group; also while somebody iterates, and also
// such as have ended or are waited for elsewhere. Nothing is asked before
// somebody iterates.
func (g *Group) Add(ops ...Handle) {
	for _, op := range ops {
		e := &groupEntry{op: op, group: g, index: -1}
		c := op.untyped()
		c.mu.Lock()
		e.next, c.entry = c.entry, e
		done := c.view.done
		c.mu.Unlock()

		g.mu.Lock()
		g.init()
		g.waiting++
		if !done {
			e.due = time.Since(g.base)
			g.due.push(e)
			signal(g.wake)
		}
		g.mu.Unlock()
		if done {
			g.finish(e)
		}
	}
}

// Len returns how many operations of the group have not been yielded yet.
func (g *Group) Len() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.waiting + len(g.ended)
}

// Completed iterates over the group's operations as they end, each once. The
// error is nil for an operation that is done, however it ended (see
// [Handle].Err), and a [*WaitError] for one that cannot be waited for any
// longer; both leave the group. The iteration ends when the group is empty.
//
// When ctx ends first, each operation that has not ended comes with the
// [*WaitError] of that. Those stay in the group, and another iteration goes on
// with them; so it does when the loop is left early. Completed panics when the
// group is iterated already.
func (g *Group) Completed(ctx context.Context) iter.Seq2[Handle, error] {
	return func(yield func(Handle, error) bool) {
		g.begin()
		begin := time.Now()
		ctx, stop := context.WithCancelCause(ctx)
		scheduled := make(chan struct{})
		go func() {
			defer close(scheduled)
			g.schedule(ctx)
		}()
		defer func() {
			stop(errNobodyWaits)
			<-scheduled
			g.observePause()
			g.mu.Lock()
			g.iterated = false
			g.mu.Unlock()
		}()
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
			case <-g.news:
			case <-ctx.Done():
				for _, e := range g.left() {
					if !yield(e.op, g.stopped(ctx, e, begin)) {
						return
					}
				}
				return
			}
		}
	}
}

func (g *Group) begin() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.init()
	if g.iterated {
		panic("lro: Group is iterated by two loops at once")
	}
	g.iterated = true
}

// left returns the entries that have not ended.
func (g *Group) left() []*groupEntry {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.AppendSeq(slices.Clone([]*groupEntry(g.due)), maps.Keys(g.called))
}

// take removes an entry that has ended, if there is one. It returns its
// operation, how many are left to wait for, and what waiting for it ended with.
func (g *Group) take() (op Handle, left int, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.ended) == 0 {
		return nil, g.waiting, nil
	}
	e := g.ended[0]
	g.ended[0] = nil
	g.ended = g.ended[1:]
	return e.op, g.waiting, e.err()
}

// WaitAll waits until all operations are done, within the limits of a [Group]
// of their own. It returns nil when all succeeded, and otherwise the errors of
// those that did not, joined: an [*OperationError], [*ResultError] or
// [*WaitError] each. errors.AsType finds the first of a type; to see each, ask
// the operations for their Err, or iterate over a [Group]. Operations of
// different types are waited for by WaitAll[lro.Handle].
func WaitAll[H Handle](ctx context.Context, ops ...H) error {
	g := groupOf(ops)
	defer g.disband()
	var errs []error
	for op, err := range g.Completed(ctx) {
		if err == nil {
			err = op.Err()
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// WaitAny waits until one of the operations is done, within the limits of a
// [Group] of their own, and returns it; its Err or Result tells how it ended.
// When ctx ends first, or none of them can be waited for any longer, the error
// joins the [*WaitError] of each.
func WaitAny[H Handle](ctx context.Context, ops ...H) (H, error) {
	var none H
	g := groupOf(ops)
	defer g.disband()
	var errs []error
	for op, err := range g.Completed(ctx) {
		if err == nil {
			return op.(H), nil
		}
		errs = append(errs, err)
	}
	if len(errs) == 0 {
		return none, errors.New("wait for any of no operations")
	}
	return none, errors.Join(errs...)
}

func groupOf[H Handle](ops []H) *Group {
	g := &Group{}
	for _, op := range ops {
		g.Add(op)
	}
	return g
}

// disband takes what has not ended out of the group.
func (g *Group) disband() {
	for _, e := range g.left() {
		g.finish(e)
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
