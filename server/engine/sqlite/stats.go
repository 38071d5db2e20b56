package sqlite

import (
	"context"
	"fmt"

	"github.com/go-lro/lro/server/engine"
)

var _ engine.Statser = (*Engine)(nil)

// Stats implements [engine.Statser]. The counts are kept with every change, so
// it reads no operations.
func (e *Engine) Stats(ctx context.Context) (engine.Stats, error) {
	if err := ctx.Err(); err != nil {
		return engine.Stats{}, fmt.Errorf("count operations: %w", err)
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.down != nil {
		return engine.Stats{}, fmt.Errorf("count operations: %w", e.down)
	}
	stats := engine.Stats{Counts: make(map[string]map[engine.State]int64)}
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
