package temporal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/api/serviceerror"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

const (
	// rpcTimeout is how long one call to Temporal may take.
	rpcTimeout = 10 * time.Second
	// longPoll is how long a call may take that waits for something to happen.
	// Temporal answers a second before, with nothing.
	longPoll = 30 * time.Second
)

const (
	// idlePoll is less than a call takes that has waited in vain, and idlePause
	// what follows one that did not wait: it must not be made in a tight loop.
	idlePoll  = time.Second
	idlePause = 200 * time.Millisecond
)

// waitingCall makes a call that waits at Temporal, and reports whether it has waited
// in vain. The call has a deadline of its own, since Temporal answers a second
// before the one it sees: a caller with less time than that would be answered at
// once, again and again.
func waitingCall(ctx context.Context, call func(context.Context) (empty bool, _ error)) (vain bool, _ error) {
	rpc, cancel := context.WithTimeout(context.WithoutCancel(ctx), longPoll)
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	begin := time.Now()
	empty, err := call(rpc)
	switch {
	case err != nil && ctx.Err() == nil && errors.Is(rpc.Err(), context.DeadlineExceeded):
	case err != nil:
		return false, convert(ctx, err)
	case !empty:
		return false, nil
	}
	if time.Since(begin) < idlePoll && !enginekit.Pause(ctx, idlePause) {
		return false, convert(ctx, ctx.Err())
	}
	return true, nil
}

// convert returns what an error of a call to Temporal means to the caller of
// the engine. ctx is that caller's: when it has ended, its error is the answer.
func convert(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if isDeadline(err) {
		awaitDeadline(ctx)
	}
	if ctx.Err() != nil {
		if errors.Is(context.Cause(ctx), engine.ErrClosed) {
			return engine.ErrClosed
		}
		return ctx.Err()
	}
	if isNamespaceMissing(err) {
		return err
	}
	if isNotFound(err) {
		return engine.ErrNotFound
	}
	if isTooLarge(err) {
		return fmt.Errorf("%w: Temporal says: %w", engine.ErrTooLarge, err)
	}
	if isTransient(err) {
		return fmt.Errorf("%w: %w", engine.ErrUnavailable, err)
	}
	return err
}

// deadlineSlack is how long before a deadline its end may be reported: the
// transport and the service have clocks and timers of their own.
const deadlineSlack = 100 * time.Millisecond

func isDeadline(err error) bool {
	_, ok := errors.AsType[*serviceerror.DeadlineExceeded](err)
	return ok || errors.Is(err, context.DeadlineExceeded)
}

// awaitDeadline waits for the end of ctx if it is a matter of deadlineSlack, so
// that an RPC which ended by ctx's deadline a moment before ctx did is not taken
// for a service that is away.
func awaitDeadline(ctx context.Context) {
	if end, ok := ctx.Deadline(); ok && time.Until(end) < deadlineSlack {
		<-ctx.Done()
	}
}

func isNamespaceMissing(err error) bool {
	_, ok := errors.AsType[*serviceerror.NamespaceNotFound](err)
	return ok
}

func isNotFound(err error) bool {
	_, ok := errors.AsType[*serviceerror.NotFound](err)
	return ok
}

func isAlreadyStarted(err error) bool {
	_, ok := errors.AsType[*serviceerror.ActivityExecutionAlreadyStarted](err)
	return ok
}

func isFailedPrecondition(err error) bool {
	_, ok := errors.AsType[*serviceerror.FailedPrecondition](err)
	return ok
}

// isTooLarge knows the errors of sizes by their text, because Temporal has no
// type or code for them.
func isTooLarge(err error) bool {
	text := err.Error()
	return strings.Contains(text, "exceeds length limit") || strings.Contains(text, "exceeds size limit") ||
		strings.Contains(text, "larger than max")
}

// isTransient reports whether the same call may succeed later.
func isTransient(err error) bool {
	switch err := err.(type) {
	case *serviceerror.Unavailable, *serviceerror.DeadlineExceeded, *serviceerror.ResourceExhausted,
		*serviceerror.Canceled, *serviceerror.Aborted, *serviceerror.Internal, *serviceerror.NamespaceNotActive,
		*serviceerror.NamespaceUnavailable:
		return true
	default:
		return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
	}
}
