package lro

import (
	"context"
	"iter"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// Operation is a long-running operation whose response is an R and whose
// metadata is an M. A [Method] makes one.
//
// It is safe for concurrent use. However many goroutines wait for it, one loop
// asks the service, and only while somebody waits. A ctx that ends stops the
// waiting of its caller, nothing else; to stop the operation, call Cancel.
type Operation[R, M proto.Message] struct {
	core
}

// Name returns the operation's name, by which any process can resume it.
func (o *Operation[R, M]) Name() string { return o.name }

// Snapshot returns the latest known state. It asks nobody.
func (o *Operation[R, M]) Snapshot() Snapshot[R, M] { return Snapshot[R, M]{o.name, o.known()} }

// Done reports whether the operation is known to have ended. It asks nobody;
// Poll does.
func (o *Operation[R, M]) Done() bool { return o.known().done }

// Metadata returns the latest known metadata; see [Snapshot.Metadata].
func (o *Operation[R, M]) Metadata() (M, bool) { return o.Snapshot().Metadata() }

// Result returns the outcome if it is known; see [Snapshot.Result]. It asks
// nobody; Wait does.
func (o *Operation[R, M]) Result() (R, error) { return o.Snapshot().Result() }

// Cancelled reports whether the operation is known to have ended as cancelled,
// by whomever.
func (o *Operation[R, M]) Cancelled() bool { return o.Snapshot().Cancelled() }

// Proto returns a copy of the operation as the service sent it last.
func (o *Operation[R, M]) Proto() *longrunningpb.Operation { return o.Snapshot().Proto() }

// Poll asks for the state once and returns it. A done operation is not asked
// for again. When the question fails, the known state is returned with a
// [*WaitError], and nothing has changed.
func (o *Operation[R, M]) Poll(ctx context.Context) (Snapshot[R, M], error) {
	if s := o.Snapshot(); s.Done() {
		return s, nil
	}
	begin := time.Now()
	a := o.client.get(ctx, o.name, o.policy.AttemptTimeout)
	err := o.takeOver(ctx, a, begin)
	if a.err == nil && a.view.done {
		o.tellGroups()
	}
	return o.Snapshot(), err
}

// takeOver makes a single poll's answer known, or its failure an error.
func (c *core) takeOver(ctx context.Context, a answer, begin time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.err != nil {
		return &WaitError{
			Name: c.name, Last: Raw{c.name, c.view}, PollErr: a.err, Polls: 1, Elapsed: time.Since(begin), cause: c.pollCauses(ctx, a.err),
		}
	}
	c.poll.seen = true
	c.tellLocked(a.view)
	return nil
}

// Wait blocks until the operation is done and returns its response, or an
// [*OperationError] when it failed, or a [*ResultError] when its response is
// not an R.
//
// Any other end is a [*WaitError], after which the operation may still run:
// ctx ended, or the service answered with an error that waiting longer does
// not mend ([Policy] says which). ctx is the only time limit. Shortly before
// its deadline the state is asked for a last time. [CancelOnEnd] makes the end
// of ctx cancel the operation.
func (o *Operation[R, M]) Wait(ctx context.Context, opts ...WaitOption) (R, error) {
	if err := o.waitWith(ctx, opts); err != nil {
		var zero R
		return zero, err
	}
	return o.Result()
}

// Progress iterates over the states of the operation while waiting for its
// end: first the one that is known, unless the operation was resumed and not
// polled yet, then the latest whenever it differs from the one shown before;
// states that pass while the loop body runs are left out. The last is the done
// one, whose Result tells how it ended; its error is nil also when the
// operation failed.
//
// When waiting ends before the operation does, the last known state comes
// with the [*WaitError] that Wait would return. The iterator may be used again.
//
// Between two states the loop sleeps by the operation's [Policy]; set
// MaxInterval to see progress more often. Where the service offers
// WaitOperation, the end is seen at once all the same.
func (o *Operation[R, M]) Progress(ctx context.Context) iter.Seq2[Snapshot[R, M], error] {
	return func(yield func(Snapshot[R, M], error) bool) {
		begin := time.Now()
		shown := o.known()
		if shown.at != 0 && !yield(Snapshot[R, M]{o.name, shown}, nil) || shown.done {
			return
		}
		if ctx.Err() != nil {
			if err := o.ended(ctx, begin); err != nil {
				yield(o.Snapshot(), err)
				return
			}
		}
		l := o.join(ctx, o.decodes, true)
		if l != nil {
			defer l.leave(true)
		}
		for !shown.done {
			if l != nil {
				if err := o.await(ctx, l, begin, &shown); err != nil {
					yield(o.Snapshot(), err)
					return
				}
			}
			shown = o.known()
			if !yield(Snapshot[R, M]{o.name, shown}, nil) {
				return
			}
		}
	}
}

// Delete tells the service that nobody is interested in the outcome any more.
// It does not cancel the operation. The known state stays readable.
func (o *Operation[R, M]) Delete(ctx context.Context) error {
	return o.client.Delete(ctx, o.name)
}

func (o *Operation[R, M]) decodes(v view) bool { return Snapshot[R, M]{o.name, v}.resultDecodes() }

// pollCauses are the causes of a single poll's failure.
func (c *core) pollCauses(ctx context.Context, err error) causes {
	if ctx.Err() != nil {
		return contextCauses(ctx)
	}
	if codeOf(err) != codes.NotFound {
		return causes{err}
	}
	if c.poll.seen {
		return causes{ErrGone, err}
	}
	return causes{ErrNotFound, err}
}

// noticeLocked wakes the waiters after a change that the loop did not make.
func (l *loop) noticeLocked() {
	close(l.changed)
	l.changed = make(chan struct{})
	if l.op.view.done {
		l.pollNowLocked()
	}
}
