package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/go-lro/lro/internal/pgserver"
)

// limit is how long a server may take to start or stop. Both take less than two
// seconds on a machine that is not busy.
const limit = 2 * time.Minute

// shared is the server of a test binary. It starts with the first test that
// needs it.
var shared struct {
	once   sync.Once
	dir    string
	server *pgserver.Server
	err    error
}

// Runner is what Shared takes: a [testing.M] has it.
type Runner interface{ Run() int }

// Shared returns a runner of m's tests that stops the server behind [URL] after
// the last of them.
func Shared(m Runner) Runner { return runner{m} }

type runner struct{ m Runner }

func (r runner) Run() int {
	code := r.m.Run()
	if shared.dir == "" {
		return code
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var err error
	if shared.server != nil {
		err = shared.server.Stop(ctx)
	}
	if err = errors.Join(err, os.RemoveAll(shared.dir)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return max(code, 1)
	}
	return code
}

// URL names the database "postgres" of the server that all tests of the binary
// share. TestMain has to use [Shared]. A test keeps to a schema of its own.
func URL(t testing.TB) string {
	t.Helper()
	return SharedServer(t).URL("postgres")
}

// SharedServer is the server behind [URL]. It must not be stopped.
func SharedServer(t testing.TB) *pgserver.Server {
	t.Helper()
	Required(t)
	shared.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		if shared.dir, shared.err = makeDir(); shared.err == nil {
			shared.server, shared.err = pgserver.Start(ctx, shared.dir, nil)
		}
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.server
}

// Start starts a server for one test, which ends with it.
func Start(t testing.TB, o *pgserver.Options) *pgserver.Server {
	t.Helper()
	Required(t)
	dir, err := makeDir()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	server, err := pgserver.Start(ctx, dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		if err := server.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return server
}

// makeDir makes the directory of a server. It is not testing's: the parent of
// that one admits its owner alone, and a server of root runs as another user.
func makeDir() (string, error) { return os.MkdirTemp("", "lro-postgres-") }

// Required ends the test where PostgreSQL is not installed: as skipped, or as
// failed where LRO_POSTGRES is set, as make test-postgres does in CI.
func Required(t testing.TB) {
	t.Helper()
	_, err := pgserver.Find()
	switch {
	case err == nil:
	case os.Getenv("LRO_POSTGRES") != "":
		t.Fatalf("PostgreSQL is not installed (%v); apt-get install postgresql", err)
	default:
		t.Skipf("SKIPPED: PostgreSQL is not installed (%v), so nothing was tested on it", err)
	}
}
