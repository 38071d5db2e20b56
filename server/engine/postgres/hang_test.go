package postgres

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/go-lro/lro/server/engine"
)

// TestHungTransaction: a process that stops inside a transaction of the engine
// holds its operation no longer than a lease.
func TestHungTransaction(t *testing.T) {
	t.Parallel()
	s := newStore(t, &Options{Lease: MinLease})
	a, b := s.open(t), s.open(t)
	rec := mustStart(t, a, engine.Spec{External: true})
	locked, end, ended := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		ended <- a.within(t.Context(), a.pool, func(f frame) error {
			return f.runTwo(t.Context(), []statement{{sql: a.sql.lock, args: []any{seqOf(t, rec)}}}, func() ([]statement, error) {
				close(locked)
				<-end
				return nil, nil
			})
		})
	}()
	<-locked
	ctx, cancel := context.WithTimeout(t.Context(), elsewhere)
	defer cancel()
	_, err := b.Report(ctx, rec.Lease(), engine.Update{Metadata: text("progress")})
	for begin := time.Now(); errors.Is(err, engine.ErrUnavailable) && time.Since(begin) < elsewhere; {
		_, err = b.Report(ctx, rec.Lease(), engine.Update{Metadata: text("progress")})
	}
	if err != nil {
		t.Errorf("Report() while another process hangs = %v", err)
	}
	close(end)
	if err := <-ended; err == nil {
		t.Error("the transaction that hung was committed")
	}
}

// TestHungHandler: a handler that ignores the end of its ctx inside InTx does not
// keep its operation from another process once its lease is lost.
func TestHungHandler(t *testing.T) {
	t.Parallel()
	s := newStore(t, &Options{Lease: testLease})
	a := s.open(t)
	hangs, end, returned := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	run := func(ctx context.Context, at engine.Attempt) engine.Outcome {
		if at.Record().Attempt > 1 {
			return engine.Outcome{Response: text(string(at.Record().Checkpoint) + "second")}
		}
		returned <- a.InTx(ctx, func(ctx context.Context, _ pgx.Tx) error {
			if err := at.Save(ctx, []byte("late")); err != nil {
				return err
			}
			close(hangs)
			<-end
			return nil
		})
		return engine.Outcome{Response: text("late")}
	}
	work(t, a, run)
	rec := mustStart(t, a, engine.Spec{})
	<-hangs
	s.endLease(t, a)
	b := s.open(t)
	work(t, b, run)
	ctx, cancel := context.WithTimeout(t.Context(), elsewhere)
	defer cancel()
	got, err := b.Wait(ctx, rec.Name)
	if err != nil || got.Attempt != 2 || got.Response.String() != text("second").String() {
		t.Errorf("Wait() = %v, %v; want the response of a second attempt, without the checkpoint of the first", got, err)
	}
	close(end)
	if err := <-returned; err == nil {
		t.Error("the transaction of an attempt without a lease was committed")
	}
}
