package lro

import (
	"context"
	"errors"
	"iter"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// Operation is a long-running operation whose response is an R and whose
// metadata is an M. A [Method] makes one.
//
// It is safe for concurrent use. However many goroutines wait for it, one poll is
// made at a time, and only while a caller waits. Its callers share the answers, so a
// program that acts for several principals uses a [Client], and an Operation, for
// each. The end of a ctx ends the wait of its caller and nothing else; to stop the
// operation, call Cancel.
type Operation[R, M proto.Message] struct {
	core
}

// Name returns the operation's name, by which any process can resume it.
func (o *Operation[R, M]) Name() string { return o.name }

// Snapshot returns the latest known state. It makes no call.
func (o *Operation[R, M]) Snapshot() Snapshot[R, M] { return Snapshot[R, M]{o.name, o.known()} }

// Done reports whether the operation is known to be done. It makes no call; see
// Poll.
func (o *Operation[R, M]) Done() bool { return o.known().done }

// Metadata returns the latest known metadata; see [Snapshot.Metadata].
func (o *Operation[R, M]) Metadata() (M, bool) { return o.Snapshot().Metadata() }

// Result returns the outcome if it is known; see [Snapshot.Result]. It makes no
// call; see Wait.
func (o *Operation[R, M]) Result() (R, error) { return o.Snapshot().Result() }

// Poll gets the state from the service once and returns it. It makes no call
// when the operation is known to be done. If the call fails, Poll returns the
// last known state with a [*WaitError].
func (o *Operation[R, M]) Poll(ctx context.Context) (Snapshot[R, M], error) {
	if s := o.Snapshot(); s.Done() {
		return s, nil
	}
	begin := time.Now()
	a := o.client.get(ctx, o.name, o.policy.AttemptTimeout)
	if a.err != nil {
		return o.Snapshot(), o.pollError(ctx, a.err, begin)
	}
	o.recordAnswer(a)
	return o.Snapshot(), nil
}

// Wait blocks until the operation is done and returns its response, or an
// [*OperationError] when it failed, or a [*ResultError] when its response is
// not an R.
//
// Any other error is a [*WaitError], after which the operation may still run: ctx
// ended, or the service returned an error that is not retried (see [Policy]). ctx is
// the only time limit. Shortly before its deadline the operation is polled a last
// time. [CancelOnEnd] makes the end of ctx cancel the operation.
func (o *Operation[R, M]) Wait(ctx context.Context, opts ...WaitOption) (R, error) {
	if err := o.afterWait(ctx, o.await(ctx), opts); err != nil {
		var zero R
		return zero, err
	}
	return o.Result()
}

// Progress iterates over the states of the operation until it is done. It yields the
// known state first, unless the operation was resumed and not polled yet, and then
// each new state; of those that come while the loop body runs, only the latest. The
// last state is the done one, whose Result has the outcome; its error is nil even if
// the operation failed.
//
// If waiting stops before the operation is done, the last known state is
// yielded with the [*WaitError] that Wait would return with the same options;
// with [CancelOnEnd], the done state is yielded if the operation ends within
// the grace. The iterator may be used again.
//
// The operation is polled by its [Policy]; set MaxInterval to see progress more
// often. If the service has WaitOperation, the end is still seen at once.
func (o *Operation[R, M]) Progress(ctx context.Context, opts ...WaitOption) iter.Seq2[Snapshot[R, M], error] {
	return func(yield func(Snapshot[R, M], error) bool) {
		shown := o.known()
		show := func(v view) bool { return yield(Snapshot[R, M]{o.name, v}, nil) }
		if shown.at != 0 && !show(shown) || shown.done {
			return
		}
		err := o.watch(ctx, shown, show)
		if err == nil {
			return
		}
		// The options may have made the operation end.
		err = o.afterWait(ctx, err, opts)
		yield(o.Snapshot(), err)
	}
}

// Delete deletes the operation at the service. It does not cancel it. The last
// known state can still be read.
func (o *Operation[R, M]) Delete(ctx context.Context) error {
	return o.client.Delete(ctx, o.name)
}

func (o *Operation[R, M]) decodes(v view) bool { return Snapshot[R, M]{o.name, v}.resultDecodes() }

// metadataFault returns why metadata that the service sent is not an M.
func (o *Operation[R, M]) metadataFault(v view) error {
	err := Snapshot[R, M]{o.name, v}.MetadataErr()
	if errors.Is(err, ErrNoMetadata) {
		return nil
	}
	return err
}

// pollError is what a single poll failed with.
func (c *core) pollError(ctx context.Context, err error, begin time.Time) *WaitError {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := &WaitError{Name: c.name, Last: Raw{c.name, c.view}, PollErr: err, Polls: 1, Elapsed: time.Since(begin), single: true, cause: causes{err}}
	switch {
	case ctx.Err() != nil:
		e.cause = contextCauses(ctx)
	case codeOf(err) == codes.NotFound && c.wait.poll.seen:
		e.cause = causes{ErrGone, err}
	case codeOf(err) == codes.NotFound:
		e.cause = causes{ErrNotFound, err}
	}
	return e
}
