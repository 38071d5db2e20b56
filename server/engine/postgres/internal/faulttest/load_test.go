//go:build unix

package faulttest

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/go-lro/lro/internal/pgtest"
	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
	"github.com/go-lro/lro/server/engine/postgres"
)

// runHere runs operations of kind "k" in this process, until the test ends.
func runHere(t *testing.T, e *postgres.Engine, run func(context.Context, engine.Attempt) engine.Outcome) {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var working sync.WaitGroup
	working.Go(func() {
		if err := e.Work(ctx, engine.Worker{Kinds: map[string]int{"k": 0}, Run: run}); err != nil {
			t.Errorf("Work() = %v", err)
		}
	})
	t.Cleanup(func() { stop(); working.Wait() })
}

// TestEmptyPlans starts 50,000 operations into a new schema, on connections whose
// plans were made while its tables were empty.
func TestEmptyPlans(t *testing.T) {
	t.Parallel()
	rounds(t)
	const operations, callers = 50_000, 64
	w := newWorld(t, pgtest.URL(t), workerConfig{Lease: 30 * time.Second, PollOnly: true})
	hold := make(chan struct{})
	runHere(t, w.engine, func(context.Context, engine.Attempt) engine.Outcome {
		<-hold // while the tables grow
		return engine.Outcome{Response: &anypb.Any{}}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 5*limit)
	defer cancel()
	// The server keeps a plan after five executions. Claims come by themselves.
	first, err := w.engine.Start(ctx, engine.Spec{Kind: "other"})
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if _, err := w.engine.Get(ctx, first.Name); err != nil {
			t.Fatal(err)
		}
		enginekit.Pause(ctx, 100*time.Millisecond)
	}
	begin := time.Now()
	numbers, names := make(chan int), make([]string, operations)
	var starting sync.WaitGroup
	for range callers {
		starting.Go(func() {
			for i := range numbers {
				rec, err := w.engine.Start(ctx, engine.Spec{Kind: "k", RequestID: enginekit.Random(10)})
				if err != nil {
					t.Errorf("Start() = %v", err)
					continue
				}
				names[i] = rec.Name
			}
		})
	}
	for i := range operations {
		numbers <- i
	}
	close(numbers)
	starting.Wait()
	if t.Failed() {
		return
	}
	started := time.Since(begin)
	close(hold)
	for _, name := range names {
		if rec, err := w.engine.Wait(ctx, name); err != nil || rec.State != engine.Succeeded {
			t.Fatalf("Wait(%q) = %v, %v; want success", name, rec, err)
		}
	}
	t.Logf("%d operations started in %v, ended in %v", operations, started, time.Since(begin)-started)
	// Statistics come a second or so late.
	enginekit.Pause(t.Context(), 2*time.Second)
	type scans struct {
		Table      string
		Rows, Seqs int64
	}
	for _, s := range query(w, pgx.RowToStructByPos[scans],
		"SELECT relname::text, seq_tup_read, seq_scan FROM pg_stat_user_tables WHERE schemaname = $1 AND relname IN ('op', 'live')", w.config.Schema) {
		t.Logf("table %s: %d rows read in %d scans of all of it", s.Table, s.Rows, s.Seqs)
		if s.Rows > 5*operations {
			t.Errorf("%d rows of table %s were read for %d operations, want plans that use its indexes", s.Rows, s.Table, operations)
		}
	}
}

// TestPoolExhausted has handlers that hold all connections of the engine's pool
// and call it: what needs another connection gets an error that says so, what is
// done in their transactions succeeds, and the lease is kept.
func TestPoolExhausted(t *testing.T) {
	t.Parallel()
	rounds(t)
	w := newWorld(t, pgtest.URL(t), workerConfig{Lease: 5 * time.Second})
	config := w.config
	config.URL = w.url + "&pool_max_conns=2"
	pool, e, err := config.open(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
		pool.Close()
	})
	holding, refused := newGate(2), newGate(2)
	runHere(t, e, func(ctx context.Context, a engine.Attempt) engine.Outcome {
		err := e.InTx(ctx, func(in context.Context, tx pgx.Tx) error {
			holding.pass()
			_, err := e.Start(ctx, engine.Spec{Kind: "other"})
			if !errors.Is(err, engine.ErrUnavailable) || !strings.Contains(err.Error(), "all 2 connections of the pool are in use") {
				t.Errorf("Start() = %v, want an error that says that the pool is used up", err)
			}
			refused.pass()
			if err := a.Save(in, []byte("saved")); err != nil {
				return err
			}
			if _, err := e.Start(in, engine.Spec{Kind: "other", RequestID: a.Record().Name}); err != nil {
				return err
			}
			return ctx.Err() // of the lease
		})
		if err != nil {
			t.Errorf("InTx() = %v", err)
		}
		return engine.Outcome{Response: &anypb.Any{}}
	})
	for range 2 {
		// The other engine: this one's connections are in use.
		rec, err := w.engine.Start(t.Context(), engine.Spec{Kind: "k"})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			end, err := w.engine.Wait(ctx, rec.Name)
			if err != nil || end.State != engine.Succeeded || end.Crashes > 0 || string(end.Checkpoint) != "saved" {
				t.Errorf("Wait() = %+v, %v; want success in the first attempt, with its checkpoint", end, err)
			}
		}()
	}
}

// gate opens when as many as it is for have come, and stays open.
type gate struct {
	left atomic.Int64
	open chan struct{}
}

func newGate(n int64) *gate {
	g := &gate{open: make(chan struct{})}
	g.left.Store(n)
	return g
}

func (g *gate) pass() {
	if g.left.Add(-1) == 0 {
		close(g.open)
	}
	<-g.open
}

// TestSerializable has a role whose transactions are serializable by default:
// what the server refuses therefore is repeated, by the engine or as another
// attempt.
func TestSerializable(t *testing.T) {
	t.Parallel()
	n := rounds(t)
	w := newWorld(t, pgtest.URL(t), workerConfig{
		Lease: 10 * time.Second, URL: pgtest.URL(t) + "&pool_max_conns=6&options=-c%20default_transaction_isolation%3Dserializable",
	})
	w.workers(3)
	stop := w.load(24, 20*time.Millisecond)
	enginekit.Pause(t.Context(), time.Duration(n)*2*time.Second)
	stop()
	attempts := 0
	for _, rec := range w.check() {
		attempts += rec.Attempt
	}
	t.Logf("%d attempts", attempts)
	if w.errors > 0 {
		t.Errorf("%d starts failed", w.errors)
	}
}
