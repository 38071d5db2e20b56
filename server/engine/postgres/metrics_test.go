package postgres

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-lro/lro/server/engine"
)

func TestMetrics(t *testing.T) {
	t.Parallel()
	s := newStore(t, &Options{Lease: shortLease})
	e := s.open(t)
	for range 3 {
		mustStart(t, e, engine.Spec{Kind: "waits"})
	}
	ended := mustStart(t, e, engine.Spec{})
	work(t, e, func(context.Context, engine.Attempt) engine.Outcome { return engine.Outcome{Response: text("")} })
	if _, err := e.Wait(t.Context(), ended.Name); err != nil {
		t.Fatal(err)
	}
	var m engine.Metrics
	// A renewal comes after a fifth of the lease, and PostgreSQL counts dead rows
	// some time after they have died.
	for m.Renewals.Count == 0 || m.DeadRows["live"] == 0 {
		<-time.After(10 * time.Millisecond)
		var err error
		if m, err = e.Metrics(t.Context()); err != nil {
			t.Fatalf("Metrics() = %v", err)
		}
	}
	if q := m.Queues["waits"]; len(m.Queues) != 1 || q.Depth != 3 || q.Age <= 0 {
		t.Errorf("queues = %v, want 3 operations of one kind, with an age", m.Queues)
	}
	if m.Claims.Count == 0 || m.Claims.Time <= 0 || m.Renewals.Time <= 0 || m.FailedRenewals != 0 {
		t.Errorf("claims = %v, renewals = %v, failed = %d; want some, with their time, and none failed", m.Claims, m.Renewals, m.FailedRenewals)
	}
	if m.Connections["used"]+m.Connections["idle"] < 2 {
		t.Errorf("connections = %v, want those of two pools", m.Connections)
	}
	if _, ok := m.DeadRows["op"]; !ok || len(m.DeadRows) != 3 {
		t.Errorf("dead rows = %v, want those of three tables", m.DeadRows)
	}
	s.cut()
	for m.FailedRenewals == 0 {
		<-time.After(10 * time.Millisecond)
		e.measured.mu.Lock()
		m.FailedRenewals = e.measured.failedRenewals
		e.measured.mu.Unlock()
	}
	if _, err := e.Metrics(t.Context()); !errors.Is(err, engine.ErrUnavailable) {
		t.Errorf("Metrics() without a database = %v, want %v", err, engine.ErrUnavailable)
	}
}
