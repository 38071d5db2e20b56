package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/go-lro/lro/internal/cutproxy"
	"github.com/go-lro/lro/internal/pgtest"
	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// newPool returns a pool of the shared server.
func newPool(t *testing.T) *pgxpool.Pool {
	t.Helper()
	return (&store{url: pgtest.URL(t)}).pool(t, new(cutproxy.Dialer))
}

func dropSchema(t *testing.T, pool *pgxpool.Pool, schema string) {
	t.Helper()
	t.Cleanup(func() {
		if _, err := pool.Exec(context.Background(), "DROP SCHEMA IF EXISTS "+pgx.Identifier{schema}.Sanitize()+" CASCADE"); err != nil {
			t.Error(err)
		}
	})
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	schema := `"odd'; name` + enginekit.Random(6)
	dropSchema(t, pool, schema)
	_, err := Open(t.Context(), pool, &Options{Schema: schema})
	if !errors.Is(err, ErrNoSchema) {
		t.Errorf("Open() of no schema = %v, want %v", err, ErrNoSchema)
	}
	// Several programs at once.
	var migrating sync.WaitGroup
	made := make([]int, 4)
	for i := range made {
		migrating.Go(func() {
			from, to, err := Migrate(t.Context(), pool, schema)
			if err != nil || to != newest {
				t.Errorf("Migrate() = %d, %d, %v; want version %d", from, to, err, newest)
			}
			if from == 0 {
				made[i] = 1
			}
		})
	}
	migrating.Wait()
	if n := made[0] + made[1] + made[2] + made[3]; n != 1 {
		t.Errorf("%d calls of Migrate found nothing, want 1", n)
	}
	eng, err := Open(t.Context(), pool, &Options{Schema: schema})
	if err != nil {
		t.Fatalf("Open() = %v", err)
	}
	defer eng.Close()
	other, err := Open(t.Context(), pool, &Options{Schema: schema})
	if err != nil {
		t.Fatalf("Open() = %v", err)
	}
	defer other.Close()
	if len(eng.PageKey()) < 16 || string(eng.PageKey()) != string(other.PageKey()) {
		t.Errorf("PageKey() = %x and %x, want the same", eng.PageKey(), other.PageKey())
	}
	rec, err := eng.Start(t.Context(), engine.Spec{Kind: "k"})
	if err != nil {
		t.Fatalf("Start() = %v", err)
	}
	if got, err := other.Get(t.Context(), rec.Name); err != nil || got.Name != rec.Name {
		t.Errorf("Get() = %v, %v", got, err)
	}
}

// TestSchemaVersion: a schema of a newer program is used if it says that this one
// may, and an older one is refused, naming both versions.
func TestSchemaVersion(t *testing.T) {
	t.Parallel()
	s := newStore(t, &Options{})
	pool := s.pool(t, new(cutproxy.Dialer))
	table := pgx.Identifier{s.opts.Schema, "version"}.Sanitize()
	for _, tt := range []struct {
		version, compatible int
		want                []string // in the error; nil for none
	}{
		{newest, newest, nil},
		{newest + 4, newest, nil},
		{newest + 4, newest + 2, []string{fmt.Sprint("version ", newest+4), fmt.Sprint("know version ", newest+2), fmt.Sprint("knows version ", newest)}},
		{oldest - 1, oldest - 1, []string{fmt.Sprint("version ", oldest-1), fmt.Sprint("version ", oldest), "lro migrate"}},
	} {
		s.exec(t, "UPDATE "+table+" SET version = $1, compatible = $2", tt.version, tt.compatible)
		eng, err := Open(t.Context(), pool, &s.opts)
		if err == nil {
			if err := eng.Close(); err != nil {
				t.Error(err)
			}
		}
		if (err == nil) != (tt.want == nil) {
			t.Errorf("Open() of version %d, compatible with %d = %v", tt.version, tt.compatible, err)
			continue
		}
		for _, part := range tt.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("Open() of version %d = %q, want it to say %q", tt.version, err, part)
			}
		}
	}
}

// TestRole: a role that may only run has the rights that the first migration
// names, and cannot migrate.
func TestRole(t *testing.T) {
	t.Parallel()
	s := newStore(t, &Options{Lease: testLease})
	schema, role := pgx.Identifier{s.opts.Schema}.Sanitize(), "runs_"+enginekit.Random(6)
	s.exec(t, "CREATE ROLE "+role+" LOGIN")
	owner := s.url
	t.Cleanup(func() {
		ctx := context.Background()
		conn, err := pgx.Connect(ctx, owner)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(ctx)
		if _, err := conn.Exec(ctx, "DROP OWNED BY "+role+"; DROP ROLE "+role); err != nil {
			t.Error(err)
		}
	})
	for _, sql := range []string{
		"GRANT USAGE ON SCHEMA %s TO " + role,
		"GRANT SELECT, INSERT, UPDATE, DELETE ON %[1]s.op, %[1]s.live, %[1]s.proc, %[1]s.tally TO " + role,
		"GRANT SELECT ON %[1]s.version, %[1]s.secret TO " + role,
		"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA %s TO " + role,
	} {
		s.exec(t, fmt.Sprintf(sql, schema))
	}
	s.url = strings.Replace(s.url, "lro@", role+"@", 1)
	e := s.open(t)
	work(t, e, func(context.Context, engine.Attempt) engine.Outcome { return engine.Outcome{Response: text("ran")} })
	rec, err := e.Start(t.Context(), engine.Spec{Kind: "k", RequestID: "id"})
	if err != nil {
		t.Fatalf("Start() = %v", err)
	}
	if end, err := e.Wait(t.Context(), rec.Name); err != nil || end.State != engine.Succeeded {
		t.Errorf("Wait() = %v, %v; want success", end, err)
	}
	if err := e.Delete(t.Context(), rec.Name); err != nil {
		t.Errorf("Delete() = %v", err)
	}
	if _, _, err := Migrate(t.Context(), e.pool, s.opts.Schema); err != nil {
		t.Errorf("Migrate() of what is up to date = %v", err)
	}
	if _, _, err := Migrate(t.Context(), e.pool, s.opts.Schema+" new"); err == nil {
		t.Error("Migrate() by a role that may not create a schema = nil, want an error")
	}
}
