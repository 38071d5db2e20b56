package postgres

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/go-lro/lro/internal/cutproxy"
	"github.com/go-lro/lro/internal/leak"
	"github.com/go-lro/lro/internal/pgtest"
	"github.com/go-lro/lro/internal/simulation"
	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
	"github.com/go-lro/lro/server/engine/enginetest"
)

const (
	// testLease is long enough for a busy machine: a lost lease is a crash, and
	// the suite counts them.
	testLease = 20 * time.Second
	// shortLease is for tests that wait for its end.
	shortLease = 5 * time.Second
)

func TestMain(m *testing.M) { leak.Main(pgtest.Shared(m)) }

func TestEngine(t *testing.T) {
	t.Parallel()
	pgtest.Required(t)
	enginetest.Run(t, enginetest.Factory{
		New:    func(t *testing.T) enginetest.Store { return newStore(t, &Options{Lease: testLease}) },
		Delay:  time.Second,
		Traits: traits,
	})
}

// TestLoad puts callers on an engine; see [simulation.Load].
func TestLoad(t *testing.T) {
	t.Parallel()
	simulation.Load(t, func() engine.Engine { return newStore(t, &Options{Lease: testLease}).Open(t) })
}

// TestEnginePollOnly does without LISTEN.
func TestEnginePollOnly(t *testing.T) {
	t.Parallel()
	pgtest.Required(t)
	enginetest.Run(t, enginetest.Factory{
		New:    func(t *testing.T) enginetest.Store { return newStore(t, &Options{Lease: testLease, PollOnly: true}) },
		Delay:  time.Second,
		Traits: traits,
	})
}

var traits = enginetest.Traits{Subscribe: true, Stats: true, History: true}

// store is a schema that engines are opened on, one after another, each with
// connections of its own.
type store struct {
	opts Options
	url  string
	last *Engine
	cut  func()
}

// newStore makes a schema, and removes it with the test.
func newStore(t testing.TB, o *Options) *store {
	t.Helper()
	s := &store{opts: *o, url: pgtest.URL(t)}
	s.opts.Schema = "test " + enginekit.Random(8) // to be quoted
	pool := s.pool(t, new(cutproxy.Dialer))
	if _, _, err := Migrate(t.Context(), pool, s.opts.Schema); err != nil {
		t.Fatalf("Migrate() = %v", err)
	}
	t.Cleanup(func() {
		ctx := context.Background()
		if _, err := pool.Exec(ctx, "DROP SCHEMA "+pgx.Identifier{s.opts.Schema}.Sanitize()+" CASCADE"); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *store) pool(t testing.TB, n *cutproxy.Dialer) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(s.url)
	if err != nil {
		t.Fatal(err)
	}
	config.ConnConfig.DialFunc = n.DialContext
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func (s *store) Open(t *testing.T) engine.Engine { return s.open(t) }

// open opens an engine that is closed with the test.
func (s *store) open(t testing.TB) *Engine {
	t.Helper()
	n := new(cutproxy.Dialer)
	e, err := Open(t.Context(), s.pool(t, n), &s.opts)
	if err != nil {
		t.Fatalf("Open() = %v", err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
	})
	s.last, s.cut = e, n.Cut
	return e
}

// Crash cuts the last engine off, and ends its lease.
func (s *store) Crash(t *testing.T) {
	t.Helper()
	s.cut()
	s.last.process.mu.Lock()
	owner := s.last.process.owner
	s.last.process.mu.Unlock()
	s.exec(t, s.last.sql.expireProc, owner)
	// It would wait for its lease before it stops.
	s.last.process.set(owner, 0, time.Time{})
	s.last.loseAll(owner)
}

func (s *store) exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}
