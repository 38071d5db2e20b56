package enginekit

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/go-lro/lro/server/engine"
)

// Status returns a status without details.
func Status(c code.Code, message string) *status.Status {
	return &status.Status{Code: int32(c), Message: message}
}

// Cancelled is the error of an operation that was cancelled before it could end
// otherwise.
func Cancelled() *status.Status {
	return Status(code.Code_CANCELLED, "the operation was cancelled")
}

// Interrupted is the error of an at-most-once operation whose attempt was
// handed back.
func Interrupted() *status.Status {
	return Status(code.Code_ABORTED, "the attempt was interrupted, and the operation may run at most once")
}

// Died is the error of an at-most-once operation whose attempt's process died.
func Died() *status.Status {
	return Status(code.Code_ABORTED, "the process of the attempt died, and the operation may run at most once")
}

// Crashed is the error of an operation that has reached its crash limit.
func Crashed(crashes int) *status.Status {
	return Status(code.Code_ABORTED, fmt.Sprintf("the process died in each of %d attempts", crashes))
}

// LeaseEnded is the error of an external operation that was not reported on for
// as long as its lease.
func LeaseEnded(lease time.Duration) *status.Status {
	return Status(code.Code_ABORTED, fmt.Sprintf("the operation had no report or heartbeat for %v", lease))
}

// Ending returns the state and the error of an operation that ends with s:
// CANCELLED for that code, FAILED for others. A code of 0 becomes UNKNOWN.
func Ending(s *status.Status) (engine.State, *status.Status) {
	if code.Code(s.GetCode()) == code.Code_CANCELLED {
		return engine.Cancelled, s
	}
	return engine.Failed, WithCode(s)
}

// WithCode returns s, or a copy with the code UNKNOWN when its code is 0.
func WithCode(s *status.Status) *status.Status {
	if s.GetCode() != int32(code.Code_OK) {
		return s
	}
	s = proto.CloneOf(s)
	s.Code = int32(code.Code_UNKNOWN)
	return s
}

// Storable returns the outcome, or the error that takes its place when
// [engine.Outcome.Check] refuses it. The error keeps neither the metadata of
// the outcome nor its retry.
func Storable(o engine.Outcome, maxPayload int) engine.Outcome {
	if err := o.Check(maxPayload); err != nil {
		return Unstorable(err)
	}
	return o
}

// Unstorable is the outcome of an attempt whose own outcome was refused with
// err: RESOURCE_EXHAUSTED when it is too large, else INTERNAL.
func Unstorable(err error) engine.Outcome {
	c := code.Code_INTERNAL
	if errors.Is(err, engine.ErrTooLarge) {
		c = code.Code_RESOURCE_EXHAUSTED
	}
	return engine.Outcome{Error: Status(c, err.Error())}
}
