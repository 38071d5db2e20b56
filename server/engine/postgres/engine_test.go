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
	pool := s.pool(t)
	if _, _, err := Migrate(t.Context(), pool, s.opts.Schema); err != nil {
		t.Fatalf("Migrate() = %v", err)
	}
	dropSchema(t, pool, s.opts.Schema)
	return s
}

// pool returns a pool whose settings are changed.
func (s *store) pool(t testing.TB, changes ...func(*pgxpool.Config)) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(s.url)
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range changes {
		change(config)
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// begin begins a transaction that is rolled back in the end, if it has not ended.
func (s *store) begin(t testing.TB) pgx.Tx {
	t.Helper()
	tx, err := s.pool(t).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) })
	return tx
}

// claimed starts an operation and claims it for an owner, without an attempt.
func (s *store) claimed(t *testing.T, e *Engine, owner int64) *engine.Record {
	t.Helper()
	rec := mustStart(t, e, engine.Spec{})
	s.exec(t, e.sql.tables.Replace("UPDATE {live} SET owner = $2, attempt = 1, fence = 1 WHERE seq = $1"), seqOf(t, rec), owner)
	return rec
}

// locked returns a transaction that holds an operation.
func (s *store) locked(t *testing.T, e *Engine, rec *engine.Record) pgx.Tx {
	t.Helper()
	tx := s.begin(t)
	if _, err := tx.Exec(t.Context(), e.sql.lock, seqOf(t, rec)); err != nil {
		t.Fatal(err)
	}
	return tx
}

// loseClaim has an engine do what follows a claim without an answer.
func (e *Engine) loseClaim(ctx context.Context, owner int64) error {
	e.claiming <- struct{}{}
	defer func() { <-e.claiming }()
	e.claimLost = owner
	return e.handBackLost(ctx)
}

func (s *store) Open(t *testing.T) engine.Engine { return s.open(t) }

// open opens an engine that is closed with the test, and that cut cuts off.
func (s *store) open(t testing.TB) *Engine {
	t.Helper()
	n := new(cutproxy.Dialer)
	s.last = s.openOn(t, s.pool(t, func(c *pgxpool.Config) { c.ConnConfig.DialFunc = n.DialContext }))
	s.cut = n.Cut
	return s.last
}

// openOn opens an engine that is closed with the test.
func (s *store) openOn(t testing.TB, pool *pgxpool.Pool) *Engine {
	t.Helper()
	e, err := Open(t.Context(), pool, &s.opts)
	if err != nil {
		t.Fatalf("Open() = %v", err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
	})
	return e
}

// openTraced opens an engine that is closed with the test.
func (s *store) openTraced(t testing.TB, trace tracer) *Engine {
	t.Helper()
	return s.openOn(t, s.pool(t, trace.of))
}

// tracer is called before each trip to the server, with its statements. It
// implements [pgx.QueryTracer] and [pgx.BatchTracer].
type tracer func(trip []*pgx.QueuedQuery)

func (f tracer) of(c *pgxpool.Config) { c.ConnConfig.Tracer = f }

func (f tracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	f([]*pgx.QueuedQuery{{SQL: q.SQL, Arguments: q.Args}})
	return ctx
}

func (f tracer) TraceBatchStart(ctx context.Context, _ *pgx.Conn, b pgx.TraceBatchStartData) context.Context {
	f(b.Batch.QueuedQueries)
	return ctx
}

func (tracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData)     {}
func (tracer) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}
func (tracer) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData)     {}

// Crash cuts the last engine off, and ends its lease.
func (s *store) Crash(t *testing.T) {
	t.Helper()
	s.cut()
	s.endLease(t, s.last)
}

// endLease ends the lease of an engine, which notices it at once.
func (s *store) endLease(t testing.TB, e *Engine) {
	t.Helper()
	s.exec(t, e.sql.expireProc, e.forgetLease())
}

// forgetLease has an engine notice the end of its lease, and returns whose it was.
func (e *Engine) forgetLease() (owner int64) {
	e.process.mu.Lock()
	owner = e.process.owner
	e.process.mu.Unlock()
	e.process.set(owner, 0, time.Time{})
	e.loseAll(owner)
	return owner
}

// rename has statements about a table fail, or work again.
func (s *store) rename(t testing.TB, from, to string) {
	t.Helper()
	s.exec(t, "ALTER TABLE "+pgx.Identifier{s.opts.Schema, from}.Sanitize()+" RENAME TO "+to)
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
