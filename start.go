package lro

import (
	"context"
	"crypto/rand"
	"fmt"
	mrand "math/rand/v2"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
)

// StartFunc makes the call that starts an operation. It must put requestID
// into the request's request_id field (AIP-155), so that the service starts
// one operation however often it is called with the same ID.
type StartFunc func(ctx context.Context, requestID string) (*longrunningpb.Operation, error)

// Started tells [WithOnStart] and [Observer] about an operation that was just
// started.
type Started struct {
	Operation string // its name
	Method    string // [Method.Name]; may be empty
	Token     string // resumes it; see [Method.Resume]
	RequestID string // that it was started with
}

// WithOnStart sets a function that [Method.Start] calls with each operation it
// started, before anybody polls it: the place to record the name, so that a
// program that dies can resume. ctx is Start's. Its error is Start's, beside
// the operation.
func WithOnStart(f func(ctx context.Context, s Started) error) ClientOption {
	return func(c *clientConfig) { c.onStart = f }
}

// Start starts an operation, once, in spite of answers that are lost: call is
// repeated with the same random request ID (a UUID4) for as long as ctx lasts
// while the service is UNAVAILABLE or asks to be called again, and
// [Policy.SoftErrors] times in a row after errors that may or may not have
// reached it, a call that takes longer than [Policy.AttemptTimeout] among them.
// Any other error ends Start and says that no operation was started. Use it
// only for methods that have a request_id.
//
// When the function set by [WithOnStart] fails, Start returns both the
// operation, which runs, and the error.
func (m Method[R, M]) Start(ctx context.Context, c *Client, call StartFunc) (*Operation[R, M], error) {
	if c == nil {
		return nil, errNilClient
	}
	policy, err := c.policyOf(m.Policy)
	if err != nil {
		return nil, fmt.Errorf("start operation: %w", err)
	}
	id := newRequestID()
	started, err := policy.start(ctx, id, call)
	if err != nil {
		return nil, fmt.Errorf("start operation by request %s: %w", id, err)
	}
	op, err := m.Wrap(c, started)
	if err != nil {
		return nil, err
	}
	event := Started{Operation: op.name, Method: m.Name, Token: op.Token(), RequestID: id}
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
	var s pollState
	begin := time.Now()
	for {
		attempt, cancel := context.WithTimeout(ctx, p.AttemptTimeout)
		op, err := call(attempt, id)
		cancel()
		if err == nil && op == nil {
			err = errNoAnswer
		}
		if err == nil {
			return op, nil
		}
		hint := hintOf(err, nil, nil, time.Now())
		switch code := codeOf(err); {
		case code == codes.Unavailable || hint > 0:
		case code == codes.DeadlineExceeded || soft(code):
			s.soft++
			if int(s.soft) > p.SoftErrors {
				return nil, err
			}
		default:
			return nil, err
		}
		after := p.delay(observation{hint: hint, elapsed: time.Since(begin), jitter: 2*mrand.Float64() - 1})
		pause := time.NewTimer(after)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return nil, fmt.Errorf("%w (last attempt: %w)", context.Cause(ctx), err)
		}
	}
}

// newRequestID returns a random UUID4 (RFC 9562).
func newRequestID() string {
	var u [16]byte
	rand.Read(u[:]) // never fails
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}
