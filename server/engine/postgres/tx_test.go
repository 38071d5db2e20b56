package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx" of database/sql
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine"
)

// transaction is one of pgx or of database/sql.
type transaction struct {
	join     func(context.Context) context.Context
	exec     func(ctx context.Context, sql string) error
	commit   func() error
	rollback func() error
}

// transactions begins transactions by each driver.
var transactions = map[string]func(t *testing.T, s *store) transaction{
	"pgx": func(t *testing.T, s *store) transaction {
		ctx := context.WithoutCancel(t.Context())
		tx, err := s.last.pool.Begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = tx.Rollback(ctx) })
		return transaction{
			join:   func(ctx context.Context) context.Context { return WithTx(ctx, tx) },
			exec:   func(ctx context.Context, sql string) error { _, err := tx.Exec(ctx, sql); return err },
			commit: func() error { return tx.Commit(ctx) }, rollback: func() error { return tx.Rollback(ctx) },
		}
	},
	"database/sql": func(t *testing.T, s *store) transaction {
		db, err := sql.Open("pgx", s.url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = tx.Rollback() })
		return transaction{
			join:   func(ctx context.Context) context.Context { return WithSQLTx(ctx, tx) },
			exec:   func(ctx context.Context, sql string) error { _, err := tx.ExecContext(ctx, sql); return err },
			commit: tx.Commit, rollback: tx.Rollback,
		}
	},
}

func eachDriver(t *testing.T, test func(t *testing.T, s *store, e *Engine, begin func() transaction)) {
	t.Helper()
	for name, begin := range transactions {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t, &Options{Lease: testLease})
			e := s.open(t)
			test(t, s, e, func() transaction { return begin(t, s) })
		})
	}
}

func text(s string) *anypb.Any {
	a, err := anypb.New(wrapperspb.String(s))
	if err != nil {
		panic(err) // a string can always be packed
	}
	return a
}

// work runs handlers until the test ends.
func work(t *testing.T, e *Engine, run func(context.Context, engine.Attempt) engine.Outcome) {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var working sync.WaitGroup
	working.Go(func() {
		if err := e.Work(ctx, engine.Worker{Kinds: map[string]int{"k": 0}, Run: run}); err != nil {
			t.Errorf("Work() = %v", err)
		}
	})
	t.Cleanup(func() {
		stop()
		working.Wait()
	})
}

func TestStartInTransaction(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, s *store, e *Engine, begin func() transaction) {
		work(t, e, func(context.Context, engine.Attempt) engine.Outcome { return engine.Outcome{Response: text("ran")} })
		spec := engine.Spec{Kind: "k", Parent: "p/q", Request: text("request"), Metadata: text("metadata"), Trace: map[string]string{"a": "b"}, RequestID: "id"}

		tx := begin()
		ctx := tx.join(t.Context())
		rec, err := e.Start(ctx, spec)
		if err != nil {
			t.Fatalf("Start() = %v", err)
		}
		if again, err := e.Start(ctx, spec); err != nil || again.Name != rec.Name {
			t.Errorf("Start() with the same request ID = %v, %v; want %q", again, err, rec.Name)
		}
		if _, err := e.Start(ctx, engine.Spec{Kind: "k", RequestID: "id"}); !errors.Is(err, engine.ErrRequestIDReused) {
			t.Errorf("Start() with another request = %v, want %v", err, engine.ErrRequestIDReused)
		}
		if _, err := e.Get(t.Context(), rec.Name); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("Get() before the commit = %v, want %v", err, engine.ErrNotFound)
		}
		if err := tx.rollback(); err != nil {
			t.Fatal(err)
		}
		e.Committed(ctx) // by mistake: harmless
		if _, err := e.Get(t.Context(), rec.Name); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("Get() after a rollback = %v, want %v", err, engine.ErrNotFound)
		}

		tx = begin()
		ctx = tx.join(t.Context())
		if rec, err = e.Start(ctx, spec); err != nil {
			t.Fatalf("Start() = %v", err)
		}
		plain, err := e.Start(ctx, engine.Spec{Kind: "k"})
		if err != nil {
			t.Fatalf("Start() = %v", err)
		}
		if err := tx.commit(); err != nil {
			t.Fatal(err)
		}
		e.Committed(ctx)
		for _, name := range []string{rec.Name, plain.Name} {
			end, err := e.Wait(t.Context(), name)
			if err != nil || end.State != engine.Succeeded {
				t.Errorf("Wait(%q) = %v, %v; want it to have run", name, end, err)
			}
		}
		end, err := e.Get(t.Context(), rec.Name)
		if err != nil || end.Parent != spec.Parent || end.Trace["a"] != "b" || end.RequestID != "id" || end.Request.String() != spec.Request.String() {
			t.Errorf("Get() = %v, %v; want what was started", end, err)
		}
	})
}

// TestUnusableTransaction: an error of the caller's own transaction is not the
// database's, which another try may help against.
func TestUnusableTransaction(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, s *store, e *Engine, begin func() transaction) {
		tx := begin()
		check := func(when string) {
			t.Helper()
			_, err := e.Start(tx.join(t.Context()), engine.Spec{Kind: "k"})
			if err == nil || errors.Is(err, engine.ErrUnavailable) || !strings.Contains(err.Error(), "the transaction of ctx cannot be used: ") {
				t.Errorf("Start() %s = %v, want an error that says so", when, err)
			}
		}
		if err := tx.exec(t.Context(), "SELECT 1/0"); err == nil {
			t.Fatal("1/0 succeeded")
		}
		check("after a statement that failed")
		if err := tx.rollback(); err != nil {
			t.Fatal(err)
		}
		check("after the rollback")
	})
}

// TestStartWaitsForTwin: a request ID that an open transaction has used is waited
// for, a bounded time, and the transaction of the one that waits can still be used.
func TestStartWaitsForTwin(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, s *store, e *Engine, begin func() transaction) {
		first, second := begin(), begin()
		spec := engine.Spec{Kind: "other", RequestID: "id"}
		rec, err := e.Start(first.join(t.Context()), spec)
		if err != nil {
			t.Fatalf("Start() = %v", err)
		}
		if _, err := e.Start(second.join(t.Context()), spec); !errors.Is(err, engine.ErrUnavailable) {
			t.Errorf("Start() in another transaction = %v, want %v", err, engine.ErrUnavailable)
		}
		outside := make(chan error)
		go func() {
			_, err := e.Start(t.Context(), spec)
			outside <- err
		}()
		// Other starts are not held up, alone or in a group with it.
		for i := range 20 {
			if _, err := e.Start(t.Context(), engine.Spec{Kind: "other", RequestID: fmt.Sprint("another ", i)}); err != nil {
				t.Errorf("Start() with another request ID = %v", err)
			}
		}
		select {
		case err := <-outside:
			t.Errorf("Start() outside = %v before the others, which it has held up", err)
		default:
			if err := <-outside; !errors.Is(err, engine.ErrUnavailable) {
				t.Errorf("Start() outside = %v, want %v", err, engine.ErrUnavailable)
			}
		}
		if err := second.exec(t.Context(), "SELECT 1"); err != nil {
			t.Errorf("a statement after it = %v", err)
		}
		if err := first.commit(); err != nil {
			t.Fatal(err)
		}
		if again, err := e.Start(second.join(t.Context()), spec); err != nil || again.Name != rec.Name {
			t.Errorf("Start() after the commit = %v, %v; want %q", again, err, rec.Name)
		}
	})
}

// TestCompleteInTransaction: rows of a handler and the end of its operation are
// there together or not at all, also when an attempt is repeated.
func TestCompleteInTransaction(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, s *store, e *Engine, begin func() transaction) {
		table := pgx.Identifier{s.opts.Schema, "effect"}.Sanitize()
		s.exec(t, "CREATE TABLE "+table+" (name text, attempt int)")
		k := server.Kind[*lropb.SimulateRequest, *lropb.SimulateResponse, *lropb.OperationMetadata]{
			Name: "k", Retry: server.Retry{MaxAttempts: 5, Backoff: time.Millisecond, If: func(error) bool { return true }},
		}
		// The 1st attempt is rolled back, the 2nd commits, and returns an error all
		// the same, as when the answer of its commit is lost.
		srv, err := server.New(e, server.Config{PageKey: e.PageKey()}, k.Handle(
			func(ctx context.Context, task *server.Task[*lropb.OperationMetadata], _ *lropb.SimulateRequest) (*lropb.SimulateResponse, error) {
				tx := begin()
				defer func() { _ = tx.rollback() }()
				in := tx.join(ctx)
				if err := tx.exec(ctx, fmt.Sprintf("INSERT INTO %s VALUES ('%s', %d)", table, task.Name(), task.Attempt())); err != nil {
					return nil, err
				}
				if err := task.Save(in, fmt.Append(nil, task.Attempt())); err != nil {
					return nil, err
				}
				if err := k.Complete(in, task, &lropb.SimulateResponse{Echo: fmt.Sprint(task.Attempt())}); err != nil {
					return nil, err
				}
				if task.Attempt() == 1 {
					return nil, errors.New("rolled back")
				}
				if err := tx.commit(); err != nil {
					return nil, err
				}
				e.Committed(in)
				return nil, errors.New("lost")
			}))
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		var working sync.WaitGroup
		working.Go(func() {
			if err := srv.Work(ctx); err != nil {
				t.Errorf("Work() = %v", err)
			}
		})
		defer working.Wait()
		defer stop()
		op, err := k.Start(t.Context(), srv, nil, nil)
		if err != nil {
			t.Fatalf("Start() = %v", err)
		}
		rec, err := e.Wait(t.Context(), op.GetName())
		if err != nil || rec.State != engine.Succeeded || rec.Attempt != 2 || string(rec.Checkpoint) != "2" {
			t.Errorf("Wait() = %v, %v; want success in attempt 2, with its checkpoint", rec, err)
		}
		var effects []string
		err = e.query(t.Context(), func(q querier) error {
			return each(t.Context(), q, "SELECT name || ' ' || attempt FROM "+table, func(r rows) error {
				effects = append(effects, "")
				return r.Scan(&effects[len(effects)-1])
			})
		})
		if want := op.GetName() + " 2"; err != nil || len(effects) != 1 || effects[0] != want {
			t.Errorf("rows = %q, %v; want %q alone", effects, err, want)
		}
	})
}

// TestInTx: what of a transaction is repeated, and which errors say that another
// attempt may succeed.
func TestInTx(t *testing.T) {
	t.Parallel()
	e := newStore(t, &Options{}).open(t)
	own := errors.New("own")
	for _, tt := range []struct {
		name        string
		f           func(ctx context.Context, tx pgx.Tx, run int) error
		runs        int
		fails       bool
		unavailable bool
	}{
		{"an error of its own", func(context.Context, pgx.Tx, int) error { return own }, 1, true, false},
		{"a statement that fails", func(ctx context.Context, tx pgx.Tx, _ int) error {
			_, err := tx.Exec(ctx, "SELECT 1/0")
			return err
		}, 1, true, false},
		{"a deadlock, once", func(_ context.Context, _ pgx.Tx, run int) error {
			if run == 1 {
				return fmt.Errorf("update: %w", &pgconn.PgError{Code: codeDeadlock})
			}
			return nil
		}, 2, false, false},
		{"a serialization failure, again and again", func(context.Context, pgx.Tx, int) error {
			return &pgconn.PgError{Code: codeSerializationFailure}
		}, maxTries, true, true},
		{"a connection that is lost", func(ctx context.Context, tx pgx.Tx, _ int) error {
			_, err := tx.Exec(ctx, "SELECT pg_terminate_backend(pg_backend_pid())")
			return err
		}, 1, true, true},
		{"a connection that is lost before each commit", func(ctx context.Context, tx pgx.Tx, _ int) error {
			_, _ = tx.Exec(ctx, "SELECT pg_terminate_backend(pg_backend_pid())")
			return nil
		}, maxTries, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			runs := 0
			err := e.InTx(t.Context(), func(ctx context.Context, tx pgx.Tx) error {
				runs++
				return tt.f(ctx, tx, runs)
			})
			if (err != nil) != tt.fails || errors.Is(err, engine.ErrUnavailable) != tt.unavailable {
				t.Errorf("InTx() = %v; fails: want %t; is %v: want %t", err, tt.fails, engine.ErrUnavailable, tt.unavailable)
			}
			if runs != tt.runs {
				t.Errorf("f ran %d times, want %d", runs, tt.runs)
			}
		})
	}
}

// TestInTxCommits: a ctx that ends once the work is done does not take it back.
func TestInTxCommits(t *testing.T) {
	t.Parallel()
	e := newStore(t, &Options{}).open(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var name string
	err := e.InTx(ctx, func(ctx context.Context, _ pgx.Tx) error {
		rec, err := e.Start(ctx, engine.Spec{Kind: "k"})
		if err == nil {
			name = rec.Name
		}
		cancel()
		return err
	})
	if err != nil {
		t.Fatalf("InTx() = %v, want the commit", err)
	}
	if _, err := e.Get(t.Context(), name); err != nil {
		t.Errorf("Get() = %v, want the operation", err)
	}
}

// TestProgressBesideTransaction: progress of other operations is stored while a
// transaction has locked one.
func TestProgressBesideTransaction(t *testing.T) {
	t.Parallel()
	s := newStore(t, &Options{Lease: testLease})
	e, reader := s.open(t), s.open(t)
	locked, end := make(chan struct{}), make(chan struct{})
	work(t, e, func(ctx context.Context, a engine.Attempt) engine.Outcome {
		if a.Record().RequestID == "locks" {
			err := e.InTx(ctx, func(ctx context.Context, _ pgx.Tx) error {
				if err := a.Save(ctx, []byte("x")); err != nil {
					return err
				}
				a.Report(text("progress"))
				close(locked)
				<-end
				return nil
			})
			if err != nil {
				t.Errorf("InTx() = %v", err)
			}
			return engine.Outcome{Response: text("")}
		}
		<-locked
		a.Report(text("progress"))
		<-end
		return engine.Outcome{Response: text("")}
	})
	locks, err := e.Start(t.Context(), engine.Spec{Kind: "k", RequestID: "locks"})
	if err != nil {
		t.Fatal(err)
	}
	other, err := e.Start(t.Context(), engine.Spec{Kind: "k"})
	if err != nil {
		t.Fatal(err)
	}
	for begin := time.Now(); ; {
		rec, err := reader.Get(t.Context(), other.Name)
		if err != nil {
			t.Fatal(err)
		}
		if rec.Metadata != nil {
			break
		}
		if time.Since(begin) > time.Minute {
			t.Fatal("progress is not stored")
		}
		<-time.After(10 * time.Millisecond)
	}
	close(end)
	for _, name := range []string{locks.Name, other.Name} {
		if rec, err := e.Wait(t.Context(), name); err != nil || rec.State != engine.Succeeded || rec.Metadata == nil {
			t.Errorf("Wait() = %v, %v; want success, with its progress", rec, err)
		}
	}
}

// TestCommittedIsTold: what a committed transaction has started begins at once, and
// not at the next poll.
func TestCommittedIsTold(t *testing.T) {
	t.Parallel()
	s := newStore(t, &Options{Lease: testLease, Poll: time.Hour})
	for _, e := range []*Engine{s.open(t), s.open(t)} {
		work(t, e, func(context.Context, engine.Attempt) engine.Outcome { return engine.Outcome{Response: text("ran")} })
	}
	e := s.open(t)
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	for range 3 {
		first := mustStart(t, e, engine.Spec{Kind: "k"}) // its end shows that the workers wait for the next
		if _, err := e.Wait(ctx, first.Name); err != nil {
			t.Fatal(err)
		}
		var rec *engine.Record
		err := e.InTx(ctx, func(ctx context.Context, _ pgx.Tx) (err error) {
			rec, err = e.Start(ctx, engine.Spec{Kind: "k"})
			return err
		})
		if err != nil {
			t.Fatalf("InTx() = %v", err)
		}
		if end, err := e.Wait(ctx, rec.Name); err != nil || end.State != engine.Succeeded {
			t.Fatalf("Wait() = %v, %v; want it to have run", end, err)
		}
	}
}
