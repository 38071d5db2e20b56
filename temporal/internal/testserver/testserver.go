package testserver

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"

	"github.com/go-lro/lro/internal/pgserver"
	"github.com/go-lro/lro/internal/pgtest"
	"github.com/go-lro/lro/internal/temporalserver"
)

// limit is how long a server may take to start. It takes about a second on a
// machine that is not busy.
const limit = 2 * time.Minute

// Options is how a server runs. The zero value is one in memory.
type Options struct {
	// OnDisk keeps everything in an SQLite file, so that the server can be killed
	// and restarted.
	OnDisk bool
	// Postgres keeps everything in a database of this server instead.
	Postgres *pgserver.Server
	// Flags are further flags of devserver, such as "--dynamic", "KEY=JSON".
	Flags []string
}

// Namespace is that of [Server.Client].
const Namespace = "default"

// Server is a Temporal server.
type Server struct{ *temporalserver.Server }

// Required skips the test unless those that need a Temporal server are asked
// for.
func Required(t testing.TB) {
	t.Helper()
	if os.Getenv("LRO_TEMPORAL") == "" && os.Getenv("LRO_TEMPORAL_DEVSERVER") == "" && os.Getenv("CI") != "true" {
		t.Skip("needs a Temporal server, which takes minutes to build: set LRO_TEMPORAL=1, or run make test-temporal")
	}
}

// binary builds the server once.
var binary = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("LRO_TEMPORAL_DEVSERVER"); path != "" {
		return path, nil
	}
	root, err := temporalserver.Root()
	if err != nil {
		return "", err
	}
	return temporalserver.Build(context.Background(), root)
})

// Start starts a server that stops when the test ends. It skips the test as
// Required does.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	Required(t)
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	c := temporalserver.Config{Binary: path, Namespaces: []string{Namespace}, Flags: o.Flags}
	switch {
	case o.Postgres != nil:
		c.Postgres = o.Postgres.URL("temporal")
	case o.OnDisk:
		c.File = filepath.Join(t.TempDir(), "temporal.db")
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	server, err := temporalserver.Start(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Kill()
		if t.Failed() && server.Output() != "" {
			t.Logf("the Temporal server wrote:\n%s", server.Output())
		}
	})
	return &Server{Server: server}
}

// Restart starts the server on the same store and address after Kill.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	if err := s.Server.Restart(ctx); err != nil {
		t.Fatal(err)
	}
}

// Client returns a client for [Namespace], which is closed when the test ends.
func (s *Server) Client(t testing.TB) client.Client {
	t.Helper()
	c, err := client.DialContext(t.Context(), client.Options{HostPort: s.HostPort(), Namespace: Namespace, Logger: quiet{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// quiet is a logger for clients: what they meet is what the tests are about.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}

var _ sdklog.Logger = quiet{}

// Postgres starts a PostgreSQL server that stops when the test ends. It skips
// the test as Required does.
func Postgres(t testing.TB) *pgserver.Server {
	t.Helper()
	Required(t)
	return pgtest.Start(t, &pgserver.Options{Durable: true})
}
