package exit

import (
	"context"
	"errors"
	"syscall"

	"github.com/go-lro/lro"
)

// The exit statuses.
const (
	Done        = 0   // the operation succeeded; or the command did
	Unknown     = 1   // the state could not be learnt
	Usage       = 2   // the command line is wrong
	Failed      = 3   // the operation ended with an error
	Cancelled   = 4   // the operation was cancelled
	TimedOut    = 124 // --timeout passed, as timeout(1) says it
	Interrupted = 130 // Ctrl-C, as shells say it
)

// Causes with which the context of a command ends.
var (
	ErrInterrupted = errors.New("interrupted")
	ErrTimeout     = errors.New("timed out")
)

// errUsage marks what is wrong with the command line.
var errUsage = errors.New("usage")

type usage struct{ err error }

func (u usage) Error() string   { return u.err.Error() }
func (u usage) Unwrap() []error { return []error{u.err, errUsage} }

// AsUsage marks err as a mistake on the command line: status 2. Nil stays nil.
func AsUsage(err error) error {
	if err == nil {
		return nil
	}
	return usage{err}
}

// silent is an error whose story has been told.
type silent struct{ code int }

func (silent) Error() string { return "see the output" }

// Silently returns an error that sets the exit status and prints nothing,
// because what happened stands in the output. Status 0 is no error.
func Silently(code int) error {
	if code == Done {
		return nil
	}
	return silent{code}
}

// IsSilent reports whether err is not to be printed: it has been
// reported, or the reader of the output's pipe has gone.
func IsSilent(err error) bool {
	_, ok := errors.AsType[silent](err)
	return ok || errors.Is(err, syscall.EPIPE)
}

// hinted is an error with a line on what to do next.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }

// Hint adds a line on what to do next. Nil stays nil.
func Hint(err error, hint string) error {
	if err == nil {
		return nil
	}
	return hinted{err, hint}
}

// HintOf returns the outermost hint of err, empty when there is none.
func HintOf(err error) string {
	h, _ := errors.AsType[hinted](err)
	return h.hint
}

// Of returns the exit status of a command that ended with err. It is the only
// place that maps one to the other.
func Of(err error) int {
	if err == nil {
		return Done
	}
	if s, ok := errors.AsType[silent](err); ok {
		return s.code
	}
	if failed, ok := errors.AsType[*lro.OperationError](err); ok {
		if failed.Cancelled() {
			return Cancelled
		}
		return Failed
	}
	switch {
	case errors.Is(err, errUsage):
		return Usage
	case errors.Is(err, ErrInterrupted):
		return Interrupted
	case errors.Is(err, ErrTimeout):
		return TimedOut
	}
	return Unknown
}

// OfCause returns the status of a command whose ctx has ended, and Unknown
// while it has not.
func OfCause(ctx context.Context) int {
	if ctx.Err() == nil {
		return Unknown
	}
	return Of(context.Cause(ctx))
}

// Worst returns the status that decides when several operations ended with
// these: 1, then 3, then 4, then 0. Statuses of a wait that was stopped win
// over all, since they tell that the answer is not complete.
func Worst(codes ...int) int {
	worst := Done
	for _, c := range codes {
		if rank(c) > rank(worst) {
			worst = c
		}
	}
	return worst
}

func rank(code int) int {
	switch code {
	case Done:
		return 0
	case Cancelled:
		return 1
	case Failed:
		return 2
	case TimedOut:
		return 4
	case Interrupted:
		return 5
	}
	return 3
}
