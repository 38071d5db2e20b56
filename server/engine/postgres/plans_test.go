package postgres

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/go-lro/lro/server/engine"
)

// TestKeyedPlans: plans that are made while the tables are empty, and known to be,
// read them by their indexes.
func TestKeyedPlans(t *testing.T) {
	t.Parallel()
	s := newStore(t, &Options{Lease: testLease})
	e := s.open(t)
	table := func(name string) string { return pgx.Identifier{s.opts.Schema, name}.Sanitize() }
	for _, name := range []string{"op", "live"} {
		s.exec(t, "VACUUM ANALYZE "+table(name))
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
	for name, sql := range map[string]string{
		"claim": e.sql.claim, "end": e.sql.end, "endGroup": e.sql.endGroup, "get": e.sql.get, "getMany": e.sql.getMany, "progress": e.sql.progress,
		"watch": e.sql.watch, "mine": e.sql.mine, "owned": e.sql.owned, "lock": e.sql.lock, "updateLive": e.sql.updateLive,
		"endOne": e.sql.endOne, "dropLive": e.sql.dropLive, "hide": e.sql.hide, "remove": e.sql.remove,
	} {
		distinct := make(map[string]bool)
		for _, p := range parameter.FindAllString(sql, -1) {
			distinct[p] = true
		}
		values := strings.TrimSuffix(strings.Repeat("NULL, ", len(distinct)), ", ")
		if _, err := tx.Exec(t.Context(), fmt.Sprintf("PREPARE s_%s AS %s", name, sql)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		rows, err := tx.Query(t.Context(), fmt.Sprintf("EXPLAIN EXECUTE s_%s(%s)", name, values))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if plan := strings.Join(lines, "\n"); strings.Contains(plan, "Seq Scan") || !strings.Contains(plan, "Index") {
			t.Errorf("%s reads a whole table:\n%s", name, plan)
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
