package postgres

import (
	"context"
	"errors"
	"testing"
	"time"

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
		ended <- a.transact(t.Context(), a.pool, func(q querier) error {
			_, err := a.lock(t.Context(), q, seqOf(t, rec))
			close(locked)
			<-end
			return err
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
