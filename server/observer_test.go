package server_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	grpcmetadata "google.golang.org/grpc/metadata"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine"
)

type traceKey struct{}

// recorder is an observer that writes down what it sees.
type recorder struct {
	mu       sync.Mutex
	started  []string
	attempts []server.AttemptStart
	ends     []server.AttemptEnd
}

func (r *recorder) observer() server.Observer {
	return server.Observer{
		Inject: func(ctx context.Context, carrier map[string]string) {
			md, _ := grpcmetadata.FromIncomingContext(ctx)
			for _, v := range md.Get("traceparent") {
				carrier["traceparent"] = v
			}
		},
		Started: func(_ context.Context, kind string, err error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.started = append(r.started, kind+" "+status.Code(err).String())
		},
		Attempt: func(ctx context.Context, a server.AttemptStart) (context.Context, func(server.AttemptEnd)) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.attempts = append(r.attempts, a)
			return context.WithValue(ctx, traceKey{}, a.Trace["traceparent"]), func(e server.AttemptEnd) {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.ends = append(r.ends, e)
			}
		},
	}
}

// The trace of a start is continued by its attempts, also in another process.
func TestTraceContinues(t *testing.T) {
	t.Parallel()
	const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	var rec recorder
	_, kinds := one(simKind{}, func(ctx context.Context, _ task, _ request) (response, error) {
		got, _ := ctx.Value(traceKey{}).(string)
		return &lropb.SimulateResponse{Echo: got}, nil
	})
	r := newRig(t, rigOptions{kinds: kinds, idle: true, config: server.Config{Observer: rec.observer()}})
	op, err := r.starter.StartOperation(grpcmetadata.AppendToOutgoingContext(t.Context(), "traceparent", trace), &lropb.StartOperationRequest{Kind: "sim"})
	if err != nil {
		t.Fatal(err)
	}
	r.stop()
	r = newRig(t, rigOptions{kinds: kinds, path: r.path, config: server.Config{Observer: rec.observer()}})
	if got := unpacked[response](t, r.wait(t, op.GetName()).GetResponse()).GetEcho(); got != trace {
		t.Errorf("trace in the handler = %q, want %q", got, trace)
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
