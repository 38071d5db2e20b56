package lro

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/go-lro/lro/internal/pause"
)

// Cancel requests the cancellation of the operation and reports whether the
// service accepted it. It returns false without a call if the operation is
// known to be done, and false if the service refuses because it is done.
// Cancelling is best effort: wait for the outcome.
func (o *Operation[R, M]) Cancel(ctx context.Context) (bool, error) {
	if o.Done() {
		return false, nil
	}
	sent, _, err := o.cancel(ctx)
	return sent, err
}

// cancel is Cancel of an operation that is not known to be done. hint is when
// the service asked to be called again; 0 for no word.
func (o *Operation[R, M]) cancel(ctx context.Context) (sent bool, hint time.Duration, err error) {
	end := o.giveWay()
	hint, err = o.client.cancel(ctx, o.name, o.policy.AttemptTimeout)
	end()
	if err == nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.pollSoonLocked()
		return true, 0, nil
	}
	if code := codeOf(err); code == codes.FailedPrecondition || code == codes.NotFound {
		if s, pollErr := o.Poll(ctx); pollErr == nil && s.Done() {
			return false, 0, nil
		}
	}
	return false, hint, err
}

// CancelAndWait cancels the operation and waits for its end. If the operation
// was cancelled, it returns an [*OperationError] with the code CANCELLED; if it
// succeeded first, its response. While it waits, a failed request to cancel is
// repeated under the same rules and on the same schedule as a poll (see
// [Policy]).
//
// Otherwise it returns a [*WaitError], and the operation may still run: ctx
// ended, waiting failed, or the service refused to cancel, in which case the
// error unwraps to the service's.
func (o *Operation[R, M]) CancelAndWait(ctx context.Context) (R, error) {
	if stopped, _ := o.cancelAndWait(ctx); stopped != nil {
		var zero R
		return zero, stopped
	}
	return o.Result()
}

// cancelAndWait cancels the operation, in as many requests as it takes, and
// waits for its end meanwhile. stopped is nil when the operation is done; else
// refusal is why it could not be cancelled, nil if it was asked to.
func (o *Operation[R, M]) cancelAndWait(ctx context.Context) (stopped *WaitError, refusal error) {
	begin := time.Now()
	if o.Done() {
		return nil, nil
	}
	_, hint, refusal := o.cancel(ctx)
	if refusal == nil {
		stopped, _ = o.await(ctx).(*WaitError)
		return stopped, nil
	}
	again := retry{policy: o.policy, begin: begin}
	pauseFor, ok := again.after(refusal, hint)
	if !ok {
		return &WaitError{Name: o.name, Last: Raw{o.name, o.known()}, Elapsed: time.Since(begin), cause: causes{refusal}}, refusal
	}

	waiting, stop := context.WithCancel(ctx)
	var repeating sync.WaitGroup
	repeating.Go(func() {
		for ok && pause.For(waiting, pauseFor) == nil {
			_, hint, err := o.cancel(waiting)
			if err != nil && waiting.Err() != nil {
				return
			}
			if refusal = err; err == nil {
				return
			}
			pauseFor, ok = again.after(err, hint)
		}
		if !ok {
			stop() // nothing that is worth waiting for will come of it
		}
	})
	stopped, _ = o.await(waiting).(*WaitError)
	stop()
	repeating.Wait()
	switch {
	case stopped == nil:
		return nil, nil
	case !ok:
		stopped.cause = causes{refusal}
	case ctx.Err() != nil:
		stopped.notCancelled(refusal)
	}
	return stopped, refusal
}

// notCancelled adds that the operation could not be cancelled either.
func (e *WaitError) notCancelled(refusal error) {
	if refusal != nil {
		e.cause = append(e.cause, fmt.Errorf("it could not be cancelled and may still run: %w", refusal))
	}
}
