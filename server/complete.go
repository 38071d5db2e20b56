package server

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-lro/lro/server/engine"
)

// Complete ends the operation of a task with a response while its handler still
// runs. Handlers need it on an engine that can store the outcome and the rows
// that the handler has written in one transaction: see postgres.WithTx. ctx
// carries the transaction. On other engines it has the effect of returning the
// response, only earlier.
//
// After it and the commit, the handler should return; its return values are
// ignored. The handler's context ends with [ErrLeaseLost] once the outcome is
// known. If the transaction is rolled back, the operation still runs, and the
// handler's return values count. An error that is [ErrLeaseLost] means that the
// operation is done, or owned by another attempt: roll back and return.
func (k Kind[Req, Resp, M]) Complete(ctx context.Context, t *Task[M], resp Resp) error {
	if err := k.complete(ctx, t, resp); err != nil {
		return fmt.Errorf("complete %q: %w", t.Name(), err)
	}
	return nil
}

func (k Kind[Req, Resp, M]) complete(ctx context.Context, t *Task[M], resp Resp) error {
	rec := t.attempt.Record()
	if rec.Kind != k.Name {
		return fmt.Errorf("its kind is %q, not %q", rec.Kind, k.Name)
	}
	if _, err := k.of(t.server); err != nil {
		return err
	}
	if isNil(resp) {
		return errors.New("response is nil")
	}
	packed, err := pack(resp)
	if err != nil {
		return fmt.Errorf("encode response: %w", err)
	}
	if err := t.server.checkResult(packed, int(t.attempt.metadata.Load())); err != nil {
		return err
	}
	t.mu.Lock()
	reported := t.reported
	t.mu.Unlock()
	ctx, stop := beyondLease(ctx)
	defer stop()
	_, err = t.server.engine.Complete(ctx, rec.Lease(), engine.Completion{Response: packed, Metadata: reported})
	return leaseError(err)
}

// beyondLease returns a ctx that ends with ctx, unless that ends because the
// attempt no longer owns its operation: that it is so may be the effect of the
// call, whose answer is on its way. Engines refuse the writes of other attempts
// without it.
func beyondLease(ctx context.Context) (context.Context, func()) {
	longer, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		if cause := context.Cause(ctx); !errors.Is(cause, ErrLeaseLost) {
			cancel(cause)
		}
	})
	return longer, func() { stop(); cancel(nil) }
}
