package postgres

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/go-lro/lro/server/engine"
)

// TestLateClaim: a claim that runs after its process has given it up claims nothing, and
// an operation claimed by one that was under way is not left without an attempt. A claim
// runs late when its process was stopped, the server is busy, or the network held it.
func TestLateClaim(t *testing.T) {
	t.Parallel()
	// of another engine; the first one does not work.
	runs := func(t *testing.T, s *store, name string, crashes int) {
		t.Helper()
		work(t, s.open(t), func(context.Context, engine.Attempt) engine.Outcome { return engine.Outcome{Response: text("ran")} })
		ctx, cancel := context.WithTimeout(t.Context(), elsewhere)
		defer cancel()
		if rec, err := s.last.Wait(ctx, name); err != nil || rec.State != engine.Succeeded || rec.Crashes != crashes {
			t.Errorf("Wait() = %v, %v; want success with %d crashes", rec, err, crashes)
		}
	}
	for name, over := range map[string]struct {
		end     func(t *testing.T, e *Engine, owner int64) error // has the claim be late
		crashes int                                              // of what a claim that is under way has claimed
	}{
		"another claim follows": {func(t *testing.T, e *Engine, owner int64) error { return e.loseClaim(t.Context(), owner) }, 0},
		"the process leaves":    {func(_ *testing.T, e *Engine, _ int64) error { return e.Close() }, 1},
	} {
		late := func(t *testing.T) (s *store, e *Engine, owner int64, rec *engine.Record, claim func(pgx.Tx) int) {
			s = newStore(t, &Options{Lease: testLease})
			e = s.open(t)
			owner, started, err := e.process.id(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return s, e, owner, mustStart(t, e, engine.Spec{}), func(tx pgx.Tx) (n int) {
				t.Helper()
				rows, err := tx.Query(t.Context(), e.sql.claim, owner, []string{"k"}, []int64{0}, []int32{10}, 10, started)
				if err == nil {
					for rows.Next() {
						n++
					}
					err = rows.Err()
				}
				if err != nil {
					t.Fatal(err)
				}
				return n
			}
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, e, owner, rec, claim := late(t)
			if err := over.end(t, e, owner); err != nil {
				t.Fatal(err)
			}
			tx := s.begin(t)
			if n := claim(tx); n != 0 {
				t.Errorf("the claim has %d operations, want none", n)
			}
			if err := tx.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
			runs(t, s, rec.Name, 0)
		})
		t.Run(name+" while it is under way", func(t *testing.T) {
			t.Parallel()
			s, e, owner, rec, claim := late(t)
			tx := s.begin(t)
			if n := claim(tx); n != 1 {
				t.Errorf("the claim has %d operations, want one", n)
			}
			ended := make(chan error, 1)
			go func() { ended <- over.end(t, e, owner) }()
			if err := waited(t.Context(), tx); err != nil {
				t.Fatal(err)
			}
			if err := tx.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
			runs(t, s, rec.Name, over.crashes)
		})
	}
}

// TestIdleClaim: a claim that finds nothing writes nothing, and so waits for no disk.
func TestIdleClaim(t *testing.T) {
	t.Parallel()
	s := newStore(t, &Options{})
	e := s.open(t)
	owner, started, err := e.process.id(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tx := s.begin(t)
	claim := func() (writes bool) {
		_, err := tx.Exec(t.Context(), e.sql.claim, owner, []string{"k"}, []int64{0}, []int32{10}, 10, started)
		if err == nil {
			err = tx.QueryRow(t.Context(), "SELECT pg_current_xact_id_if_assigned() IS NOT NULL").Scan(&writes)
		}
		if err != nil {
			t.Fatal(err)
		}
		return writes
	}
	mustStart(t, e, engine.Spec{Kind: "other"})
	if claim() {
		t.Error("a claim that finds nothing has written")
	}
	mustStart(t, e, engine.Spec{})
	if !claim() {
		t.Error("a claim that finds an operation has not written")
	}
}
