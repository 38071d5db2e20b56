package postgres

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"

	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// TestInTxRepeatsStart: a transaction that loses against another one while an
// operation is started in it is repeated, also where the start is one of package
// server, whose errors are statuses.
func TestInTxRepeatsStart(t *testing.T) {
	t.Parallel()
	s := newStore(t, &Options{})
	e := s.open(t)
	kind := server.Kind[*lropb.SimulateRequest, *lropb.SimulateResponse, *lropb.OperationMetadata]{Name: "k"}
	srv, err := server.New(e, server.Config{}, kind.Declare())
	if err != nil {
		t.Fatal(err)
	}
	const lock = "SELECT pg_advisory_xact_lock(hashtext($1))"
	start := func(ctx context.Context) error {
		_, err := kind.Start(ctx, srv, &lropb.SimulateRequest{}, &server.StartOptions{RequestID: "id"})
		return err
	}
	// The other transaction has used the request ID, waits for the lock that the first
	// one has, and is never the victim.
	other, holds, waits := make(chan error, 1), make(chan struct{}), make(chan struct{})
	go func() {
		other <- e.InTx(t.Context(), func(ctx context.Context, tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "SET LOCAL deadlock_timeout = '1h'"); err != nil {
				return err
			}
			if err := start(ctx); err != nil {
				return err
			}
			close(holds)
			<-waits
			_, err := tx.Exec(ctx, lock, s.opts.Schema)
			return err
		})
	}()
	runs := 0
	err = e.InTx(t.Context(), func(ctx context.Context, tx pgx.Tx) error {
		if runs++; runs == 1 {
			<-holds
		}
		if _, err := tx.Exec(ctx, lock, s.opts.Schema); err != nil {
			return err
		}
		if runs == 1 {
			close(waits)
			if err := waited(ctx, tx); err != nil {
				return err
			}
		}
		return start(ctx)
	})
	if err != nil || runs != 2 {
		t.Errorf("InTx() after a deadlock = %v, and ran %d times; want success by the second", err, runs)
	}
	select {
	case err := <-other:
		if err != nil {
			t.Errorf("InTx() of the other transaction = %v", err)
		}
	case <-time.After(elsewhere):
		t.Error("the other transaction does not end")
	}
	if page, err := e.List(t.Context(), engine.Query{AnyParent: true, Limit: 10}); err != nil || len(page.Records) != 1 {
		t.Errorf("List() = %v, %v; want one operation", page, err)
	}
}

// TestEndAgainInTransaction: an attempt that runs the transaction again in which it has
// ended its operation, because it does not know of the commit, has to roll that back.
func TestEndAgainInTransaction(t *testing.T) {
	t.Parallel()
	e := newStore(t, &Options{}).open(t)
	for _, tt := range []struct {
		name string
		end  func(ctx context.Context, l engine.Lease) error
	}{
		{"complete", func(ctx context.Context, l engine.Lease) error {
			_, err := e.Complete(ctx, l, engine.Completion{Response: text("end")})
			return err
		}},
		{"fail", func(ctx context.Context, l engine.Lease) error {
			_, err := e.Fail(ctx, l, engine.Failure{Error: &spb.Status{Code: int32(codes.Aborted)}})
			return err
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			leases := make(chan engine.Lease)
			work(t, e, func(ctx context.Context, a engine.Attempt) engine.Outcome {
				leases <- a.Record().Lease()
				<-ctx.Done()
				return engine.Outcome{Release: true}
			})
			mustStart(t, e, engine.Spec{Kind: "k"})
			attempt := <-leases
			external := mustStart(t, e, engine.Spec{Kind: "k", External: true}).Lease()
			for _, l := range []engine.Lease{attempt, external} {
				err := e.InTx(t.Context(), func(ctx context.Context, _ pgx.Tx) error { return errors.Join(tt.end(ctx, l), tt.end(ctx, l)) })
				if err != nil {
					t.Errorf("end, twice in one transaction = %v", err)
				}
				if err := tt.end(t.Context(), l); err != nil {
					t.Errorf("end again, in no transaction = %v", err)
				}
				err = e.InTx(t.Context(), func(ctx context.Context, _ pgx.Tx) error { return tt.end(ctx, l) })
				if is := errors.Is(err, engine.ErrFenced); is != (l == attempt) || !is && err != nil {
					t.Errorf("end again, in another transaction = %v; is of an attempt: %t", err, l == attempt)
				}
			}
		})
	}
}

// waited returns when another transaction waits for this one.
func waited(ctx context.Context, tx pgx.Tx) error {
	for begin := time.Now(); time.Since(begin) < elsewhere; enginekit.Pause(ctx, 5*time.Millisecond) {
		var waits bool
		err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid)))").Scan(&waits)
		if waits || err != nil {
			return err
		}
	}
	return errors.New("no transaction waits for this one")
}
