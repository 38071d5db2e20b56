package lro

import (
	"context"
	"time"
)

// Outcome is what Wait returns, as one value.
type Outcome[R any] struct {
	Result R
	Err    error
}

// WaitOption changes what a wait does when its ctx ends.
type WaitOption func(*waitConfig)

type waitConfig struct {
	cancelGrace time.Duration // 0: leave the operation alone
}

// CancelOnEnd makes the wait cancel the operation at the service when ctx ends
// before it is done, and then wait up to grace for its true outcome, which is
// returned if it comes: a response if the operation won the race, an
// [*OperationError] of code CANCELLED if not. A request to cancel that fails
// with an error that is retried for polls (see [Policy]) is repeated within
// grace. Otherwise the [*WaitError] of ctx's end is returned, and unwraps to
// the error of the last request if that failed. With a grace of 0 or less,
// nothing is cancelled.
func CancelOnEnd(grace time.Duration) WaitOption {
	return func(c *waitConfig) { c.cancelGrace = grace }
}

// afterWait applies the options to err, with which waiting ended, and returns what
// the caller gets.
func (o *Operation[R, M]) afterWait(ctx context.Context, err error, opts []WaitOption) error {
	var c waitConfig
	for _, opt := range opts {
		opt(&c)
	}
	stopped, ok := err.(*WaitError)
	if !ok || ctx.Err() == nil || c.cancelGrace <= 0 {
		return err
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.cancelGrace)
	defer cancel()
	unfinished, refusal := o.cancelAndWait(grace)
	if unfinished == nil {
		return nil
	}
	stopped.notCancelled(refusal)
	return stopped
}

// Await is like Wait, for use in a select statement: it returns a channel that
// gets the outcome once, and is then closed. The channel need not be read. ctx
// bounds the wait as it does in Wait. No goroutine waits meanwhile.
func (o *Operation[R, M]) Await(ctx context.Context, opts ...WaitOption) <-chan Outcome[R] {
	ch := make(chan Outcome[R], 1)
	o.OnDone(ctx, func(out Outcome[R]) {
		ch <- out
		close(ch)
	}, opts...)
	return ch
}

// OnDone calls f once with what Wait(ctx) returns, on a new goroutine that is
// started when the wait ends, even if the operation was already done or the
// wait ended without an outcome. Several calls with functions are independent
// of each other; no lock is held while f runs. The channel it returns is closed
// when f has returned.
func (o *Operation[R, M]) OnDone(ctx context.Context, f func(Outcome[R]), opts ...WaitOption) <-chan struct{} {
	returned := make(chan struct{})
	o.onEnd(ctx, func(err error) {
		defer close(returned)
		var out Outcome[R]
		if out.Err = o.afterWait(ctx, err, opts); out.Err == nil {
			out.Result, out.Err = o.Result()
		}
		f(out)
	})
	return returned
}
