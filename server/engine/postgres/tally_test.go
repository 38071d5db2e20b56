package postgres

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"google.golang.org/genproto/googleapis/rpc/code"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// recount returns what Stats should, by reading every operation.
func (s *store) recount(t *testing.T) map[string]map[engine.State]int64 {
	t.Helper()
	counts := make(map[string]map[engine.State]int64)
	rows, err := s.pool(t).Query(t.Context(), fmt.Sprintf(`
		SELECT o.kind, coalesce(o.state, CASE WHEN l.owner IS NULL THEN 1 ELSE 2 END), count(*)
		FROM %[1]s.op o LEFT JOIN %[1]s.live l ON l.seq = o.seq WHERE NOT coalesce(l.hidden, false) GROUP BY 1, 2`,
		pgx.Identifier{s.opts.Schema}.Sanitize()))
	if err != nil {
		t.Fatal(err)
	}
	var kind string
	var state int32
	var n int64
	_, err = pgx.ForEachRow(rows, []any{&kind, &state, &n}, func() error {
		if counts[kind] == nil {
			counts[kind] = make(map[engine.State]int64)
		}
		counts[kind][engine.State(state)] += n
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return counts
}

// wantCounts compares what both count with what is there.
func (s *store) wantCounts(t *testing.T, engines ...*Engine) {
	t.Helper()
	want := s.recount(t)
	for i, e := range engines {
		got, err := e.Stats(t.Context())
		if err != nil {
			t.Fatalf("Stats() of engine %d = %v", i, err)
		}
		if diff := cmp.Diff(want, got.Counts); diff != "" {
			t.Errorf("Stats() of engine %d (-want +got):\n%s", i, diff)
		}
	}
}

// TestTally: two processes start, end, cancel, delete and expire operations at the
// same time and sum up the counts meanwhile. Both count what is there.
func TestTally(t *testing.T) {
	t.Parallel()
	s := newStore(t, &Options{Lease: testLease})
	engines := []*Engine{s.openOn(t, s.pool(t)), s.openOn(t, s.pool(t))}
	var callers sync.WaitGroup
	for i, e := range engines {
		work(t, e, func(_ context.Context, a engine.Attempt) engine.Outcome {
			if strings.HasSuffix(a.Record().RequestID, "3") {
				return engine.Outcome{Error: enginekit.Status(code.Code_INTERNAL, "no")}
			}
			return engine.Outcome{Response: text("ran")}
		})
		other := engines[1-i]
		for c := range 4 {
			callers.Go(func() {
				for n := range 25 {
					kind := "k" // is run
					if n%5 == 1 {
						kind = "idle"
					}
					spec := engine.Spec{Kind: kind, RequestID: fmt.Sprint(i, c, n)}
					if n%5 == 2 {
						spec.Retention = time.Millisecond
					}
					rec, err := e.Start(t.Context(), spec)
					if err == nil && kind == "idle" {
						_, err = other.Cancel(t.Context(), rec.Name)
					} else if err == nil && n%5 == 4 {
						if _, err = other.Wait(t.Context(), rec.Name); err == nil {
							err = other.Delete(t.Context(), rec.Name)
						}
					} else if err == nil && spec.Retention == 0 {
						_, err = e.Wait(t.Context(), rec.Name)
					}
					if err == nil && n%10 == 0 {
						err = e.compact(t.Context(), 3)
					}
					if err != nil {
						t.Errorf("operation %s: %v", spec.RequestID, err)
					}
				}
			})
		}
	}
	callers.Wait()
	s.settled(t)
	s.wantCounts(t, engines...)
	if err := engines[0].compact(t.Context(), 0); err != nil {
		t.Fatalf("compact() = %v", err)
	}
	s.wantCounts(t, engines...)
	if n, want := s.count(t, "tally"), 3; n != want { // k SUCCEEDED and FAILED, idle CANCELLED
		t.Errorf("%d rows of counts are left, want %d", n, want)
	}
}

// settled waits until nothing runs and nothing is left that expires.
func (s *store) settled(t *testing.T) {
	t.Helper()
	for range 2000 {
		if s.count(t, "live") == 0 && s.count(t, "op WHERE expire_time IS NOT NULL") == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond) // sleep: PostgreSQL has its own time
	}
	t.Fatal("operations are left")
}

func (s *store) count(t *testing.T, from string) (n int) {
	t.Helper()
	pool := s.pool(t)
	defer pool.Close() // it is called again and again
	err := pool.QueryRow(t.Context(), "SELECT count(*) FROM "+pgx.Identifier{s.opts.Schema}.Sanitize()+"."+from).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestTallyMigration: a schema of version 1 has operations that are done, and a
// program that knows no other version. What it does before, during and after the
// migration is counted, with a role that was given no rights on the table.
func TestTallyMigration(t *testing.T) {
	t.Parallel()
	s := newStore(t, &Options{Lease: testLease})
	schema := pgx.Identifier{s.opts.Schema}.Sanitize()
	for _, sql := range []string{
		"DROP TABLE %s.tally", "DROP FUNCTION %s.tally_changes() CASCADE", "UPDATE %s.version SET version = 1",
	} {
		s.exec(t, fmt.Sprintf(sql, schema))
	}
	role := s.newRole(t, "secret")
	for _, grant := range runGrants {
		if !strings.Contains(grant, "tally") {
			s.exec(t, "GRANT "+strings.ReplaceAll(grant, "{schema}", schema)+" TO "+role)
		}
	}
	pool := s.pool(t, as(role))
	if e, err := Open(t.Context(), pool, &s.opts); err == nil || !strings.Contains(err.Error(), "version 1") {
		if err == nil {
			_ = e.Close()
		}
		t.Errorf("Open() of version 1 = %v, want it to name the version", err)
	}
	// The statements of the old program.
	var seq int64
	old := func(n int) {
		for range n {
			err := pool.QueryRow(t.Context(), fmt.Sprintf(`INSERT INTO %[1]s.op (seq, tail, parent, kind, flags, create_time, crash_limit, retention, lease_for)
				VALUES (nextval('%[2]s'), 'abcdefgh', '', 'old', 0, now(), 5, 0, 0) RETURNING seq`, schema, strings.ReplaceAll(schema, "'", "''")+".op_seq")).Scan(&seq)
			if err == nil {
				_, err = pool.Exec(t.Context(), "UPDATE "+schema+".op SET state = 3, end_time = now() WHERE seq = $1", seq)
			}
			if err == nil && seq%4 == 0 {
				_, err = pool.Exec(t.Context(), "DELETE FROM "+schema+".op WHERE seq = $1", seq)
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	}
	old(50)
	var running sync.WaitGroup
	running.Go(func() { old(200) })
	from, to, err := Migrate(t.Context(), s.pool(t), s.opts.Schema)
	if err != nil || from != 1 || to != newest {
		t.Fatalf("Migrate() = %d, %d, %v; want 1, %d", from, to, err, newest)
	}
	running.Wait()
	old(10)
	e := s.openOn(t, pool) // the role has its rights on the new table
	workLives(t, e)
	live(t, e)
	s.settled(t)
	s.wantCounts(t, e)
}
