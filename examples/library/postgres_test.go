package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/go-lro/lro/internal/child"
	"github.com/go-lro/lro/internal/pgtest"
)

// onPostgres is what the line that opens the engine becomes, and the pool that the
// program has otherwise for its own tables.
const (
	onFile     = `engine, err := sqlite.Open(ctx, filepath.Join(library.dir, "operations.db"), nil)`
	onPostgres = `engine, err := postgres.Open(ctx, pool, nil)`
	poolFile   = `package main

import (
	"context"
	"os"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/go-lro/lro/server/engine/postgres"
)

var pool = func() *pgxpool.Pool {
	pool, err := pgxpool.New(context.Background(), os.Getenv("DATABASE_URL"))
	check(err)
	_, _, err = postgres.Migrate(context.Background(), pool, "")
	check(err)
	return pool
}()
`
)

// TestPostgres runs the program with one changed line, and its import, on
// PostgreSQL: the operation is in the database, and the export is whole.
func TestPostgres(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	dir := t.TempDir()
	text, err := os.ReadFile("service.go")
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.NewReplacer(onFile, onPostgres, `engine/sqlite"`, `engine/postgres"`, `	"path/filepath"`+"\n", "").Replace(string(text))
	if !strings.Contains(changed, onPostgres) {
		t.Fatalf("service.go has no line %q", onFile)
	}
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {
		filepath.Join(here, "service.go"): write("service.go", changed),
		filepath.Join(here, "pool.go"):    write("pool.go", poolFile),
	}})
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "library")
	if out, err := exec.Command("go", "build", "-overlay", write("overlay.json", string(overlay)), "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	cmd := exec.Command(program, "-addr", "127.0.0.1:0", "-http", "127.0.0.1:0", "-dir", filepath.Join(dir, "data"), "-pace", "1ms", "serve")
	cmd.Env = append(os.Environ(), "DATABASE_URL="+url)
	serving, where, err := child.Start(t.Context(), cmd, child.Prefix("serving gRPC on "))
	if err != nil {
		t.Fatal(err)
	}
	defer serving.Kill()
	addr, _, _ := strings.Cut(where, ",")
	export := exec.Command(program, "-addr", addr, "export", "publishers/acme")
	export.Env = append(os.Environ(), "DATABASE_URL="+url)
	out, err := export.CombinedOutput()
	if err != nil {
		t.Fatalf("export: %v\n%s", err, out)
	}
	if !regexp.MustCompile(`(?m): 500 books, `).Match(out) {
		t.Errorf("export printed %q, want an archive of 500 books", out)
	}
	db, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.Background())
	var ended int
	if err := db.QueryRow(t.Context(), "SELECT count(*) FROM lro.op WHERE end_time IS NOT NULL").Scan(&ended); err != nil || ended != 1 {
		t.Errorf("the database has %d operations that are done, %v; want 1", ended, err)
	}
}
