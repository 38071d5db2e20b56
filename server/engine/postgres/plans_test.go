package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// TestKeyedPlans: plans that are made while the tables are empty, and known to be,
// read them by their indexes. A plan that cannot would cost so much that PostgreSQL
// compiles it.
func TestKeyedPlans(t *testing.T) {
	t.Parallel()
	s := newStore(t, &Options{Lease: testLease})
	// Those that are sent in batches, which all forbid plans that read whole tables.
	var mu sync.Mutex
	keyed := make(map[string]bool)
	e := s.openTraced(t, func(trip []*pgx.QueuedQuery) {
		mu.Lock()
		defer mu.Unlock()
		for _, q := range trip {
			if len(trip) > 1 && (strings.Contains(q.SQL, "FROM") || strings.Contains(q.SQL, "UPDATE")) {
				keyed[q.SQL] = true
			}
		}
	})
	// Two run and report until they are cancelled, the others end at once.
	work(t, e, func(ctx context.Context, a engine.Attempt) engine.Outcome {
		if a.Record().RequestID == "" {
			return engine.Outcome{Response: text("ran")}
		}
		if err := a.Save(ctx, []byte("saved")); err != nil {
			t.Errorf("Save() = %v", err)
		}
		a.Report(text("progress"))
		<-ctx.Done()
		return engine.Outcome{Error: enginekit.Cancelled()}
	})
	first := mustStart(t, e, engine.Spec{RequestID: "first"})
	var others sync.WaitGroup
	for range 50 {
		others.Go(func() {
			rec, err := e.Start(t.Context(), engine.Spec{Kind: "k"})
			if err == nil {
				_, err = e.Wait(t.Context(), rec.Name)
			}
			if err != nil {
				t.Errorf("start and wait = %v", err)
			}
		})
	}
	others.Wait()
	last := mustStart(t, e, engine.Spec{RequestID: "last"})
	// What is waited for is read again: one, and then two with many between.
	for _, names := range [][]string{{first.Name}, {first.Name, last.Name}} {
		waiting, cancel := context.WithTimeout(t.Context(), 2*listeningPoll)
		defer cancel()
		var waits sync.WaitGroup
		for _, name := range names {
			waits.Go(func() {
				if _, err := e.Wait(waiting, name); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Wait() = %v, want a deadline", err)
				}
			})
		}
		waits.Wait()
	}
	for _, change := range []func() error{
		func() error { _, err := e.Cancel(t.Context(), first.Name); return err },
		func() error { _, err := e.Cancel(t.Context(), last.Name); return err },
		func() error { _, err := e.Wait(t.Context(), last.Name); return err },
		func() error { _, err := e.Wait(t.Context(), first.Name); return err },
		func() error { return e.Delete(t.Context(), first.Name) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"op", "live"} {
		s.exec(t, "TRUNCATE "+pgx.Identifier{s.opts.Schema, name}.Sanitize())
		s.exec(t, "VACUUM ANALYZE "+pgx.Identifier{s.opts.Schema, name}.Sanitize())
	}
	mu.Lock()
	found := maps.Clone(keyed) // it is called for what follows, too
	mu.Unlock()
	for _, sql := range []string{e.sql.claim, e.sql.endGroup, e.sql.getMany, e.sql.progress, e.sql.watch, e.sql.watchRange, e.sql.mine, e.sql.get, e.sql.updateLive, e.sql.remove} {
		if !found[sql] {
			t.Errorf("not among the statements that find rows by their keys: %s", sql)
		}
	}
	tx, err := e.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }()
	if _, err := tx.Exec(t.Context(), setKeyed); err != nil {
		t.Fatal(err)
	}
	parameter := regexp.MustCompile(`\$\d+`)
	n := 0
	for sql := range found {
		n++
		distinct := make(map[string]bool)
		for _, p := range parameter.FindAllString(sql, -1) {
			distinct[p] = true
		}
		values := ""
		if len(distinct) > 0 {
			values = "(" + strings.TrimSuffix(strings.Repeat("NULL, ", len(distinct)), ", ") + ")"
		}
		if _, err := tx.Exec(t.Context(), fmt.Sprintf("PREPARE s%d AS %s", n, sql)); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		rows, err := tx.Query(t.Context(), fmt.Sprintf("EXPLAIN EXECUTE s%d%s", n, values))
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		if plan := strings.Join(lines, "\n"); strings.Contains(plan, "Seq Scan") || strings.Contains(plan, "JIT") {
			t.Errorf("reads a whole table: %s\n%s", sql, plan)
		}
	}
}

// TestSettingsOfTransaction: a caller's transaction keeps its settings.
func TestSettingsOfTransaction(t *testing.T) {
	t.Parallel()
	s := newStore(t, &Options{Lease: testLease})
	e := s.open(t)
	settings := func(ctx context.Context, tx pgx.Tx) map[string]string {
		t.Helper()
		rows, err := tx.Query(ctx, "SELECT name, setting FROM pg_settings WHERE name NOT LIKE '%.%'")
		if err != nil {
			t.Fatal(err)
		}
		found := make(map[string]string)
		var name, value string
		_, err = pgx.ForEachRow(rows, []any{&name, &value}, func() error { found[name] = value; return nil })
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	inside := func(ctx context.Context, f func(context.Context) error) error {
		return e.InTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "SET LOCAL lock_timeout = '3s'; SET LOCAL enable_seqscan = on; SET LOCAL plan_cache_mode = 'force_custom_plan'"); err != nil {
				return err
			}
			before := settings(ctx, tx)
			if err := f(ctx); err != nil {
				return err
			}
			if diff := cmp.Diff(before, settings(ctx, tx)); diff != "" {
				t.Errorf("settings (-before +after):\n%s", diff)
			}
			return nil
		})
	}
	work(t, e, func(ctx context.Context, a engine.Attempt) engine.Outcome {
		err := inside(ctx, func(ctx context.Context) error {
			if err := a.Save(ctx, []byte("saved")); err != nil {
				return err
			}
			_, err := e.Complete(ctx, a.Record().Lease(), engine.Completion{Response: text("inside")})
			return err
		})
		if err != nil {
			t.Errorf("save and complete = %v", err)
		}
		return engine.Outcome{Response: text("outside")}
	})
	var rec *engine.Record
	err := inside(t.Context(), func(ctx context.Context) (err error) {
		rec, err = e.Start(ctx, engine.Spec{Kind: "k", RequestID: "id"})
		return err
	})
	if err != nil {
		t.Fatalf("Start() = %v", err)
	}
	if end, err := e.Wait(t.Context(), rec.Name); err != nil || string(end.Checkpoint) != "saved" {
		t.Errorf("Wait() = %v, %v; want the checkpoint", end, err)
	}
}
