package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

var (
	_ engine.Statser   = (*Engine)(nil)
	_ engine.Checker   = (*Engine)(nil)
	_ engine.Historian = (*Engine)(nil)
)

// Stats implements [engine.Statser].
func (e *Engine) Stats(ctx context.Context) (engine.Stats, error) {
	stats := engine.Stats{Counts: make(map[string]map[engine.State]int64)}
	err := e.open(ctx)
	if err == nil {
		err = e.query(ctx, func(q querier) error {
			clear(stats.Counts)
			return each(ctx, q, e.sql.counts, func(r rows) error {
				var kind string
				var state int32
				var n int64
				if err := r.Scan(&kind, &state, &n); err != nil {
					return err
				}
				if stats.Counts[kind] == nil {
					stats.Counts[kind] = make(map[engine.State]int64)
				}
				stats.Counts[kind][engine.State(state)] += n
				return nil
			})
		})
	}
	if err != nil {
		return engine.Stats{}, fmt.Errorf("count operations: %w", e.storeError(ctx, err))
	}
	return stats, nil
}

// Check implements [engine.Checker]: it queries whether the database takes
// changes.
func (e *Engine) Check(ctx context.Context) error {
	err := e.open(ctx)
	if err == nil {
		var readOnly bool
		err = e.query(ctx, func(q querier) error {
			return each(ctx, q, "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on'",
				func(r rows) error { return r.Scan(&readOnly) })
		})
		if err == nil && readOnly {
			err = errReadOnly
		}
	}
	if err != nil {
		return fmt.Errorf("check store: %w", e.storeError(ctx, err))
	}
	return nil
}

var errReadOnly = errors.New("the database takes no changes: it is a standby, or its transactions are read-only")

// History implements [engine.Historian]. Of the checkpoints of an attempt that
// follow each other it has the last one, and of very many events the latest.
func (e *Engine) History(ctx context.Context, name string) ([]engine.Event, error) {
	r, err := e.find(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("read history of operation %q: %w", name, e.storeError(ctx, err))
	}
	return enginekit.Events(r.rec, r.history), nil
}
