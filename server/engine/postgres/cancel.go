package postgres

import (
	"context"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// Cancel implements [engine.Engine].
func (e *Engine) Cancel(ctx context.Context, name string) (*engine.Record, error) {
	return e.change(ctx, "cancel", name, func(r *row) (*row, error) {
		switch {
		case r.hidden:
			return nil, engine.ErrNotFound
		case r.rec.State.Terminal() || !r.rec.CancelTime.IsZero():
			return r, nil
		}
		at := r.at()
		after := r.edit()
		after.rec.CancelTime = at
		if r.rec.State == engine.Pending {
			// An earlier attempt may still believe that it owns the operation.
			after.rec.Fence++
			after.rec.State, after.rec.Error = enginekit.Ending(enginekit.Cancelled())
			after.end(at)
			return after, nil
		}
		after.rec.UpdateTime = at
		after.rec.Revision++
		return after, nil
	})
}

// Delete implements [engine.Engine].
func (e *Engine) Delete(ctx context.Context, name string) error {
	_, err := e.change(ctx, "delete", name, func(r *row) (*row, error) {
		switch {
		case r.hidden:
			return nil, engine.ErrNotFound
		case !r.live: // has ended, or is damaged
			return nil, nil
		}
		after := r.edit()
		after.hidden = true
		return after, nil
	})
	return err
}
