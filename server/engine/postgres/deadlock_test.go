package postgres

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/go-lro/lro/server/engine"
)

// TestDeadlock: a transaction of the engine that the server ends because of a
// deadlock is repeated.
func TestDeadlock(t *testing.T) {
	t.Parallel()
	s := newStore(t, &Options{Lease: testLease})
	e := s.open(t)
	rec := mustStart(t, e, engine.Spec{External: true})
	seq := seqOf(t, rec)
	// The other one takes the locks in the other order, and is never the victim.
	tx, err := s.pool(t).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(t.Context()) }()
	table := func(name string) string { return pgx.Identifier{s.opts.Schema, name}.Sanitize() }
	for _, sql := range []string{"SET LOCAL deadlock_timeout = '1h'", "SELECT FROM " + table("op") + " FOR UPDATE"} {
		if _, err := tx.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	ended := make(chan error, 1)
	go func() {
		_, err := e.Complete(t.Context(), rec.Lease(), engine.Completion{Response: text("end")})
		ended <- err
	}()
	begin := time.Now()
	for waits := false; !waits; {
		err := e.own(t.Context(), func(q querier) error {
			return each(t.Context(), q, "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND transactionid IS NOT NULL AND pid IN "+
				"(SELECT pid FROM pg_locks WHERE relation = $1::text::regclass)", func(r rows) error { return r.Scan(&waits) }, table("live"))
		})
		if err != nil {
			t.Fatal(err)
		}
		if time.Since(begin) > elsewhere {
			t.Fatal("Complete() does not wait for the lock of another transaction")
		}
	}
	if _, err := tx.Exec(t.Context(), "SELECT FROM "+table("live")+" WHERE seq = $1 FOR UPDATE", seq); err != nil {
		t.Fatalf("the other transaction was the victim: %v", err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("Complete() after a deadlock = %v", err)
	}
	if end, err := e.Get(t.Context(), rec.Name); err != nil || end.State != engine.Succeeded {
		t.Errorf("Get() = %v, %v; want success", end, err)
	}
}
