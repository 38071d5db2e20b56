package postgres

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/genproto/googleapis/rpc/code"

	"github.com/go-lro/lro/internal/pgserver"
	"github.com/go-lro/lro/internal/pgtest"
	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// TestExecModes: the modes that work behind PgBouncer in transaction mode work.
func TestExecModes(t *testing.T) {
	t.Parallel()
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeExec, pgx.QueryExecModeCacheDescribe} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			s := newStore(t, &Options{Lease: testLease})
			s.url += "&default_query_exec_mode=" + strings.ReplaceAll(mode.String(), " ", "_")
			e := s.open(t)
			if got := e.pool.Config().ConnConfig.DefaultQueryExecMode; got != mode {
				t.Fatalf("mode is %v, want %v", got, mode)
			}
			work(t, e, func(ctx context.Context, a engine.Attempt) engine.Outcome {
				a.Report(text("progress"))
				if err := a.Save(ctx, []byte("x")); err != nil {
					t.Errorf("Save() = %v", err)
				}
				if a.Record().Attempt == 1 {
					return engine.Outcome{Error: enginekit.Status(code.Code_UNAVAILABLE, "again"), Retry: true}
				}
				return engine.Outcome{Response: text("ran")}
			})
			var recs []*engine.Record
			for range 3 {
				recs = append(recs, mustStart(t, e, engine.Spec{Request: text("request"), RequestID: "id" + time.Now().String(), Trace: map[string]string{"a": "b"}}))
			}
			for _, rec := range recs {
				if end, err := e.Wait(t.Context(), rec.Name); err != nil || end.State != engine.Succeeded || end.Metadata == nil {
					t.Errorf("Wait() = %v, %v; want success, with metadata", end, err)
				}
			}
			page, err := e.List(t.Context(), engine.Query{AnyParent: true, Limit: 10, Where: engine.Where{Kinds: []string{"k"}, States: []engine.State{engine.Succeeded}}})
			if err != nil || len(page.Records) != len(recs) {
				t.Errorf("List() = %v, %v; want %d operations", page, err, len(recs))
			}
		})
	}
}

// TestPoolInUse: a pool whose connections are all in use is a clear error, within a
// bounded time, and the lease is renewed nevertheless.
func TestPoolInUse(t *testing.T) {
	t.Parallel()
	s := newStore(t, &Options{Lease: shortLease}) // less than the pool is in use
	pool := s.pool(t, func(c *pgxpool.Config) { c.MaxConns = 2 })
	e := s.openOn(t, pool)
	begun, end := make(chan struct{}), make(chan struct{})
	work(t, e, func(ctx context.Context, _ engine.Attempt) engine.Outcome {
		close(begun)
		<-end
		if ctx.Err() != nil {
			t.Errorf("the attempt's context has ended: %v", context.Cause(ctx))
		}
		return engine.Outcome{Response: text("")}
	})
	rec := mustStart(t, e, engine.Spec{})
	<-begun
	var held []*pgxpool.Conn
	for range pool.Config().MaxConns {
		conn, err := pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, conn)
	}
	_, err := e.Get(t.Context(), rec.Name)
	if !errors.Is(err, engine.ErrUnavailable) || !strings.Contains(err.Error(), "all 2 connections of the pool are in use") {
		t.Errorf("Get() = %v, want %v that says so", err, engine.ErrUnavailable)
	}
	if _, err := Open(t.Context(), pool, &s.opts); !errors.Is(err, engine.ErrUnavailable) || !strings.Contains(err.Error(), "all 2 connections of the pool are in use") {
		t.Errorf("Open() = %v, want %v that says so", err, engine.ErrUnavailable)
	}
	for _, conn := range held {
		conn.Release()
	}
	close(end)
	if got, err := e.Wait(t.Context(), rec.Name); err != nil || got.State != engine.Succeeded || got.Crashes != 0 {
		t.Errorf("Wait() = %v, %v; want success without a crash", got, err)
	}
}

// TestPoolerHint: an error that comes of a pooler in transaction mode says what to
// do.
func TestPoolerHint(t *testing.T) {
	t.Parallel()
	e := newStore(t, &Options{Lease: testLease}).open(t)
	err := e.query(t.Context(), func(q querier) error { return each(t.Context(), q, "EXECUTE missing", nil) })
	if err == nil || !strings.Contains(err.Error(), `"missing" does not exist`) || !strings.Contains(err.Error(), "set default_query_exec_mode to cache_describe or exec") {
		t.Errorf("a statement that another connection has prepared = %v, want what to do", err)
	}
}

// TestServerAway: while the database is away calls are UNAVAILABLE, and what
// was acknowledged continues when it is back.
func TestServerAway(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, &pgserver.Options{Durable: true})
	s := &store{opts: Options{Lease: testLease}, url: server.URL("postgres")}
	pool := s.pool(t)
	if _, _, err := Migrate(t.Context(), pool, ""); err != nil {
		t.Fatal(err)
	}
	e := s.open(t)
	rec := mustStart(t, e, engine.Spec{})
	if err := server.Crash(t.Context()); err != nil {
		t.Fatal(err)
	}
	calls := map[string]func() error{
		"Start": func() error { _, err := e.Start(t.Context(), engine.Spec{Kind: "k"}); return err },
		"Get":   func() error { _, err := e.Get(t.Context(), rec.Name); return err },
		"List":  func() error { _, err := e.List(t.Context(), engine.Query{Limit: 1}); return err },
		"Check": func() error { return e.Check(t.Context()) },
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, engine.ErrUnavailable) {
			t.Errorf("%s() while the server is away = %v, want %v", name, err, engine.ErrUnavailable)
		}
	}
	work(t, e, func(context.Context, engine.Attempt) engine.Outcome { return engine.Outcome{Response: text("ran")} })
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	for begin := time.Now(); e.Check(t.Context()) != nil; <-time.After(10 * time.Millisecond) {
		if time.Since(begin) > elsewhere {
			t.Fatalf("Check() = %v after the restart", e.Check(t.Context()))
		}
	}
	if end, err := e.Wait(t.Context(), rec.Name); err != nil || end.State != engine.Succeeded {
		t.Errorf("Wait() = %v, %v; want success", end, err)
	}
}
