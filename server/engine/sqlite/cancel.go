package sqlite

import (
	"context"
	"fmt"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// Cancel implements [engine.Engine].
func (e *Engine) Cancel(ctx context.Context, name string) (*engine.Record, error) {
	return e.change(ctx, "cancel", name, func(b *batch) (*row, error) {
		r, err := b.findVisible(name)
		if err != nil {
			return nil, err
		}
		if r.rec.State.Terminal() || !r.rec.CancelTime.IsZero() {
			return r, nil
		}
		at := now()
		after := r.edit()
		after.rec.CancelTime = at
		if r.rec.State == engine.Pending {
			// An earlier attempt may still believe that it owns the operation.
			after.rec.Fence++
			return after, b.failWith(r, after, enginekit.Cancelled(), at)
		}
		after.rec.UpdateTime = at
		after.rec.Revision++
		_, err = b.update(r, after)
		return after, err
	})
}

// Delete implements [engine.Engine].
func (e *Engine) Delete(ctx context.Context, name string) error {
	_, err := e.change(ctx, "delete", name, func(b *batch) (*row, error) {
		r, err := b.findVisible(name)
		if err != nil {
			return nil, err
		}
		if r.rec.State.Terminal() || !isState(r.rec.State) {
			_, err := b.remove(r)
			return r, err
		}
		if err := b.forgetRequestID(r); err != nil {
			return nil, err
		}
		after := r.edit()
		after.flags |= flagHidden
		_, err = b.update(r, after)
		return after, err
	})
	return err
}

// change runs apply on the writer and returns the record of what it returns.
func (e *Engine) change(ctx context.Context, doing, name string, apply func(*batch) (*row, error)) (*engine.Record, error) {
	var rec *engine.Record
	err := e.write(ctx, 0, func(b *batch) error {
		r, err := apply(b)
		if err != nil {
			return err
		}
		rec = r.rec
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%s operation %q: %w", doing, name, err)
	}
	return rec, nil
}

// findVisible returns the operation of a name that was not deleted.
func (b *batch) findVisible(name string) (*row, error) {
	r, err := b.find(name)
	if err != nil {
		return nil, err
	}
	if r.hidden() {
		return nil, engine.ErrNotFound
	}
	return r, nil
}
