package serverotel_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro/internal/leak"
	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine/sqlite"
	"github.com/go-lro/lro/server/serverotel"
)

func TestMain(m *testing.M) { leak.Main(m) }

type (
	request  = *lropb.SimulateRequest
	response = *lropb.SimulateResponse
	metadata = *lropb.OperationMetadata
)

var sim = server.Kind[request, response, metadata]{
	Name:  "sim",
	Retry: server.Retry{MaxAttempts: 2, Backoff: time.Millisecond},
	Validate: func(_ context.Context, req request) error {
		if req.GetSteps() < 0 {
			return errors.New("steps is negative")
		}
		return nil
	},
}

// behave ends as the request's echo says.
func behave(_ context.Context, task *server.Task[metadata], req request) (response, error) {
	switch req.GetEcho() {
	case "fail":
		return nil, status.Error(codes.NotFound, "no such shelf")
	case "retry":
		if task.Attempt() == 1 {
			return nil, status.Error(codes.Unavailable, "later")
		}
	case "cancel":
		return nil, status.Error(codes.Canceled, "stopped")
	}
	return &lropb.SimulateResponse{}, nil
}

type rig struct {
	spans   *tracetest.SpanRecorder
	tracers *sdktrace.TracerProvider
	reader  *sdkmetric.ManualReader
	eng     *sqlite.Engine
	srv     *server.Server
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{spans: tracetest.NewSpanRecorder(), reader: sdkmetric.NewManualReader()}
	r.tracers = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(r.spans))
	eng, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "lro.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { eng.Close() })
	r.eng = eng
	r.srv, err = server.New(eng, server.Config{Observer: serverotel.NewObserver(
		serverotel.WithTracerProvider(r.tracers),
		serverotel.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(r.reader))),
	)}, sim.Handle(behave))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// run starts an operation for each echo, below a span of that name, and then
// works until all have ended.
func (r *rig) run(t *testing.T, echoes ...string) {
	t.Helper()
	var names []string
	for _, echo := range echoes {
		ctx, span := r.tracers.Tracer("caller").Start(t.Context(), "start "+echo)
		op, err := sim.Start(ctx, r.srv, &lropb.SimulateRequest{Echo: echo}, nil)
		span.End()
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, op.GetName())
	}
	ctx, stop := context.WithCancel(t.Context())
	worked := make(chan error, 1)
	go func() { worked <- r.srv.Work(ctx) }()
	for _, name := range names {
		if _, err := r.eng.Wait(t.Context(), name); err != nil {
			t.Error(err)
		}
	}
	stop()
	if err := <-worked; err != nil {
		t.Error(err)
	}
}

func text(attrs []attribute.KeyValue) string {
	var parts []string
	set := attribute.NewSet(attrs...)
	for _, kv := range set.ToSlice() {
		if kv.Key != "gcp.resource.destination.id" {
			parts = append(parts, string(kv.Key)+"="+kv.Value.String())
		}
	}
	return strings.Join(parts, " ")
}

func TestSpans(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.run(t, "ok", "fail", "retry", "cancel")
	names := map[string]string{}
	var got []string
	for _, s := range r.spans.Started() {
		names[s.SpanContext().SpanID().String()] = s.Name()
	}
	for _, s := range r.spans.Ended() {
		if s.Name() != "sim" {
			continue
		}
		got = append(got, fmt.Sprintf("%s, %s %s: %s", names[s.Parent().SpanID().String()], s.Status().Code, s.Status().Description, text(s.Attributes())))
		if !slices.ContainsFunc(s.Attributes(), func(kv attribute.KeyValue) bool {
			return kv.Key == "gcp.resource.destination.id" && strings.HasPrefix(kv.Value.AsString(), "operations/")
		}) {
			t.Errorf("span %v has no name of an operation", s.Attributes())
		}
	}
	slices.Sort(got)
	want := []string{
		"start cancel, Unset : error.type=CANCELLED lro.attempt=1 lro.kind=sim lro.state=CANCELLED",
		"start fail, Error no such shelf: error.type=NOT_FOUND lro.attempt=1 lro.kind=sim lro.state=FAILED",
		"start ok, Unset : lro.attempt=1 lro.kind=sim lro.state=SUCCEEDED",
		"start retry, Error later: error.type=UNAVAILABLE lro.attempt=1 lro.kind=sim lro.state=PENDING",
		"start retry, Unset : lro.attempt=2 lro.kind=sim lro.state=SUCCEEDED",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("spans of attempts (-want +got):\n%s", d)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.run(t, "ok", "ok", "fail", "retry")
	if _, err := sim.Start(t.Context(), r.srv, &lropb.SimulateRequest{Steps: -1}, nil); err == nil {
		t.Error("Start of a bad request = nil error, want one")
	}
	var all metricdata.ResourceMetrics
	if err := r.reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range all.ScopeMetrics[0].Metrics {
		switch data := m.Data.(type) {
		case metricdata.Histogram[float64]:
			for _, p := range data.DataPoints {
				got = append(got, fmt.Sprintf("%s %s %d: %s", m.Name, m.Unit, p.Count, text(p.Attributes.ToSlice())))
			}
		case metricdata.Sum[int64]:
			for _, p := range data.DataPoints {
				got = append(got, fmt.Sprintf("%s %s %d: %s", m.Name, m.Unit, p.Value, text(p.Attributes.ToSlice())))
			}
		}
	}
	slices.Sort(got)
	want := []string{
		"lro.server.active_attempts {attempt} 0: lro.kind=sim",
		"lro.server.attempt.duration s 1: error.type=NOT_FOUND lro.kind=sim lro.state=FAILED",
		"lro.server.attempt.duration s 1: error.type=UNAVAILABLE lro.kind=sim lro.state=PENDING",
		"lro.server.attempt.duration s 3: lro.kind=sim lro.state=SUCCEEDED",
		"lro.server.queue.duration s 4: lro.kind=sim",
		"lro.server.starts {operation} 1: lro.kind=sim rpc.response.status_code=INVALID_ARGUMENT",
		"lro.server.starts {operation} 4: lro.kind=sim rpc.response.status_code=OK",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("metrics (-want +got):\n%s", d)
	}
}
