package sqlite

import (
	"context"
	"fmt"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// Wait implements [engine.Engine]. It costs nothing while the operation runs: its
// end wakes the waiters.
func (e *Engine) Wait(ctx context.Context, name string) (*engine.Record, error) {
	rec, err := e.wait(ctx, name)
	if err != nil {
		return rec, fmt.Errorf("wait for operation %q: %w", name, err)
	}
	return rec, nil
}

func (e *Engine) wait(ctx context.Context, name string) (*engine.Record, error) {
	seq, ok := enginekit.ParseSeqName(name)
	if !ok {
		return nil, engine.ErrNotFound
	}
	// Joined before the state is read, so that no end falls between.
	w := e.waits.Join(seq)
	defer w.Leave()
	r, err := e.find(context.WithoutCancel(ctx), name)
	if err != nil {
		return nil, err
	}
	if r.rec.State.Terminal() {
		return r.rec, nil
	}
	select {
	case <-w.Done():
	case <-ctx.Done():
	}
	if enginekit.IsClosed(w.Done()) { // also when both are at once
		return w.Result()
	}
	if latest := e.visible(seq); latest != nil && !latest.rec.State.Terminal() {
		r = latest
	}
	return r.rec, ctx.Err()
}
