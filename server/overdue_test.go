package server_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
)

// ignore is a handler that ignores its context until release is closed.
func ignore(release <-chan struct{}) handler {
	return func(ctx context.Context, t task, req request) (response, error) {
		<-release
		return echo(ctx, t, req)
	}
}

// TestOverdue: a handler that ignores its deadline loses its operation and its
// slot after the grace, and whatever it does then is refused.
func TestOverdue(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		grace, want time.Duration
	}{
		"default grace": {0, time.Minute + 30*time.Second},
		"its own grace": {time.Hour, time.Minute + time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				release, late := make(chan struct{}), make(chan error, 1)
				var attempts atomic.Int32
				var ends []server.AttemptEnd
				var mu sync.Mutex
				var log bytes.Buffer
				k, kinds := one(simKind{
					AttemptTimeout: time.Minute, TimeoutGrace: tt.grace, Concurrency: 1,
					Retry: server.Retry{MaxAttempts: 5, If: func(error) bool { return true }},
				}, func(ctx context.Context, task task, req request) (response, error) {
					attempts.Add(1)
					if req.GetEcho() == "next" {
						return echo(ctx, task, req)
					}
					<-release
					late <- task.Save(context.WithoutCancel(ctx), []byte("late"))
					return echo(ctx, task, req)
				})
				r := newRig(t, rigOptions{kinds: kinds, config: server.Config{
					Logger: slog.New(slog.NewTextHandler(&log, nil)),
					Observer: server.Observer{Attempt: func(ctx context.Context, _ server.AttemptStart) (context.Context, func(server.AttemptEnd)) {
						return ctx, func(end server.AttemptEnd) {
							mu.Lock()
							defer mu.Unlock()
							ends = append(ends, end)
						}
					}},
				}})
				begin := time.Now()
				stuck := r.start(t, k, nil, nil).GetName()
				synctest.Wait()
				next := r.start(t, k, &lropb.SimulateRequest{Echo: "next"}, nil).GetName()
				op := r.waitLong(t, stuck)
				wantStatus(t, "overdue operation", op.GetError(), codes.DeadlineExceeded, "ATTEMPT_DEADLINE_EXCEEDED")
				if took := time.Since(begin); took != tt.want {
					t.Errorf("operation took %s, want %s", took, tt.want)
				}
				if op := r.waitLong(t, next); op.GetResponse() == nil {
					t.Errorf("operation behind it = %v, want a response", op)
				}
				close(release)
				if err := <-late; !errors.Is(err, server.ErrLeaseLost) {
					t.Errorf("late Save = %v, want %v", err, server.ErrLeaseLost)
				}
				synctest.Wait()
				if op := r.get(t, stuck); op.GetError().GetCode() != int32(codes.DeadlineExceeded) {
					t.Errorf("operation after the late result = %v", op)
				}
				if n := attempts.Load(); n != 2 {
					t.Errorf("%d attempts, want one of each operation", n)
				}
				mu.Lock()
				defer mu.Unlock()
				if len(ends) != 2 || !ends[0].Overdue || ends[1].Overdue {
					t.Errorf("ends = %+v, want one that is overdue and one that is not", ends)
				}
				r.stop()
				for _, want := range []string{"ignores its deadline", "result is dropped"} {
					if !strings.Contains(log.String(), want) {
						t.Errorf("log has no %q:\n%s", want, &log)
					}
				}
			})
		})
	}
}

// TestCancelForcesNothing: clean-up after a cancel may take its time, where
// there is no deadline or the grace has no end.
func TestCancelForcesNothing(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]simKind{
		"no deadline":    {},
		"grace for ever": {AttemptTimeout: time.Second, TimeoutGrace: -1},
		"longest grace":  {AttemptTimeout: time.Second, TimeoutGrace: math.MaxInt64},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				k, kinds := one(kind, ignore(release))
				r := newRig(t, rigOptions{kinds: kinds})
				name := r.start(t, k, nil, nil).GetName()
				synctest.Wait()
				r.cancel(t, name)
				time.Sleep(24 * time.Hour)
				if op := r.get(t, name); op.GetDone() {
					t.Errorf("operation = %v, want it running", op)
				}
				close(release)
				if op := r.waitLong(t, name); op.GetResponse() == nil {
					t.Errorf("operation = %v, want the response", op)
				}
			})
		})
	}
}
