package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/go-lro/lro/server/engine"
)

// TestSweepBesideHeldTransaction: operations that have expired are removed while a
// transaction keeps their rows, and what looks for more does not read those again.
// What has expired before and was committed late is found nevertheless.
func TestSweepBesideHeldTransaction(t *testing.T) {
	t.Parallel()
	const expired = 3000
	s := newStore(t, &Options{Lease: testLease})
	schema := pgx.Identifier{s.opts.Schema}.Sanitize()
	pool := s.pool(t)
	held, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer held.Rollback(t.Context())
	if _, err := held.Exec(t.Context(), "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class"); err != nil {
		t.Fatal(err)
	}
	insert := func(n int) {
		s.exec(t, fmt.Sprintf(`INSERT INTO %[1]s.op (seq, tail, parent, kind, state, flags, create_time, crash_limit, retention, lease_for,
				attempt, crashes, releases, fence, revision, update_time, end_time, expire_time, history, result)
			SELECT nextval('%[2]s.op_seq'), 'abcdefgh', '', 'k', 3, 0, now(), 5, 1, 0, 1, 0, 0, 1, 3, now(), now(), now() - i * interval '1 minute', '[]', ''
			FROM generate_series(1, %[3]d) i`, schema, strings.ReplaceAll(schema, "'", "''"), n))
	}
	insert(expired)
	var last atomic.Pointer[time.Time] // from when on the last sweep has looked for more
	e := s.openTraced(t, func(trip []*pgx.QueuedQuery) {
		if q := trip[0]; strings.Contains(q.SQL, "min(expire_time)") {
			from := q.Arguments[len(q.Arguments)-1].(time.Time)
			last.Store(&from)
		}
	})
	until(t, "not all were removed", func() bool { return s.count(t, "op") == 0 })
	until(t, "sweeps look for all", func() bool { from := last.Load(); return from != nil && time.Since(*from) < time.Hour })
	buffers := func(from time.Time) int {
		t.Helper()
		var text string
		err := pool.QueryRow(t.Context(), "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "+e.sql.nextEvents, pgx.QueryExecModeExec, from).Scan(&text)
		if err != nil {
			t.Fatal(err)
		}
		var plans []struct {
			Plan struct {
				Hit int `json:"Shared Hit Blocks"`
			}
		}
		if err := json.Unmarshal([]byte(text), &plans); err != nil {
			t.Fatal(err)
		}
		return plans[0].Plan.Hit
	}
	if all, some := buffers(time.Time{}), buffers(*last.Load()); some > 20 || all < 40 {
		t.Errorf("the look for the next reads %d buffers, and %d for all; want few, and many", some, all)
	}
	insert(1) // expired a minute ago
	until(t, "what was committed late was not removed", func() bool { return s.count(t, "op") == 0 })
}

// TestSweepBesideLock: what has expired and is locked is not looked at all the time,
// and is removed once it can be.
func TestSweepBesideLock(t *testing.T) {
	t.Parallel()
	s := newStore(t, &Options{Lease: testLease})
	starter := s.open(t)
	rec := mustStart(t, starter, engine.Spec{External: true, Retention: time.Hour})
	if _, err := starter.Complete(t.Context(), rec.Lease(), engine.Completion{Response: text("done")}); err != nil {
		t.Fatal(err)
	}
	table := pgx.Identifier{s.opts.Schema, "op"}.Sanitize()
	held, err := s.pool(t).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer held.Rollback(t.Context())
	if err := starter.Close(); err != nil {
		t.Fatal(err)
	}
	s.exec(t, "UPDATE "+table+" SET expire_time = now() - interval '1 second'")
	if _, err := held.Exec(t.Context(), "SELECT FROM "+table+" FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	var sweeps atomic.Int64
	begin := time.Now()
	s.openTraced(t, func(trip []*pgx.QueuedQuery) {
		if strings.Contains(trip[0].SQL, "min(expire_time)") {
			sweeps.Add(1)
		}
	})
	time.Sleep(3 * time.Second) // sleep: PostgreSQL has its own time
	if n, most := sweeps.Load(), int64(time.Since(begin)/(sweepEvery/2))+8; n > most {
		t.Errorf("%d sweeps while an operation was locked, want at most %d", n, most)
	}
	if err := held.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, "it was not removed", func() bool { return s.count(t, "op") == 0 })
}

// TestClaimsMoveTheirMark: claims do not look again at what was claimed long ago.
func TestClaimsMoveTheirMark(t *testing.T) {
	t.Parallel()
	s := newStore(t, &Options{Lease: testLease})
	var mark atomic.Int64
	e := s.openTraced(t, func(trip []*pgx.QueuedQuery) {
		for _, q := range trip {
			if strings.Contains(q.SQL, "SET owner = $1::bigint, fence = l.fence + 1") {
				mark.Store(slices.Max(q.Arguments[2].([]int64)))
			}
		}
	})
	// So many that each claim finds some.
	var starting sync.WaitGroup
	for range 8 {
		starting.Go(func() {
			for range 100 {
				if _, err := e.Start(t.Context(), engine.Spec{Kind: "k"}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	starting.Wait()
	ctx, stop := context.WithCancel(t.Context())
	var working sync.WaitGroup
	working.Go(func() {
		err := e.Work(ctx, engine.Worker{Kinds: map[string]int{"k": 4}, Run: func(ctx context.Context, _ engine.Attempt) engine.Outcome {
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
			}
			return engine.Outcome{Response: text("ran")}
		}})
		if err != nil {
			t.Errorf("Work() = %v", err)
		}
	})
	defer working.Wait()
	defer stop()
	for begin := time.Now(); mark.Load() == 0; <-time.After(20 * time.Millisecond) {
		if s.count(t, "live") == 0 || time.Since(begin) > elsewhere {
			t.Fatal("all claims look from the first operation on")
		}
	}
}
