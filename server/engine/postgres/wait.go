package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// Wait implements [engine.Engine]. All waiters of a process share the queries
// that find the ends they wait for.
func (e *Engine) Wait(ctx context.Context, name string) (*engine.Record, error) {
	rec, err := e.wait(ctx, name)
	if err != nil {
		return rec, fmt.Errorf("wait for operation %q: %w", name, e.storeError(ctx, err))
	}
	return rec, nil
}

func (e *Engine) wait(ctx context.Context, name string) (*engine.Record, error) {
	seq, ok := enginekit.ParseSeqName(name)
	if !ok {
		if err := e.open(context.WithoutCancel(ctx)); err != nil {
			return nil, err
		}
		return nil, engine.ErrNotFound
	}
	// Joined before the state is read, so that no end falls between.
	w := e.waits.Join(seq)
	defer w.Leave()
	last, cancel := lastRead(ctx)
	defer cancel()
	r, err := e.find(last, name)
	if err != nil {
		return nil, err
	}
	if r.rec.State.Terminal() {
		return r.rec, nil
	}
	kick(e.watchKick)
	select {
	case <-w.Done():
	case <-ctx.Done():
	}
	if enginekit.IsClosed(w.Done()) { // also when both are at once
		end, err := w.Result()
		if err != nil {
			return nil, err
		}
		return completed(r.rec, end), nil
	}
	latest, err := e.find(last, name)
	switch {
	case errors.Is(err, engine.ErrNotFound):
		return nil, err
	case err != nil:
		return e.shown(r), ctx.Err()
	case latest.rec.State.Terminal():
		return latest.rec, nil
	}
	return e.shown(latest), ctx.Err()
}

// lastReadGrace is how long a wait may outlast its ctx to read the latest state.
const lastReadGrace = time.Second

// lastRead returns a ctx that ends a little later than ctx.
func lastRead(ctx context.Context) (context.Context, context.CancelFunc) {
	later, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		enginekit.Pause(later, lastReadGrace)
		cancel()
	})
	return later, func() { stop(); cancel() }
}
