package main

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// queries measures the queries of a process. It implements [pgx.QueryTracer] and
// [pgx.BatchTracer].
type queries struct {
	mu           sync.Mutex
	waits        int
	claims, ends []float64 // milliseconds
}

type queryKey struct{}

type query struct {
	begin time.Time
	sql   string
}

// TraceQueryStart implements [pgx.QueryTracer].
func (q *queries) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	return context.WithValue(ctx, queryKey{}, query{time.Now(), data.SQL})
}

// TraceQueryEnd implements [pgx.QueryTracer].
func (q *queries) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryEndData) {
	q.end(ctx)
}

// TraceBatchStart implements [pgx.BatchTracer]. The last query of a batch is what
// the others are for.
func (q *queries) TraceBatchStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	all := data.Batch.QueuedQueries
	return context.WithValue(ctx, queryKey{}, query{time.Now(), all[len(all)-1].SQL})
}

// TraceBatchQuery implements [pgx.BatchTracer].
func (q *queries) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

// TraceBatchEnd implements [pgx.BatchTracer].
func (q *queries) TraceBatchEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchEndData) {
	q.end(ctx)
}

func (q *queries) end(ctx context.Context) {
	began, ok := ctx.Value(queryKey{}).(query)
	if !ok {
		return
	}
	took := milliseconds(time.Since(began.begin))
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case isWait(began.sql):
		q.waits++
	case isClaim(began.sql):
		q.claims = append(q.claims, took)
	case isEnd(began.sql):
		q.ends = append(q.ends, took)
	}
}

// isClaim and isEnd know the statements of the engine and of River.
func isClaim(sql string) bool {
	return strings.Contains(sql, "name: JobGetAvailable") || strings.Contains(sql, "SET owner = $1::bigint, fence = l.fence + 1")
}

func isEnd(sql string) bool {
	return strings.Contains(sql, "name: JobSetStateIfRunningMany") || strings.Contains(sql, "FROM gone g WHERE o.seq = g.seq")
}

// isWait reports whether a statement of the engine reads what is waited for.
func isWait(sql string) bool {
	return strings.HasSuffix(sql, "WHERE o.seq = ANY($1::bigint[])") || strings.Contains(sql, "FROM unnest($1::bigint[]) AS s")
}

// take returns what was measured since the last call.
func (q *queries) take() (claims, ends []float64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	claims, ends = q.claims, q.ends
	q.claims, q.ends = nil, nil
	return claims, ends
}

// waited returns how many queries read what is waited for.
func (q *queries) waited() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.waits
}
