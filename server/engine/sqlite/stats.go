package sqlite

import (
	"context"
	"fmt"

	"github.com/go-lro/lro/server/engine"
)

var (
	_ engine.Statser = (*Engine)(nil)
	_ engine.Checker = (*Engine)(nil)
)

// Stats implements [engine.Statser]. The counts are kept with every change, so
// it reads no operations. Bytes has "database" and "log".
func (e *Engine) Stats(ctx context.Context) (engine.Stats, error) {
	if err := ctx.Err(); err != nil {
		return engine.Stats{}, fmt.Errorf("count operations: %w", err)
	}
	sizes := e.owned.sizes() // not under the lock: a disk may take its time
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.down != nil {
		return engine.Stats{}, fmt.Errorf("count operations: %w", e.down)
	}
	stats := engine.Stats{Counts: make(map[string]map[engine.State]int64), Bytes: sizes}
	for k, n := range e.counts {
		if n == 0 {
			continue
		}
		if stats.Counts[k.kind] == nil {
			stats.Counts[k.kind] = make(map[engine.State]int64)
		}
		stats.Counts[k.kind][k.state] = n
	}
	return stats, nil
}

// Check implements [engine.Checker]. While the last commit succeeded it only
// makes sure that the files are there; after a failed one it writes.
func (e *Engine) Check(ctx context.Context) error {
	err := e.isDown()
	if err == nil {
		err = e.owned.checkFiles()
	}
	if err == nil && e.refused.Load() {
		err = e.write(ctx, 0, func(b *batch) error { return b.becomeOwner() })
	}
	if err != nil {
		return fmt.Errorf("check store: %w", err)
	}
	return ctx.Err()
}
