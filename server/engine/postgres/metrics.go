package postgres

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/go-lro/lro/server/engine"
)

var _ engine.Meter = (*Engine)(nil)

// measured is what a process measures of itself.
type measured struct {
	mu             sync.Mutex
	claims         engine.CallMetrics
	renewals       engine.CallMetrics
	failedRenewals int64
}

func (m *measured) claimed(took time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.claims.Count++
	m.claims.Time += took
}

// renewed notes a renewal of the lease, or that it failed.
func (m *measured) renewed(took time.Duration, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !ok {
		m.failedRenewals++
		return
	}
	m.renewals.Count++
	m.renewals.Time += took
}

// Metrics implements [engine.Meter]. It makes two short queries on a connection of
// the engine's own. Dead rows are PostgreSQL's estimate, of the tables op, live and
// proc. Connections are those of the pool and of the engine's own together, without
// the one that listens.
func (e *Engine) Metrics(ctx context.Context) (engine.Metrics, error) {
	m := engine.Metrics{Queues: make(map[string]engine.QueueMetrics), DeadRows: make(map[string]int64), Connections: make(map[string]int64)}
	e.measured.mu.Lock()
	m.Claims, m.Renewals, m.FailedRenewals = e.measured.claims, e.measured.renewals, e.measured.failedRenewals
	e.measured.mu.Unlock()
	err := e.open(ctx)
	if err == nil {
		err = e.own(ctx, func(q querier) error { return e.readMetrics(ctx, q, &m) })
	}
	if err != nil {
		return engine.Metrics{}, fmt.Errorf("measure: %w", e.storeError(ctx, err))
	}
	for _, stat := range []*pgxpool.Stat{e.pool.Stat(), e.ownPool.Stat()} {
		m.Connections["used"] += int64(stat.AcquiredConns())
		m.Connections["idle"] += int64(stat.IdleConns())
	}
	return m, nil
}

func (e *Engine) readMetrics(ctx context.Context, q querier, m *engine.Metrics) error {
	clear(m.Queues)
	clear(m.DeadRows)
	err := each(ctx, q, e.sql.queues, func(r rows) error {
		var kind string
		var depth int64
		var age float64
		err := r.Scan(&kind, &depth, &age)
		m.Queues[kind] = engine.QueueMetrics{Depth: depth, Age: time.Duration(age * float64(time.Second))}
		return err
	})
	if err != nil {
		return err
	}
	return each(ctx, q, `SELECT relname::text, n_dead_tup FROM pg_stat_all_tables WHERE schemaname = $1::text AND relname IN ('op', 'live', 'proc')`,
		func(r rows) error {
			var table string
			var dead int64
			err := r.Scan(&table, &dead)
			m.DeadRows[table] = dead
			return err
		}, e.opts.Schema)
}
