package docs_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/go-lro/lro/internal/pgtest"
	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/postgres"
)

// TestMonitoringQueries runs the SQL of engines.md and from-river.md that reads,
// on a schema with operations.
func TestMonitoringQueries(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, nil)
	pool, err := pgxpool.New(t.Context(), s.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if _, _, err := postgres.Migrate(t.Context(), pool, ""); err != nil {
		t.Fatal(err)
	}
	e := opened(t, s.URL("postgres"))
	for _, spec := range []engine.Spec{{Kind: "k"}, {Kind: "e", External: true}} {
		if _, err := e.Start(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile("engines.md")
	if err != nil {
		t.Fatal(err)
	}
	queries := 0
	for _, block := range regexp.MustCompile("(?s)```sql\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		for sql := range strings.SplitSeq(block[1], ";\n") {
			if sql = strings.TrimSpace(sql); sql == "" {
				continue
			}
			queries++
			rows, err := pool.Query(t.Context(), sql)
			if err == nil {
				for rows.Next() {
				}
				err = rows.Err()
				rows.Close()
			}
			if err != nil {
				t.Errorf("%s: %v", sql, err)
			}
		}
	}
	if queries < 5 {
		t.Errorf("%d queries were found, want those for monitoring", queries)
	}
}
