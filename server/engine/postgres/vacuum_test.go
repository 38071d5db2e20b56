package postgres

import (
	"testing"

	"github.com/go-lro/lro/internal/pgserver"
	"github.com/go-lro/lro/internal/pgtest"
)

// TestVacuum: dead rows that a transaction has kept are removed when autovacuum
// comes by after it, also from a table of which they are a small part.
func TestVacuum(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, &pgserver.Options{Settings: []string{"autovacuum_naptime=1s"}})
	s := &store{opts: Options{Schema: DefaultSchema}, url: server.URL("postgres")}
	pool := s.pool(t)
	if _, _, err := Migrate(t.Context(), pool, ""); err != nil {
		t.Fatal(err)
	}
	// It would count the rows one by one.
	s.exec(t, `ALTER TABLE lro.op DISABLE TRIGGER USER`)
	s.exec(t, `INSERT INTO lro.op (seq, tail, parent, kind, flags, create_time, crash_limit, retention, lease_for)
		SELECT nextval('lro.op_seq'), 'abcdefgh', '', 'k', 0, now(), 5, 0, 0 FROM generate_series(1, 50000)`)
	s.exec(t, "VACUUM ANALYZE lro.op")
	held, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := held.Exec(t.Context(), "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM lro.op"); err != nil {
		t.Fatal(err)
	}
	const ends = 5000 // PostgreSQL's default threshold is twice as many
	s.exec(t, "UPDATE lro.op SET state = 3 WHERE seq <= $1", ends)
	dead := func() (n int) {
		err := pool.QueryRow(t.Context(), "SELECT n_dead_tup FROM pg_stat_user_tables WHERE schemaname = 'lro' AND relname = 'op'").Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	until(t, "the dead rows are not counted", func() bool { return dead() >= ends })
	if err := held.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, "dead rows are left after the transaction", func() bool { return dead() == 0 })
}
