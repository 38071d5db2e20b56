package lro

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/go-lro/lro/internal/pause"
	"github.com/go-lro/lro/internal/rpcinfo"
)

// StartFunc makes the call that starts an operation. It must set the request's
// request_id field (AIP-155) to requestID, so that the service starts only one
// operation for any number of calls with the same ID. It should pass opts to a
// gRPC stub: with them [Method.Start] reads the service's hints when to call
// again. A stub that takes no gRPC options may ignore them.
type StartFunc func(ctx context.Context, requestID string, opts ...grpc.CallOption) (*longrunningpb.Operation, error)

// StartOption changes how [Method.Start] starts an operation.
type StartOption func(*startConfig)

type startConfig struct {
	requestID string
	given     bool // by WithRequestID
	without   bool
}

// WithRequestID makes Start use this request ID instead of a random one, so
// that a program that recorded it can repeat a start whose answer was lost.
// Some services require a UUID4. An empty ID is an error.
func WithRequestID(id string) StartOption {
	return func(c *startConfig) { c.requestID, c.given = id, true }
}

// WithoutRequestID is for methods that have no request_id: the call gets an
// empty one, and is never repeated after a lost answer, since that might start
// a second operation. It is repeated only while the service answers
// RESOURCE_EXHAUSTED or ABORTED, or credentials for the call cannot be
// obtained.
func WithoutRequestID() StartOption {
	return func(c *startConfig) { c.without = true }
}

// Started describes an operation that was just started, for [WithOnStart] and
// [Observer].
type Started struct {
	Operation string // its name
	Method    string // [Method.Name]; may be empty
	Token     string // resumes it; see [Method.Resume]
	RequestID string // that it was started with; empty with [WithoutRequestID]
}

// WithOnStart sets a function that [Method.Start] calls with each operation
// that it started, before it is polled. Use it to record the name, so that the
// program can resume the operation after a crash. ctx is Start's. Start returns
// its error together with the operation.
func WithOnStart(f func(ctx context.Context, s Started) error) ClientOption {
	return func(c *clientConfig) { c.onStart = f }
}

// Start starts one operation, even if answers are lost: it repeats call with
// the same request ID, which is a random UUID4 unless [WithRequestID] sets it.
// It repeats for as long as ctx lasts while the service answers UNAVAILABLE or
// RESOURCE_EXHAUSTED, or returns a hint to call again. After INTERNAL, UNKNOWN,
// ABORTED, CANCELLED and DEADLINE_EXCEEDED, including a call that takes longer
// than [Policy.AttemptTimeout], it repeats at most as often in a row, and for as
// long, as [Policy.SoftErrors] and [Policy.SoftErrorTime] allow for polls. Any
// other error ends Start. [WithoutRequestID] is for methods without a
// request_id.
//
// If no attempt returned an operation, the error is a [*StartError], which
// reports whether one may have been started. If the function set by
// [WithOnStart] fails, Start returns both the operation, which runs, and the
// error.
func (m Method[R, M]) Start(ctx context.Context, c *Client, call StartFunc, opts ...StartOption) (*Operation[R, M], error) {
	if c == nil {
		return nil, errNilClient
	}
	m.Name = rpcinfo.FullName(m.Name)
	from, err := m.originIn(c)
	if err != nil {
		return nil, fmt.Errorf("start operation: %w", err)
	}
	var config startConfig
	for _, opt := range opts {
		opt(&config)
	}
	switch {
	case config.given && config.without:
		return nil, errors.New("start operation: both WithRequestID and WithoutRequestID are given")
	case config.given && config.requestID == "":
		return nil, errors.New("start operation: the request ID is empty")
	case !config.given && !config.without:
		config.requestID = newRequestID()
	}
	started, err := from.policy.start(ctx, config.requestID, call)
	if err != nil {
		return nil, err
	}
	op, err := m.Wrap(c, started)
	if err != nil {
		return nil, err
	}
	event := Started{Operation: op.name, Method: m.Name, Token: op.Token(), RequestID: config.requestID}
	op.setLink(c.config.observer.started(ctx, event))
	if c.config.onStart != nil {
		if err := c.config.onStart(ctx, event); err != nil {
			return op, fmt.Errorf("record start of operation %q: %w", op.name, err)
		}
	}
	return op, nil
}

// start repeats call until it is answered, refused or not worth repeating.
func (p *Policy) start(ctx context.Context, id string, call StartFunc) (*longrunningpb.Operation, error) {
	r := retry{policy: p, begin: time.Now(), late: soft}
	lost := false
	for {
		var h hints
		attempt, cancel := context.WithTimeout(ctx, p.AttemptTimeout)
		op, err := call(attempt, id, h.options(nil, nil)...)
		cancel()
		if err == nil && op == nil {
			err = errNoAnswer
		}
		if err == nil {
			return op, nil
		}
		err = h.judge(err)
		lost = lost || lostAnswer(err)
		failed := &StartError{RequestID: id, MayHaveStarted: lost, cause: []error{err}}
		after, again := r.after(err, h.of(err))
		again = again && (id != "" || !lost)
		if ctx.Err() == nil && !again {
			return nil, failed
		}
		if pause.For(ctx, after) != nil {
			failed.cause = append(contextCauses(ctx), err)
			return nil, failed
		}
	}
}

// lostAnswer reports whether a call that failed may have done what it was to do.
func lostAnswer(err error) bool {
	if judged, ok := errors.AsType[*callError](err); ok {
		return !judged.unsent
	}
	switch codeOf(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled, codes.Internal, codes.Unknown, codes.DataLoss:
		return true
	}
	return false
}

// StartError is returned by [Method.Start] if it got no operation.
type StartError struct {
	// RequestID is the request ID of all attempts: with [WithRequestID] the
	// start can be repeated safely. Empty with [WithoutRequestID].
	RequestID string
	// MayHaveStarted reports whether an operation may have been started by an
	// attempt whose answer was lost. If it is false, none was.
	MayHaveStarted bool

	cause []error
}

// Error names the request ID, the cause, and what is known of the operation.
func (e *StartError) Error() string {
	text := "start operation"
	if e.RequestID != "" {
		text += " with request ID " + e.RequestID
	}
	text += ": " + joinText(e.cause)
	switch {
	case e.MayHaveStarted && e.RequestID != "":
		return text + " (it may have been started: repeat with the same request ID)"
	case e.MayHaveStarted:
		return text + " (it may have been started)"
	}
	return text + " (no operation was started)"
}

// Unwrap returns the error of ctx, if that ended Start, and of the last attempt.
func (e *StartError) Unwrap() []error { return e.cause }

// newRequestID returns a random UUID4 (RFC 9562).
func newRequestID() string {
	var u [16]byte
	rand.Read(u[:]) // never fails
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}
