package pgtest

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/go-lro/lro/internal/leak"
	"github.com/go-lro/lro/internal/pgserver"
)

func TestMain(m *testing.M) { leak.Main(Shared(m)) }

// run executes statements on a connection of its own.
func run(t *testing.T, url string, statements ...string) error {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for _, sql := range statements {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

func TestURL(t *testing.T) {
	t.Parallel()
	url := URL(t)
	if again := URL(t); again != url {
		t.Errorf("URL() = %q, then %q; want one server", url, again)
	}
	if err := run(t, url, "SELECT 1"); err != nil {
		t.Errorf("SELECT 1 = %v", err)
	}
}

func TestCrashAndRestart(t *testing.T) {
	t.Parallel()
	server := Start(t, &pgserver.Options{Durable: true, Settings: []string{"max_connections=10"}})
	url := server.URL("postgres")
	if err := run(t, url, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (1)"); err != nil {
		t.Fatalf("write = %v", err)
	}
	if err := server.Crash(t.Context()); err != nil {
		t.Fatalf("Crash() = %v", err)
	}
	if err := run(t, url, "SELECT 1"); err == nil {
		t.Error("a query after Crash() = nil, want an error")
	}
	if err := server.Restart(t.Context()); err != nil {
		t.Fatalf("Restart() = %v", err)
	}
	// The division fails where the row was lost.
	if err := run(t, url, "SELECT 1 / count(*) FROM kept"); err != nil {
		t.Errorf("read after Restart() = %v", err)
	}
}
