package postgres

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/go-lro/lro/server/engine"
)

// TestCompleteOnce: an operation that its handler ends in a transaction costs one
// trip to the server beside the begin and the commit, and nothing once the handler
// has returned.
func TestCompleteOnce(t *testing.T) {
	t.Parallel()
	s := newStore(t, &Options{Lease: testLease})
	e := s.open(t)
	var trips atomic.Int64
	pool := s.pool(t, tracer(func([]*pgx.QueuedQuery) { trips.Add(1) }).of)
	took := make(chan int64, 1)
	work(t, e, func(ctx context.Context, a engine.Attempt) engine.Outcome {
		before := trips.Load()
		tx, err := pool.Begin(ctx)
		if err == nil {
			_, err = e.Complete(WithTx(ctx, tx), a.Record().Lease(), engine.Completion{Response: text("inside")})
		}
		if err == nil {
			err = tx.Commit(ctx)
		}
		if err != nil {
			t.Errorf("complete = %v", err)
		}
		took <- trips.Load() - before
		return engine.Outcome{Response: text("dropped")}
	})
	rec := mustStart(t, e, engine.Spec{Metadata: text("metadata")})
	end, err := e.Wait(t.Context(), rec.Name)
	if err != nil || end.State != engine.Succeeded || end.Response.String() != text("inside").String() || end.Metadata.String() != text("metadata").String() {
		t.Errorf("Wait() = %v, %v; want the response of Complete, and the metadata", end, err)
	}
	if got := <-took; got > 3 {
		t.Errorf("begin, Complete and commit took %d trips to the server, want 3", got)
	}
}

// TestCompleteAfterReport: progress that is not stored yet is stored with the end.
func TestCompleteAfterReport(t *testing.T) {
	t.Parallel()
	s := newStore(t, &Options{})
	e := s.open(t)
	work(t, e, func(ctx context.Context, a engine.Attempt) engine.Outcome {
		writing := a.(*attempt).writing
		writing <- struct{}{} // so that it is not
		defer func() { <-writing }()
		a.Report(text("progress"))
		err := e.InTx(ctx, func(ctx context.Context, _ pgx.Tx) error {
			_, err := e.Complete(ctx, a.Record().Lease(), engine.Completion{Response: text("inside")})
			return err
		})
		if err != nil {
			t.Errorf("InTx() = %v", err)
		}
		return engine.Outcome{}
	})
	rec := mustStart(t, e, engine.Spec{Metadata: text("metadata")})
	if end, err := e.Wait(t.Context(), rec.Name); err != nil || end.Metadata.String() != text("progress").String() {
		t.Errorf("Wait() = %v, %v; want the metadata that was reported", end, err)
	}
}

// TestCompleteRolledBack: an operation still runs whose end was rolled back, even
// where Committed is called by mistake.
func TestCompleteRolledBack(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, _ *store, e *Engine, begin func() transaction) {
		work(t, e, func(ctx context.Context, a engine.Attempt) engine.Outcome {
			tx := begin()
			in := tx.join(ctx)
			if _, err := e.Complete(in, a.Record().Lease(), engine.Completion{Response: text("rolled back")}); err != nil {
				t.Errorf("Complete() = %v", err)
			}
			if err := tx.rollback(); err != nil {
				t.Error(err)
			}
			e.Committed(in)
			return engine.Outcome{Response: text("returned")}
		})
		rec := mustStart(t, e, engine.Spec{})
		end, err := e.Wait(t.Context(), rec.Name)
		if err != nil || end.Response.String() != text("returned").String() {
			t.Errorf("Wait() = %v, %v; want what the handler returned", end, err)
		}
	})
}

// TestCompleteFenced: a transaction can still be used after the end of another
// attempt's operation was refused in it.
func TestCompleteFenced(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, _ *store, e *Engine, begin func() transaction) {
		refused := make(chan error, 1)
		work(t, e, func(ctx context.Context, a engine.Attempt) engine.Outcome {
			lease := a.Record().Lease()
			lease.Fence--
			tx := begin()
			_, err := e.Complete(tx.join(ctx), lease, engine.Completion{Response: text("late")})
			refused <- err
			if err := errors.Join(tx.exec(ctx, "SELECT 1"), tx.commit()); err != nil {
				t.Errorf("transaction after a refusal = %v", err)
			}
			return engine.Outcome{Response: text("returned")}
		})
		rec := mustStart(t, e, engine.Spec{})
		if end, err := e.Wait(t.Context(), rec.Name); err != nil || end.Response.String() != text("returned").String() {
			t.Errorf("Wait() = %v, %v; want what the handler returned", end, err)
		}
		if err := <-refused; !errors.Is(err, engine.ErrFenced) {
			t.Errorf("Complete() with an earlier lease = %v, want %v", err, engine.ErrFenced)
		}
	})
}
