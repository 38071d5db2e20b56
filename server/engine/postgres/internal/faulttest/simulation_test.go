//go:build unix

package faulttest

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/go-lro/lro/internal/cutproxy"
	"github.com/go-lro/lro/internal/pgserver"
	"github.com/go-lro/lro/internal/pgtest"
	"github.com/go-lro/lro/internal/simulation"
	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
	"github.com/go-lro/lro/server/engine/postgres"
)

var lanes = flag.Int("simulation-lanes", 0, "how many programs TestSimulation runs at once, each on a server of its own; 0 skips it")

// simulatedLease is longer than a busy machine keeps a process from renewing it.
const simulatedLease = 6 * time.Second

// TestSimulation runs programs generated from seeds; see package simulation.
func TestSimulation(t *testing.T) {
	t.Parallel()
	if *lanes <= 0 {
		t.Skip("SKIPPED: run make simulate ENGINE=postgres, or make test-postgres")
	}
	simulation.Clusters{
		Name: "postgres", Transacts: true, Lanes: *lanes,
		Traits: simulation.Traits{Lease: simulatedLease, OneLease: true},
		Start: func() func(t *testing.T) simulation.Cluster {
			l := &simulatedStore{server: pgtest.Start(t, nil)}
			return func(t *testing.T) simulation.Cluster { return l.fresh(t) }
		},
	}.Run(t)
}

// simulatedStore is a server, and a schema in it for one program after another.
type simulatedStore struct {
	server  *pgserver.Server
	schema  string
	engine  *pooled // straight to the server
	proxies []*cutproxy.Proxy
}

// pooled is an engine that owns its pool. It is a simulation.Transactor.
type pooled struct {
	*postgres.Engine
	pool  *pgxpool.Pool
	db    *sql.DB // by that pool
	table string  // of rows that transactions write besides
}

func newPooled(c workerConfig, pool *pgxpool.Pool, e *postgres.Engine) *pooled {
	return &pooled{e, pool, stdlib.OpenDBFromPool(pool), pgx.Identifier{c.Schema, "besides"}.Sanitize()}
}

// Transact implements simulation.Transactor.
func (p *pooled) Transact(ctx context.Context, way simulation.Way, f func(context.Context, func(row string) error) error) error {
	in := func(ctx context.Context, exec func(sql string, args ...any) error) error {
		if way.Isolation != "" {
			if err := exec("SET TRANSACTION ISOLATION LEVEL " + way.Isolation); err != nil {
				return err
			}
		}
		return f(ctx, func(row string) error { return exec("INSERT INTO "+p.table+" VALUES ($1)", row) })
	}
	if way.By == simulation.Engine {
		return p.InTx(ctx, func(ctx context.Context, tx pgx.Tx) error { return in(ctx, executor(ctx, tx)) })
	}
	begin := p.begin
	if way.SQL {
		begin = p.beginSQL
	}
	tx, err := begin(ctx)
	if err != nil {
		return err
	}
	if err := in(tx.ctx, tx.exec); err != nil {
		return errors.Join(err, tx.rollback())
	}
	if err := tx.commit(); err != nil {
		return err
	}
	if way.By == simulation.Unanswered {
		return errors.New("the answer to the commit is lost")
	}
	p.Committed(tx.ctx)
	return nil
}

// callersTx is a transaction that a caller has begun.
type callersTx struct {
	ctx              context.Context // with which calls take part in it
	exec             func(sql string, args ...any) error
	commit, rollback func() error
}

func (p *pooled) begin(ctx context.Context) (t callersTx, err error) {
	tx, err := p.pool.Begin(ctx)
	if err != nil {
		return t, err
	}
	return callersTx{
		ctx: postgres.WithTx(ctx, tx), exec: executor(ctx, tx),
		commit:   func() error { return tx.Commit(ctx) },
		rollback: func() error { return tx.Rollback(context.WithoutCancel(ctx)) },
	}, nil
}

func executor(ctx context.Context, tx pgx.Tx) func(sql string, args ...any) error {
	return func(sql string, args ...any) error {
		_, err := tx.Exec(ctx, sql, args...)
		return err
	}
}

func (p *pooled) beginSQL(ctx context.Context) (t callersTx, err error) {
	tx, err := p.db.BeginTx(ctx, nil)
	if err != nil {
		return t, err
	}
	exec := func(sql string, args ...any) error {
		_, err := tx.ExecContext(ctx, sql, args...)
		return err
	}
	return callersTx{ctx: postgres.WithSQLTx(ctx, tx), exec: exec, commit: tx.Commit, rollback: tx.Rollback}, nil
}

// Rows implements simulation.Transactor.
func (p *pooled) Rows(ctx context.Context) ([]string, error) {
	rows, err := p.pool.Query(ctx, "SELECT line FROM "+p.table)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

func (p *pooled) Close() error {
	err := errors.Join(p.Engine.Close(), p.db.Close())
	p.pool.Close()
	return err
}

// openPooled is for a process of a program.
func openPooled(ctx context.Context, config string) (engine.Engine, error) {
	var c workerConfig
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		return nil, err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	pool, e, err := c.open(ctx, log)
	if err != nil {
		return nil, err
	}
	return newPooled(c, pool, e), nil
}

// fresh makes an empty schema for the program of t.
func (s *simulatedStore) fresh(t *testing.T) *simulatedStore {
	t.Helper()
	s.schema = "sim_" + enginekit.Random(8)
	pool, err := pgxpool.New(t.Context(), s.url())
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if _, _, err := postgres.Migrate(t.Context(), pool, s.schema); err != nil {
		t.Fatalf("Migrate() = %v", err)
	}
	schema := s.schema // of this run of several
	t.Cleanup(func() {
		if err := s.exec("DROP SCHEMA " + pgx.Identifier{schema}.Sanitize() + " CASCADE"); err != nil {
			t.Error(err)
		}
	})
	c := workerConfig{URL: s.url(), Schema: s.schema, Lease: simulatedLease}
	enginePool, e, err := c.open(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("Open() = %v", err)
	}
	s.engine = newPooled(c, enginePool, e)
	refuse := pgx.Identifier{s.schema, "refuse"}.Sanitize()
	for _, sql := range []string{
		"CREATE TABLE " + s.engine.table + " (line text NOT NULL)",
		"CREATE FUNCTION " + refuse + "() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'refused'; END$$",
		"CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON " + s.engine.table + " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.line = '" +
			simulation.RefusedRow + "') EXECUTE FUNCTION " + refuse + "()",
	} {
		if _, err := pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := s.engine.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
	})
	s.proxies = nil
	for range simulation.ClusterSize {
		proxy, _ := between(t, s.url())
		s.proxies = append(s.proxies, proxy)
	}
	return s
}

func (s *simulatedStore) url() string { return s.server.URL("postgres") + idle }

func (s *simulatedStore) exec(sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	c, err := pgx.Connect(ctx, s.server.URL("postgres"))
	if err != nil {
		return err
	}
	_, err = c.Exec(ctx, sql)
	return errors.Join(err, c.Close(ctx))
}

// Config has a process go through a proxy of its own.
func (s *simulatedStore) Config(process int) string {
	u, err := url.Parse(s.url())
	if err != nil {
		panic(err)
	}
	u.Host = s.proxies[process].Address()
	b, err := json.Marshal(workerConfig{URL: u.String(), Schema: s.schema, Lease: simulatedLease})
	if err != nil {
		panic(err)
	}
	return string(b)
}

func (s *simulatedStore) Engine() engine.Engine { return s.engine }

func (s *simulatedStore) Faults() []simulation.Fault {
	return []simulation.Fault{
		{Name: "connections reset", Do: func(process int, _ time.Duration) error {
			s.proxies[process].Restore()
			return nil
		}},
		{Name: "sessions ended", Do: func(int, time.Duration) error {
			return s.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'")
		}},
		{Name: "process cut off", Loses: true, Do: func(process int, d time.Duration) error {
			s.proxies[process].Cut()
			time.Sleep(d) // sleep: as long as the fault lasts
			s.proxies[process].Restore()
			return nil
		}},
		{Name: "store crashed", Loses: true, All: true, Do: func(_ int, d time.Duration) error {
			return s.restart(s.server.Crash, d/10)
		}},
		{Name: "store restarted", Loses: true, All: true, Do: func(_ int, d time.Duration) error {
			return s.restart(s.server.Stop, d/10)
		}},
	}
}

func (s *simulatedStore) restart(stop func(context.Context) error, away time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if err := stop(ctx); err != nil {
		return err
	}
	time.Sleep(away) // sleep: as long as the fault lasts
	if err := s.server.Restart(ctx); err != nil {
		return fmt.Errorf("restart the store: %w", err)
	}
	return nil
}
