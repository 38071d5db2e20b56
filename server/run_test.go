package server_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine"
)

func TestDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k, kinds := one(simKind{AttemptTimeout: time.Minute}, sleeper)
		r := newRig(t, rigOptions{kinds: kinds})
		begin := time.Now()
		late := r.start(t, k, &lropb.SimulateRequest{Duration: durationpb.New(time.Hour)}, nil)
		intime := r.start(t, k, &lropb.SimulateRequest{Duration: durationpb.New(59 * time.Second)}, nil)
		wantStatus(t, "late operation", r.waitLong(t, late.GetName()).GetError(), codes.DeadlineExceeded, "ATTEMPT_DEADLINE_EXCEEDED")
		if took := time.Since(begin); took != time.Minute {
			t.Errorf("late operation took %s, want a minute", took)
		}
		if op := r.waitLong(t, intime.GetName()); op.GetResponse() == nil {
			t.Errorf("operation within its deadline = %v, want a response", op)
		}
	})
}

// A handler that ignores its deadline but finishes has finished.
func TestDeadlineIsNoVerdict(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k, kinds := one(simKind{AttemptTimeout: time.Second}, func(ctx context.Context, task task, req request) (response, error) {
			<-ctx.Done()
			return echo(ctx, task, req)
		})
		r := newRig(t, rigOptions{kinds: kinds})
		if op := r.waitLong(t, r.start(t, k, nil, nil).GetName()); op.GetResponse() == nil {
			t.Errorf("operation = %v, want a response", op)
		}
	})
}

func TestRetryBacksOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var begins []time.Time
		k, kinds := one(simKind{Retry: server.Retry{MaxAttempts: 4, Backoff: time.Second}}, func(ctx context.Context, task task, req request) (response, error) {
			mu.Lock()
			begins = append(begins, time.Now())
			mu.Unlock()
			if err := task.Save(ctx, []byte{byte(task.Attempt())}); err != nil {
				return nil, err
			}
			if task.Attempt() < 4 {
				return nil, status.Error(codes.Unavailable, "later")
			}
			return &lropb.SimulateResponse{Attempts: int32(task.Attempt()), Echo: string(rune('0' + task.Checkpoint()[0]))}, nil
		})
		r := newRig(t, rigOptions{kinds: kinds})
		name := r.start(t, k, nil, nil).GetName()
		synctest.Wait()
		if md := unpacked[metadata](t, r.get(t, name).GetMetadata()); md.GetState() != lropb.OperationMetadata_PENDING || md.GetAttempt() != 1 {
			t.Errorf("metadata between attempts = %v, want PENDING after attempt 1", md)
		}
		got := unpacked[response](t, r.waitLong(t, name).GetResponse())
		if got.GetAttempts() != 4 || got.GetEcho() != "3" {
			t.Errorf("response = %v, want attempt 4 with the checkpoint of attempt 3", got)
		}
		for i, want := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} {
			if gap := begins[i+1].Sub(begins[i]); gap < want || gap > want+want/5+time.Millisecond {
				t.Errorf("wait before attempt %d was %s, want %s to 20 %% more", i+2, gap, want)
			}
		}
	})
}

func TestRetryEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var attempts atomic.Int32
		k, kinds := one(simKind{Retry: server.Retry{MaxAttempts: 3}}, func(context.Context, task, request) (response, error) {
			attempts.Add(1)
			return nil, status.Error(codes.Unavailable, "later")
		})
		r := newRig(t, rigOptions{kinds: kinds})
		op := r.waitLong(t, r.start(t, k, nil, nil).GetName())
		wantStatus(t, "operation", op.GetError(), codes.Unavailable, "UNAVAILABLE")
		if n := attempts.Load(); n != 3 {
			t.Errorf("attempts = %d, want 3", n)
		}
	})
}

// Cancel ends an operation that waits for its next attempt.
func TestCancelBetweenAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k, kinds := one(simKind{Retry: server.Retry{MaxAttempts: -1, Backoff: time.Hour, MaxBackoff: time.Hour}}, func(context.Context, task, request) (response, error) {
			return nil, status.Error(codes.Unavailable, "later")
		})
		r := newRig(t, rigOptions{kinds: kinds})
		name := r.start(t, k, nil, nil).GetName()
		synctest.Wait()
		r.cancel(t, name)
		if op := r.get(t, name); !op.GetDone() || op.GetError().GetCode() != int32(codes.Canceled) {
			t.Errorf("operation = %v, want CANCELLED", op)
		}
	})
}

func TestCancelReachesHandlerAsCause(t *testing.T) {
	t.Parallel()
	causes := make(chan error, 1)
	running := make(chan struct{})
	k, kinds := one(simKind{}, func(ctx context.Context, _ task, _ request) (response, error) {
		close(running)
		<-ctx.Done()
		causes <- context.Cause(ctx)
		return nil, ctx.Err()
	})
	r := newRig(t, rigOptions{kinds: kinds})
	name := r.start(t, k, nil, nil).GetName()
	<-running
	r.cancel(t, name)
	if cause := <-causes; !errors.Is(cause, server.ErrCancelRequested) {
		t.Errorf("cause = %v, want %v", cause, server.ErrCancelRequested)
	}
	op := r.wait(t, name)
	wantStatus(t, "operation", op.GetError(), codes.Canceled, "OPERATION_CANCELLED")
	if md := unpacked[metadata](t, op.GetMetadata()); !md.GetRequestedCancellation() || md.GetState() != lropb.OperationMetadata_CANCELLED {
		t.Errorf("metadata = %v, want CANCELLED on request", md)
	}
}

func TestDrain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		causes := make(chan error, 2)
		k, kinds := one(simKind{}, func(ctx context.Context, task task, req request) (response, error) {
			resp, err := sleeper(ctx, task, req)
			causes <- context.Cause(ctx)
			return resp, err
		})
		r := newRig(t, rigOptions{kinds: kinds, config: server.Config{Drain: time.Minute}})
		short := r.start(t, k, &lropb.SimulateRequest{Duration: durationpb.New(30 * time.Second)}, nil).GetName()
		long := r.start(t, k, &lropb.SimulateRequest{Duration: durationpb.New(time.Hour)}, nil).GetName()
		synctest.Wait()
		begin := time.Now()
		r.stopWork()
		if took := time.Since(begin); took != time.Minute {
			t.Errorf("Work took %s to drain, want a minute", took)
		}
		if op := r.get(t, short); op.GetResponse() == nil {
			t.Errorf("operation that finished while draining = %v, want a response", op)
		}
		if md := unpacked[metadata](t, r.get(t, long).GetMetadata()); md.GetState() != lropb.OperationMetadata_PENDING || md.GetAttempt() != 1 {
			t.Errorf("operation that did not finish = %v, want PENDING after attempt 1", md)
		}
		if cause := <-causes; cause != nil {
			t.Errorf("cause of the one that finished = %v, want nil", cause)
		}
		if cause := <-causes; !errors.Is(cause, server.ErrDraining) {
			t.Errorf("cause of the other = %v, want %v", cause, server.ErrDraining)
		}
		// A worker runs again, and so does the operation.
		ctx, cancel := context.WithCancel(context.Background())
		var working sync.WaitGroup
		working.Go(func() {
			if err := r.srv.Work(ctx); err != nil {
				t.Errorf("second Work: %v", err)
			}
		})
		synctest.Wait() // until Work has begun; before that, waits answer at once
		op := r.waitLong(t, long)
		if got := unpacked[response](t, op.GetResponse()); got.GetAttempts() != 2 {
			t.Errorf("operation = %v, want a response of attempt 2", op)
		}
		cancel()
		working.Wait()
	})
}

func TestDrainAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k, kinds := one(simKind{}, untilCancelled)
		r := newRig(t, rigOptions{kinds: kinds, config: server.Config{Drain: -1}})
		r.start(t, k, nil, nil)
		synctest.Wait()
		begin := time.Now()
		r.stopWork()
		if took := time.Since(begin); took != 0 {
			t.Errorf("Work took %s to drain, want no time", took)
		}
	})
}

// An operation that must not run twice cannot be handed back.
func TestAtMostOnceDrained(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k, kinds := one(simKind{AtMostOnce: true}, untilCancelled)
		r := newRig(t, rigOptions{kinds: kinds, config: server.Config{Drain: -1}})
		name := r.start(t, k, nil, nil).GetName()
		synctest.Wait()
		r.stopWork()
		if op := r.get(t, name); codes.Code(op.GetError().GetCode()) != codes.Aborted {
			t.Errorf("operation = %v, want ABORTED", op)
		}
	})
}

func TestPanicKeepsItsStack(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]handler{
		"panic":  func(context.Context, task, request) (response, error) { panic("hunter2") },
		"Goexit": func(context.Context, task, request) (response, error) { runtime.Goexit(); return nil, nil },
		"index": func(_ context.Context, _ task, req request) (response, error) {
			return nil, []error{}[req.GetSteps()]
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log lockedBuffer
			k, kinds := one(simKind{Retry: server.Retry{MaxAttempts: 9, If: func(error) bool { return true }}}, h)
			r := newRig(t, rigOptions{kinds: kinds, config: server.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))}})
			op := r.wait(t, r.start(t, k, nil, nil).GetName())
			wantStatus(t, "operation", op.GetError(), codes.Internal, "HANDLER_PANICKED")
			if text := op.String(); strings.Contains(text, "hunter2") || strings.Contains(text, ".go:") {
				t.Errorf("operation = %s, shows the panic", text)
			}
			if text := log.String(); !strings.Contains(text, "run_test.go") || !strings.Contains(text, op.GetName()) {
				t.Errorf("log = %s, want the stack and the operation's name", text)
			}
			if md := unpacked[metadata](t, op.GetMetadata()); md.GetAttempt() != 1 {
				t.Errorf("attempts = %d, want 1: a panic is not retried", md.GetAttempt())
			}
		})
	}
}

// A panic in a hook of the program ends the operation, not the process.
func TestPanicInHook(t *testing.T) {
	t.Parallel()
	k, kinds := one(simKind{Retry: server.Retry{MaxAttempts: 2, If: func(error) bool { panic("If") }}}, func(context.Context, task, request) (response, error) {
		return nil, errors.New("oops")
	})
	r := newRig(t, rigOptions{kinds: kinds})
	op := r.wait(t, r.start(t, k, nil, nil).GetName())
	wantStatus(t, "operation", op.GetError(), codes.Internal, "HANDLER_PANICKED")
}

// Operations of a kind that is gone are not lost, and can be looked at.
func TestKindThatIsGone(t *testing.T) {
	t.Parallel()
	old, first := one(simKind{Name: "old"}, echo)
	r := newRig(t, rigOptions{kinds: first, idle: true})
	stays, cancelled := r.start(t, old, nil, nil).GetName(), r.start(t, old, nil, nil).GetName()
	r.stop()
	k, second := one(simKind{Name: "new"}, echo)
	r = newRig(t, rigOptions{kinds: second, path: r.path})
	r.wait(t, r.start(t, k, nil, nil).GetName())
	if md := unpacked[metadata](t, r.get(t, stays).GetMetadata()); md.GetState() != lropb.OperationMetadata_PENDING || md.GetVerb() != "old" {
		t.Errorf("metadata = %v, want PENDING", md)
	}
	r.cancel(t, cancelled)
	r.wait(t, cancelled)
	r.stop()
	r = newRig(t, rigOptions{kinds: first, path: r.path})
	if op := r.wait(t, stays); op.GetResponse() == nil {
		t.Errorf("operation after its kind came back = %v, want a response", op)
	}
}

func TestConcurrency(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var narrow, all peak
		counted := func(peaks ...*peak) handler {
			return func(ctx context.Context, task task, req request) (response, error) {
				for _, p := range peaks {
					p.enter()
					defer p.leave()
				}
				return sleeper(ctx, task, req)
			}
		}
		a, b := simKind{Name: "narrow", Concurrency: 2}, simKind{Name: "wide"}
		r := newRig(t, rigOptions{
			config: server.Config{Concurrency: 5},
			kinds:  []server.Registration{a.Handle(counted(&narrow, &all)), b.Handle(counted(&all))},
		})
		var started []string
		for range 10 {
			req := &lropb.SimulateRequest{Duration: durationpb.New(time.Second)}
			started = append(started, r.start(t, a, req, nil).GetName(), r.start(t, b, req, nil).GetName())
		}
		for _, name := range started {
			r.waitLong(t, name)
		}
		if n, m := narrow.max.Load(), all.max.Load(); n != 2 || m != 5 {
			t.Errorf("ran at once: %d of the narrow kind, %d of all, want 2 and 5", n, m)
		}
	})
}

// peak counts who is inside, and remembers the most.
type peak struct{ now, max atomic.Int32 }

func (p *peak) enter() {
	n := p.now.Add(1)
	for m := p.max.Load(); n > m && !p.max.CompareAndSwap(m, n); m = p.max.Load() {
	}
}

func (p *peak) leave() { p.now.Add(-1) }

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// A cancel that meets the claim of its operation, in whatever order, is not
// lost.
func TestCancelMeetsClaim(t *testing.T) {
	t.Parallel()
	k, kinds := one(simKind{}, untilCancelled)
	other := simKind{Name: "other"}
	r := newRig(t, rigOptions{kinds: append(kinds, other.Declare()), idle: true, config: server.Config{Drain: -1}})
	// A store that is busy makes both meet in its queue.
	ctx, stop := context.WithCancel(t.Context())
	var busy sync.WaitGroup
	busy.Go(func() {
		for ctx.Err() == nil {
			if _, err := other.Start(ctx, r.srv, nil, nil); err != nil && ctx.Err() == nil {
				t.Errorf("Start: %v", err)
				return
			}
		}
	})
	defer busy.Wait()
	defer stop()
	for range 50 {
		name := r.start(t, k, nil, nil).GetName()
		working, stopWork := context.WithCancel(ctx)
		var both sync.WaitGroup
		both.Go(func() {
			if err := r.srv.Work(working); err != nil {
				t.Errorf("Work: %v", err)
			}
		})
		both.Go(func() { r.cancel(t, name) })
		rec, err := r.eng.Wait(withTimeout(t, 30*time.Second), name)
		if err != nil || rec.State != engine.Cancelled {
			t.Errorf("Wait = %v, %v, want CANCELLED", rec, err)
			stopWork()
			both.Wait()
			return
		}
		stopWork()
		both.Wait()
	}
}

func withTimeout(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
