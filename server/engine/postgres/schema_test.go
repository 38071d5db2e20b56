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

	"github.com/go-lro/lro/internal/pgtest"
	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// dropSchema removes a schema with the test.
func dropSchema(t testing.TB, pool *pgxpool.Pool, schema string) {
	t.Helper()
	t.Cleanup(func() {
		if _, err := pool.Exec(context.Background(), "DROP SCHEMA IF EXISTS "+pgx.Identifier{schema}.Sanitize()+" CASCADE"); err != nil {
			t.Error(err)
		}
	})
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	pool := (&store{url: pgtest.URL(t)}).pool(t)
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
	pool := s.pool(t)
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
