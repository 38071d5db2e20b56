package server_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine"
)

// recorder is an observer that writes down what it sees.
type recorder struct {
	mu       sync.Mutex
	started  []string
	attempts []server.AttemptStart
	ends     []server.AttemptEnd
}

func (r *recorder) observer() server.Observer {
	return server.Observer{
		Started: func(_ context.Context, kind string, err error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.started = append(r.started, kind+" "+status.Code(err).String())
		},
		Attempt: func(ctx context.Context, a server.AttemptStart) (context.Context, func(server.AttemptEnd)) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.attempts = append(r.attempts, a)
			return ctx, func(e server.AttemptEnd) {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.ends = append(r.ends, e)
			}
		},
	}
}

// The trace of a start is continued by its attempts, also in another process.
// OpenTelemetry plugs into the hook as it is.
func TestTraceContinues(t *testing.T) {
	t.Parallel()
	w3c := propagation.TraceContext{}
	observer := server.Observer{
		Inject: func(ctx context.Context, carrier map[string]string) {
			w3c.Inject(ctx, propagation.MapCarrier(carrier))
		},
		Attempt: func(ctx context.Context, a server.AttemptStart) (context.Context, func(server.AttemptEnd)) {
			return w3c.Extract(ctx, propagation.MapCarrier(a.Trace)), nil
		},
	}
	k, kinds := one(simKind{}, func(ctx context.Context, _ task, _ request) (response, error) {
		return &lropb.SimulateResponse{Echo: trace.SpanContextFromContext(ctx).TraceID().String()}, nil
	})
	caller := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1, 2, 3}, SpanID: trace.SpanID{4}, TraceFlags: trace.FlagsSampled})
	r := newRig(t, rigOptions{kinds: kinds, idle: true, config: server.Config{Observer: observer}})
	op, err := k.Start(trace.ContextWithSpanContext(t.Context(), caller), r.srv, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	plain := r.start(t, k, nil, nil).GetName()
	r.stop()
	r = newRig(t, rigOptions{kinds: kinds, path: r.path, config: server.Config{Observer: observer}})
	for name, want := range map[string]string{op.GetName(): caller.TraceID().String(), plain: trace.TraceID{}.String()} {
		if got := unpacked[response](t, r.wait(t, name).GetResponse()).GetEcho(); got != want {
			t.Errorf("trace in the handler of %q = %s, want %s", name, got, want)
		}
	}
}

func TestObserver(t *testing.T) {
	t.Parallel()
	var rec recorder
	fails := 1
	k, kinds := one(simKind{
		Retry: server.Retry{MaxAttempts: 2, Backoff: time.Millisecond},
		Validate: func(_ context.Context, req request) error {
			if req.GetSteps() < 0 {
				return errors.New("steps is negative")
			}
			return nil
		},
	}, func(ctx context.Context, task task, req request) (response, error) {
		switch {
		case req.GetEcho() == "panic":
			panic("oops")
		case req.GetEcho() == "fail":
			return nil, status.Error(codes.NotFound, "no such shelf")
		case fails > 0:
			fails--
			return nil, status.Error(codes.Unavailable, "later")
		}
		return echo(ctx, task, req)
	})
	r := newRig(t, rigOptions{kinds: kinds, config: server.Config{Observer: rec.observer()}})
	r.wait(t, r.start(t, k, nil, nil).GetName())
	r.wait(t, r.start(t, k, &lropb.SimulateRequest{Echo: "fail"}, nil).GetName())
	name := r.start(t, k, &lropb.SimulateRequest{Echo: "panic"}, nil).GetName()
	r.wait(t, name)
	if _, err := k.Start(t.Context(), r.srv, &lropb.SimulateRequest{Steps: -1}, nil); err == nil {
		t.Error("Start of a bad request = nil error, want one")
	}
	r.stop()
	rec.mu.Lock()
	defer rec.mu.Unlock()
	if d := cmp.Diff([]string{"sim OK", "sim OK", "sim OK", "sim InvalidArgument"}, rec.started); d != "" {
		t.Errorf("starts (-want +got):\n%s", d)
	}
	if n := len(rec.attempts); n != 4 {
		t.Fatalf("attempts = %+v, want 4", rec.attempts)
	}
	last := rec.attempts[3]
	if last.Operation != name || last.Kind != "sim" || last.Attempt != 1 || last.Created.IsZero() || last.Queued < 0 || last.Trace != nil {
		t.Errorf("last attempt = %+v, want the first of %q", last, name)
	}
	type end struct {
		State engine.State
		Code  codes.Code
	}
	var ends []end
	for _, e := range rec.ends {
		ends = append(ends, end{e.State, codes.Code(e.Status.GetCode())})
	}
	want := []end{{engine.Pending, codes.Unavailable}, {engine.Succeeded, codes.OK}, {engine.Failed, codes.NotFound}, {engine.Failed, codes.OK}}
	if d := cmp.Diff(want, ends); d != "" {
		t.Errorf("ends (-want +got):\n%s", d)
	}
}
