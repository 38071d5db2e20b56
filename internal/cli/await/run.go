package await

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/anypb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/internal/cli/exit"
	"github.com/go-lro/lro/internal/cli/remote"
	"github.com/go-lro/lro/internal/cli/term"
)

const (
	// firstContact is how long a service may fail to answer at all before the
	// address counts as wrong. Once it has answered, it may be away for as long
	// as the caller waits.
	firstContact = 10 * time.Second
	// lastLook is how long the last question may take after --timeout, and
	// mostLast for how many operations it is asked.
	lastLook = 2 * time.Second
	mostLast = 32
	// cancelGrace is how long cancelled operations are waited for.
	cancelGrace = 30 * time.Second
)

type operation = lro.Operation[*anypb.Any, *anypb.Any]

// waiter is one run of the command.
type waiter struct {
	*Options
	*remote.Session
	board *board
	group lro.Group[*operation]
	left  map[string]*operation
	order []string // names as they were given
	stdin bool     // names came from standard input
	worst int
	why   error // why the outcome of a single operation could not be learnt
}

// Run waits for the operations that args name.
func (o *Options) Run(ctx context.Context, io *term.IO, args []string) error {
	if err := o.check(); err != nil {
		return err
	}
	w := &waiter{Options: o, left: map[string]*operation{}}
	w.board = newBoard(io, o.Output.JSON(), o.Lines)
	policy := lro.Policy{FirstPoll: min(o.interval, 100*time.Millisecond), MaxInterval: o.interval, LongPoll: o.interval}
	policy.PlainSchedule = o.noLearn || io.Truth("LRO_NO_LEARN")
	session, err := o.Open(ctx, lro.WithObserver(w.board.observer()), lro.WithPolicy(policy))
	if err != nil {
		return err
	}
	defer session.Close()
	w.Session, w.board.session = session, session
	if !policy.PlainSchedule {
		learned := recall(session.Client, io.CacheDir, session.Target)
		defer learned.keep(session.Client)
	}
	if err := w.names(ctx, args); err != nil {
		return err
	}
	if o.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, o.timeout, exit.ErrTimeout)
		defer cancel()
	}
	w.board.end, _ = ctx.Deadline()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	w.board.start(len(w.order), func(err error) { stop(outputError{err}) })
	defer w.board.stop()
	return w.wait(ctx)
}

// outputError stops a run because its results cannot be written any more.
type outputError struct{ error }

func (e outputError) Unwrap() error { return e.error }

// names takes the operations to wait for, each once.
func (w *waiter) names(ctx context.Context, args []string) error {
	for _, arg := range args {
		if arg != "-" {
			if err := w.add(arg); err != nil {
				return err
			}
			continue
		}
		w.stdin = true
		text, err := w.IO.ReadAll(ctx, "reading names, one a line")
		if err != nil {
			return err
		}
		for line := range strings.Lines(strings.TrimPrefix(string(text), "\ufeff")) {
			if line = strings.TrimSpace(line); line != "" {
				if err := w.add(line); err != nil {
					return err
				}
			}
		}
	}
	if len(w.order) == 0 {
		return exit.AsUsage(errors.New("no names on standard input"))
	}
	return nil
}

func (w *waiter) add(arg string) error {
	op, err := w.Resume(arg)
	if err != nil {
		return err
	}
	if w.left[op.Name()] == nil {
		w.left[op.Name()] = op
		w.order = append(w.order, op.Name())
		w.group.Add(op)
	}
	return nil
}

// wait waits, and says how that ended.
func (w *waiter) wait(ctx context.Context) error {
	waiting, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	silence := time.AfterFunc(firstContact, func() {
		if err := w.board.unreached(); err != nil {
			stop(err)
		}
	})
	defer silence.Stop()
	w.collect(waiting)
	if len(w.left) > 0 && errors.Is(context.Cause(waiting), exit.ErrTimeout) {
		w.lookAgain(context.WithoutCancel(ctx))
	}
	if len(w.left) > 0 && w.cancel && errors.Is(context.Cause(ctx), exit.ErrInterrupted) {
		w.cancelAll(context.WithoutCancel(ctx))
	}
	w.board.stop()
	if closed, ok := errors.AsType[outputError](context.Cause(ctx)); ok {
		return closed
	}
	if len(w.order) == 1 && w.why != nil {
		return w.why
	}
	if len(w.left) == 0 || waiting.Err() == nil {
		return exit.Silently(w.worst)
	}
	return w.stopped(ctx, context.Cause(waiting))
}

// collect takes operations as they end until there are none, ctx ends, or,
// with --any, the first has ended.
func (w *waiter) collect(ctx context.Context) {
	for op, err := range w.group.Completed(ctx) {
		if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			return // it stays in w.left
		}
		code := w.settle(ctx, op.Name(), err)
		if w.any && code != exit.Unknown {
			w.worst = code
			return
		}
	}
}

// settle shows how one operation ended, or why that cannot be learnt, and
// returns its exit status.
func (w *waiter) settle(ctx context.Context, name string, err error) int {
	op := w.left[name]
	delete(w.left, name)
	code := exit.Unknown
	if err != nil {
		w.why = w.board.unknown(ctx, name, err)
	} else {
		code = w.board.done(ctx, op.Snapshot().Proto())
	}
	w.worst = exit.Worst(w.worst, code)
	return code
}

// lookAgain asks a last time after --timeout, so that an operation that ended
// between two looks is not reported as running.
func (w *waiter) lookAgain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lastLook)
	defer cancel()
	for i, name := range w.remaining() {
		if i == mostLast {
			return
		}
		if s, err := w.left[name].Poll(ctx); err == nil && s.Done() {
			if code := w.settle(ctx, name, nil); w.any {
				w.worst = code
				clear(w.left)
				return
			}
		}
	}
}

// cancelAll cancels what is left and waits for what becomes of it.
func (w *waiter) cancelAll(ctx context.Context) {
	ctx, cancel := context.WithTimeoutCause(ctx, cancelGrace, exit.ErrInterrupted)
	defer cancel()
	names := w.remaining()
	w.board.say(fmt.Sprintf("cancelling %s; press Ctrl-C again to exit at once", plural(len(names), "operation")))
	for _, name := range names {
		if _, err := w.left[name].Cancel(ctx); err != nil {
			w.board.say(w.ExplainOperation(ctx, "cancel", name, err).Error())
		}
	}
	w.collect(ctx)
}

func (w *waiter) remaining() []string {
	return slices.DeleteFunc(slices.Clone(w.order), func(name string) bool { return w.left[name] == nil })
}

// stopped prints what is left, and how to resume.
func (w *waiter) stopped(ctx context.Context, cause error) error {
	names := w.remaining()
	resume := w.resumeCommand(names, w.stdin)
	code := exit.Of(cause)
	w.board.stopped(ctx, names, w.left, code, cause, resume)
	what := fmt.Sprintf("wait for %s", plural(len(names), "operation"))
	if len(names) == 1 {
		what = fmt.Sprintf("wait for operation %q", names[0])
	}
	it := "it"
	if len(names) > 1 {
		it = "they"
	}
	switch code {
	case exit.TimedOut:
		cause = fmt.Errorf("%w after %v; %s may still run", cause, w.timeout, it)
	case exit.Interrupted:
		cause = fmt.Errorf("%w; %s may still run", cause, it)
	default:
		return w.Explain(ctx, what, cause)
	}
	return exit.Hint(fmt.Errorf("%s: %w", what, cause), "to resume waiting: "+resume)
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return term.Count(int64(n)) + " " + noun + "s"
}
