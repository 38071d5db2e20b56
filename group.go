package lro

import (
	"context"
	"errors"
	"iter"
)

// Limits of a [Group] that sets none.
const (
	groupInFlight = 100
	groupQPS      = 500
)

// Handle is an [*Operation] of any types, or a type that embeds one. A slice of it, or a
// [Group], holds operations of different methods.
type Handle interface {
	// Name returns the operation's name.
	Name() string
	// Done reports whether the operation is known to have ended.
	Done() bool
	// ResultErr returns the error that [Operation.Result] returns: nil when the
	// operation is known to have succeeded with a readable response, [ErrNotDone]
	// while it is not known to be done.
	ResultErr() error
	// Token returns a string that resumes the operation; see [Method.Resume].
	Token() string
	// Cancel requests that the service cancel the operation; see [Operation.Cancel].
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
// operation, at most InFlight calls open at once, and at most QPS calls started per
// second. H is the type of the operations: *Operation[R, M] if all are of one method,
// and [Handle] if they are not. Operations of different methods and services
// may share a group; each keeps its own [Policy].
//
// A group of at most InFlight operations uses WaitOperation, up to the limits
// that [WithLongPolls] sets for their clients. A larger group polls, and its
// limits may make it later than the policies say: each of n operations is
// polled every n/QPS seconds at best, so 100,000 operations at the default of
// 500 calls a second are found done up to 200 s after their end.
//
// The zero value is ready for use, and [GroupOf] makes a group of operations. A
// Group is safe for concurrent use, but its fields must not be changed during an
// iteration.
type Group[H Handle] struct {
	// InFlight is how many calls may be open at once. 0 means 100.
	InFlight int
	// QPS is how many calls may start per second. 0 and NaN mean 500; negative means
	// no limit.
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
		g.group.add(op)
	}
}

// Len returns how many operations of the group have not been yielded yet.
func (g *Group[H]) Len() int { return g.group.len() }

// Completed iterates over the group's operations as they end, each once. The
// error is nil for an operation that is done, whatever its outcome (see
// [Handle].ResultErr), and a [*WaitError] for one that cannot be waited for any
// longer; both leave the group. The iteration ends when the group is empty.
//
// When ctx ends first, each operation that is not done is yielded with a
// [*WaitError] that unwraps to ctx's error. These operations stay in the group, as do
// all that were not yielded when the loop is left early; another iteration resumes
// waiting for them. Shortly before a deadline of ctx each is polled a last time, as
// far as the limits allow. Completed panics if another loop is iterating over the
// group.
func (g *Group[H]) Completed(ctx context.Context) iter.Seq2[H, error] {
	return func(yield func(H, error) bool) {
		g.group.iterate(ctx, g.InFlight, g.QPS, func(op Handle, err error) bool { return yield(op.(H), err) })
	}
}

// WaitAll waits until all operations are done, within the default limits of a
// [Group]. It returns nil if all succeeded, and otherwise the joined errors of those
// that did not: an [*OperationError], [*ResultError] or [*WaitError] each.
// errors.AsType finds the first of a type; to see each, read the ResultErr of the
// operations, or iterate over a [Group]. Use WaitAll[lro.Handle] for operations of
// different types.
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

// WaitAny waits until one of the operations is done, within the default limits of a
// [Group], and returns it; its Result has the outcome. If ctx ends first, or none of
// them can be waited for any longer, the error joins the [*WaitError] of each.
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
		return none, errors.New("WaitAny: no operations given")
	}
	return none, errors.Join(errs...)
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
