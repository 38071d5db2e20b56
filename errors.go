package lro

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/go-lro/lro/internal/rpccode"
)

// Causes of a [*WaitError], found by errors.Is.
var (
	// ErrNotFound: the service does not know the operation.
	ErrNotFound = errors.New("service does not know the operation")
	// ErrGone: the service knew the operation before and does not any more;
	// it was deleted or has expired. Its outcome cannot be known any more.
	ErrGone = errors.New("operation is gone: deleted or expired")
)

// OperationError is the error with which the operation itself ended. It is
// final.
type OperationError struct {
	Name   string // of the operation
	status *status.Status
}

func newOperationError(name string, st *spb.Status) *OperationError {
	if st.GetCode() == int32(codes.OK) {
		// Live servers do send an error with code 0. It is an error all the
		// same, and must not turn into a nil one.
		st = proto.CloneOf(st)
		st.Code = int32(codes.Unknown)
	}
	return &OperationError{Name: name, status: status.FromProto(st)}
}

// Error names the operation, the canonical code, such as NOT_FOUND, and the
// service's message. An operation with the code CANCELLED "was cancelled", and
// any other "failed".
func (e *OperationError) Error() string {
	if e.Cancelled() {
		return fmt.Sprintf("operation %q was cancelled: %s", e.Name, e.status.Message())
	}
	return fmt.Sprintf("operation %q failed: %s: %s", e.Name, codeName(e.Code()), e.status.Message())
}

// codeName returns the canonical name, and the number of a code that has none.
func codeName(c codes.Code) string {
	name := rpccode.Name(c)
	if name == "UNKNOWN" && c != codes.Unknown {
		return c.String()
	}
	return name
}

// Code returns the canonical code, never OK: an error that the service sent
// with code 0 is Unknown.
func (e *OperationError) Code() codes.Code { return e.status.Code() }

// Message returns the service's text.
func (e *OperationError) Message() string { return e.status.Message() }

// Cancelled reports whether the operation ended because it was cancelled.
func (e *OperationError) Cancelled() bool { return e.Code() == codes.Canceled }

// Details returns the error's details, such as google.rpc.ErrorInfo. Each is a
// decoded message if its type is linked into this program, and otherwise an
// error that names the type. [Detail] finds one by type.
func (e *OperationError) Details() []any { return e.status.Details() }

// GRPCStatus returns the status the operation ended with, so that status.Code,
// status.FromError and Google's apierror.FromError understand the error.
func (e *OperationError) GRPCStatus() *status.Status { return e.status }

// Detail returns the first detail of type T that err, or an error it wraps,
// carries:
//
//	info, ok := lro.Detail[*errdetails.ErrorInfo](err)
func Detail[T proto.Message](err error) (T, bool) {
	var zero T
	st, ok := errors.AsType[interface {
		error
		GRPCStatus() *status.Status
	}](err)
	if !ok {
		return zero, false
	}
	for _, d := range st.GRPCStatus().Details() {
		if t, ok := d.(T); ok {
			return t, true
		}
	}
	return zero, false
}

// WaitError is returned when waiting stopped before the operation was done: it
// may still run, and you can wait for it again.
//
// It unwraps to the cause. If ctx ended, errors.Is finds
// context.DeadlineExceeded, context.Canceled and the cause of ctx, and the
// error has no gRPC status: an error of the last poll is only in PollErr. If a
// poll failed with an error that is not retried, it unwraps to the service's
// error, and to [ErrNotFound] or [ErrGone] where one applies.
type WaitError struct {
	Name    string        // of the operation
	Last    Raw           // the last known state
	PollErr error         // what the last poll failed with; nil when it did not fail
	Polls   int           // requests for the state that were made while waiting
	Elapsed time.Duration // how long the wait lasted
	single  bool          // of one poll, which waits for nothing
	cause   []error
}

// Error names the operation and the cause, with the time and the number of
// polls.
func (e *WaitError) Error() string {
	polls := "1 poll"
	if e.Polls != 1 {
		polls = fmt.Sprintf("%d polls", e.Polls)
	}
	text := fmt.Sprintf("stopped waiting for operation %q after %v and %s: %v",
		e.Name, e.Elapsed.Round(time.Millisecond), polls, joinText(e.cause))
	if e.single {
		text = fmt.Sprintf("poll operation %q: %v", e.Name, joinText(e.cause))
	}
	if e.PollErr != nil && !errors.Is(e, e.PollErr) {
		text += fmt.Sprintf(" (last poll: %v)", e.PollErr)
	}
	return text
}

func joinText(errs []error) string {
	texts := make([]string, len(errs))
	for i, err := range errs {
		texts[i] = err.Error()
	}
	return strings.Join(texts, ": ")
}

// Unwrap returns what ended the waiting.
func (e *WaitError) Unwrap() []error { return e.cause }

// causes are several errors of which each is part of what happened.
type causes []error

func (c causes) Error() string   { return joinText(c) }
func (c causes) Unwrap() []error { return c }

// causesOf returns the parts of an error with which a wait ended.
func causesOf(err error) causes {
	if cs, ok := err.(causes); ok {
		return cs
	}
	return causes{err}
}

// contextCauses returns ctx's error, and the cause it ended with where that is
// another.
func contextCauses(ctx context.Context) causes {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return causes{cause}
	}
	return causes{err, cause}
}

// ResultError is returned when the operation succeeded, but its response is
// missing or cannot be decoded as the expected type. It is final.
type ResultError struct {
	Name     string     // of the operation
	Want     string     // full name of the expected message; empty for an interface
	Response *anypb.Any // as the service sent it; nil when it sent none
	cause    error
}

// Error names the operation and both types.
func (e *ResultError) Error() string {
	if e.Response == nil {
		return fmt.Sprintf("operation %q is done, but has neither a response nor an error", e.Name)
	}
	return fmt.Sprintf("operation %q is done, but its response cannot be read: %v", e.Name, e.cause)
}

// Unwrap returns why the response cannot be decoded; nil if there is no
// response.
func (e *ResultError) Unwrap() error { return e.cause }
