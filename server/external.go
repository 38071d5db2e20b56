package server

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/go-lro/lro/server/engine"
)

// External is an operation whose work is done elsewhere and reported by its
// methods. It is safe for concurrent use. Its methods return the errors of the
// engine wrapped, and [ErrLeaseLost] once the operation has ended in another
// way: there was no report for as long as [Kind].Lease, or another caller
// reported its end.
type External[Resp, M proto.Message] struct {
	server   *Server
	lease    engine.Lease
	metadata atomic.Int64 // size of what callers are shown, in bytes
}

// ErrNotExternal is returned for an operation of another kind, or one that has
// a handler.
var ErrNotExternal = errors.New("not an external operation of this kind")

// Attach returns the operation of this name, which [Kind.Start] of a kind
// registered by [Kind.External] has returned, so that the program can report on
// it: right after the start, or after a restart.
func (k Kind[Req, Resp, M]) Attach(ctx context.Context, s *Server, name string) (*External[Resp, M], error) {
	if _, err := k.of(s); err != nil {
		return nil, fmt.Errorf("attach %q: %w", name, err)
	}
	rec, err := s.engine.Get(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("attach %q: %w", name, err)
	}
	if !rec.External || rec.Kind != k.Name {
		return nil, fmt.Errorf("attach %q: %w", name, ErrNotExternal)
	}
	e := &External[Resp, M]{server: s, lease: rec.Lease()}
	e.metadata.Store(int64(proto.Size(rec.Metadata)))
	return e, nil
}

// Name returns the operation's full resource name.
func (e *External[Resp, M]) Name() string { return e.lease.Name }

// Report shows metadata and renews the lease. It returns [ErrCancelRequested],
// although the metadata was stored, when cancellation was requested: stop the
// work and call Fail with that error.
func (e *External[Resp, M]) Report(ctx context.Context, metadata M) error {
	packed, err := pack(metadata)
	if err != nil {
		return fmt.Errorf("report %q: encode metadata: %w", e.lease.Name, err)
	}
	if err := e.server.checkMetadata(packed); err != nil {
		return fmt.Errorf("report %q: %w", e.lease.Name, err)
	}
	rec, err := e.server.engine.Report(ctx, e.lease, engine.Update{Metadata: packed})
	if err == nil {
		e.metadata.Store(int64(proto.Size(packed)))
	}
	return e.result("report", rec, err)
}

// Heartbeat renews the lease. Like Report it returns [ErrCancelRequested].
func (e *External[Resp, M]) Heartbeat(ctx context.Context) error {
	rec, err := e.server.engine.Heartbeat(ctx, e.lease)
	return e.result("heartbeat", rec, err)
}

func (e *External[Resp, M]) result(verb string, rec *engine.Record, err error) error {
	if err != nil {
		return fmt.Errorf("%s %q: %w", verb, e.lease.Name, leaseError(err))
	}
	if !rec.CancelTime.IsZero() {
		return fmt.Errorf("%s %q: %w", verb, e.lease.Name, ErrCancelRequested)
	}
	return nil
}

// Complete ends the operation with a response. Calling it again returns no
// error and changes nothing.
func (e *External[Resp, M]) Complete(ctx context.Context, resp Resp) error {
	var packed *anypb.Any
	err := errors.New("response is nil")
	if !isNil(resp) {
		packed, err = pack(resp)
	}
	if err == nil {
		err = e.server.checkResult(packed, int(e.metadata.Load()))
	}
	if err != nil {
		return fmt.Errorf("complete %q: %w", e.lease.Name, err)
	}
	if _, err := e.server.engine.Complete(ctx, e.lease, engine.Completion{Response: packed}); err != nil {
		return fmt.Errorf("complete %q: %w", e.lease.Name, leaseError(err))
	}
	return nil
}

// Fail ends the operation with an error, translated like a handler's:
// [ErrCancelRequested] ends it as CANCELLED.
func (e *External[Resp, M]) Fail(ctx context.Context, cause error) error {
	if cause == nil {
		return fmt.Errorf("fail %q: error is nil", e.lease.Name)
	}
	var st *spb.Status
	if errors.Is(cause, ErrCancelRequested) {
		st = e.server.cancelled()
	} else {
		st = e.server.fitError(e.server.statusOf(cause), int(e.metadata.Load()))
	}
	if _, err := e.server.engine.Fail(ctx, e.lease, engine.Failure{Error: st}); err != nil {
		return fmt.Errorf("fail %q: %w", e.lease.Name, leaseError(err))
	}
	return nil
}
