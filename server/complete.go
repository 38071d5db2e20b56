package server

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-lro/lro/server/engine"
)

// Complete ends the operation of a task with a response while its handler still
// runs. Handlers need it on an engine that can store the end together with the
// rows that they have written themselves, in one transaction, so that either both
// are there or neither: see postgres.WithTx. ctx carries the transaction. Elsewhere
// it is what returning the response does, only earlier.
//
// After it, and the commit, the handler returns; what it returns then is dropped.
// The handler's context ends with [ErrLeaseLost] once the end is known. When the
// transaction is rolled back, the operation still runs, and what the handler
// returns counts. An error that is [ErrLeaseLost] means that the operation has
// ended, or belongs to another attempt: roll back and return.
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
