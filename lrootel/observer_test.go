package lrootel

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	otelcodes "go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro"
)

const getCall = "rpc.method=google.longrunning.Operations/GetOperation rpc.response.status_code="

func TestOutcomes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		answers []any
		spans   []string
		metrics []string
	}{
		{
			name:    "succeeded",
			answers: []any{running(), status.Error(codes.Unavailable, "down"), succeeded()},
			spans: []string{
				"test.Strings.Wait() Unset gcp.longrunning.done=true gcp.longrunning.status_code=0 lro.method=test.Strings lro.outcome=succeeded lro.polls=3",
				"GetOperation(test.Strings.Wait) Unset gcp.longrunning.done=false gcp.longrunning.poll_attempt_count=1 " + getCall + "OK",
				"GetOperation(test.Strings.Wait) Errorrpc error: code = Unavailable desc = down error.type=UNAVAILABLE gcp.longrunning.poll_attempt_count=2 " + getCall + "UNAVAILABLE",
				"GetOperation(test.Strings.Wait) Unset gcp.longrunning.done=true gcp.longrunning.poll_attempt_count=3 gcp.longrunning.status_code=0 " + getCall + "OK",
			},
			metrics: []string{
				"lro.active_waits 0{wait}: lro.method=test.Strings",
				"lro.polls 1{poll}: lro.method=test.Strings " + getCall + "UNAVAILABLE",
				"lro.polls 2{poll}: lro.method=test.Strings " + getCall + "OK",
				"lro.wait.duration 1 of 3s: lro.method=test.Strings lro.outcome=succeeded",
			},
		},
		{
			name:    "failed",
			answers: []any{failedWith(codes.DataLoss, "lost")},
			spans: []string{
				`test.Strings.Wait() Erroroperation "operations/test" failed: DATA_LOSS: lost error.type=DATA_LOSS gcp.longrunning.done=true gcp.longrunning.status_code=15 lro.method=test.Strings lro.outcome=failed lro.polls=1`,
				"GetOperation(test.Strings.Wait) Unset gcp.longrunning.done=true gcp.longrunning.poll_attempt_count=1 gcp.longrunning.status_code=15 " + getCall + "OK",
			},
			metrics: []string{
				"lro.active_waits 0{wait}: lro.method=test.Strings",
				"lro.polls 1{poll}: lro.method=test.Strings " + getCall + "OK",
				"lro.wait.duration 1 of 1s: lro.method=test.Strings lro.outcome=failed",
				"lro.wait.errors 1{error}: error.type=DATA_LOSS lro.method=test.Strings lro.outcome=failed",
			},
		},
		{
			name:    "cancelled",
			answers: []any{failedWith(codes.Canceled, "as asked")},
			spans: []string{
				"test.Strings.Wait() Unset gcp.longrunning.done=true gcp.longrunning.status_code=1 lro.method=test.Strings lro.outcome=cancelled lro.polls=1",
				"GetOperation(test.Strings.Wait) Unset gcp.longrunning.done=true gcp.longrunning.poll_attempt_count=1 gcp.longrunning.status_code=1 " + getCall + "OK",
			},
			metrics: []string{
				"lro.active_waits 0{wait}: lro.method=test.Strings",
				"lro.polls 1{poll}: lro.method=test.Strings " + getCall + "OK",
				"lro.wait.duration 1 of 1s: lro.method=test.Strings lro.outcome=cancelled",
			},
		},
		{
			name:    "lost",
			answers: []any{status.Error(codes.PermissionDenied, "not yours")},
			spans: []string{
				"test.Strings.Wait() Errorrpc error: code = PermissionDenied desc = not yours error.type=PERMISSION_DENIED gcp.longrunning.done=false lro.method=test.Strings lro.outcome=lost lro.polls=1",
				"GetOperation(test.Strings.Wait) Errorrpc error: code = PermissionDenied desc = not yours error.type=PERMISSION_DENIED gcp.longrunning.poll_attempt_count=1 " + getCall + "PERMISSION_DENIED",
			},
			metrics: []string{
				"lro.active_waits 0{wait}: lro.method=test.Strings",
				"lro.polls 1{poll}: lro.method=test.Strings " + getCall + "PERMISSION_DENIED",
				"lro.wait.duration 1 of 1s: lro.method=test.Strings lro.outcome=lost",
				"lro.wait.errors 1{error}: error.type=PERMISSION_DENIED lro.method=test.Strings lro.outcome=lost",
			},
		},
		{
			name:    "done with nothing",
			answers: []any{&longrunningpb.Operation{Done: true}},
			spans: []string{
				"test.Strings.Wait() Unset gcp.longrunning.done=true gcp.longrunning.status_code=0 lro.method=test.Strings lro.outcome=succeeded lro.polls=1",
				"GetOperation(test.Strings.Wait) Unset gcp.longrunning.done=true gcp.longrunning.poll_attempt_count=1 gcp.longrunning.status_code=0 " + getCall + "OK",
			},
			metrics: []string{
				"lro.active_waits 0{wait}: lro.method=test.Strings",
				"lro.polls 1{poll}: lro.method=test.Strings " + getCall + "OK",
				"lro.wait.duration 1 of 1s: lro.method=test.Strings lro.outcome=succeeded",
			},
		},
	} {
		for _, wait := range []struct {
			name string
			do   func(context.Context, *lro.Operation[stringValue, metadata]) error
		}{
			{"alone", func(ctx context.Context, op *lro.Operation[stringValue, metadata]) error {
				_, err := op.Wait(ctx)
				return err
			}},
			{"in a group", func(ctx context.Context, op *lro.Operation[stringValue, metadata]) error { return lro.WaitAll(ctx, op) }},
		} {
			t.Run(test.name+" "+wait.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					r := newRig(answers(test.answers...))
					op := r.wrap(t)
					_ = wait.do(t.Context(), op) // what is recorded tells how it ended
					synctest.Wait()
					if diff := cmp.Diff(test.spans, r.lines()); diff != "" {
						t.Errorf("spans (-want +got):\n%s", diff)
					}
					for _, s := range r.spans.Ended() {
						if got := s.Attributes()[0]; got.Key == operationKey && got.Value.AsString() != testName {
							t.Errorf("%s of span %s: got %q, want %q", operationKey, s.Name(), got.Value.AsString(), testName)
						}
					}
					want := test.metrics
					if wait.name == "in a group" { // whose wait begins with the first call
						want = nil
					}
					if diff := cmp.Diff(want, r.metrics(t)); want != nil && diff != "" {
						t.Errorf("metrics (-want +got):\n%s", diff)
					}
				})
			})
		}
	}
}

func TestLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(hangs{})
		op := r.wrap(t)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, cancel) // 10 s into the second poll
		if _, err := op.Wait(ctx); err == nil {
			t.Fatal("Wait with a ctx that ends: got no error")
		}
		synctest.Wait()
		waitCall := "rpc.method=google.longrunning.Operations/WaitOperation rpc.response.status_code="
		wantSpans := []string{
			"test.Strings.Wait() Unset gcp.longrunning.done=false lro.method=test.Strings lro.outcome=left lro.polls=2",
			"WaitOperation(test.Strings.Wait) Errorrpc error: code = DeadlineExceeded desc = context deadline exceeded error.type=DEADLINE_EXCEEDED gcp.longrunning.poll_attempt_count=1 " + waitCall + "DEADLINE_EXCEEDED",
			"GetOperation(test.Strings.Wait) Unset gcp.longrunning.poll_attempt_count=2 " + getCall + "CANCELLED",
		}
		if diff := cmp.Diff(wantSpans, r.lines()); diff != "" {
			t.Errorf("spans (-want +got):\n%s", diff)
		}
		wantMetrics := []string{
			"lro.active_waits 0{wait}: lro.method=test.Strings",
			"lro.polls 1{poll}: lro.method=test.Strings " + getCall + "CANCELLED",
			"lro.polls 1{poll}: lro.method=test.Strings " + waitCall + "DEADLINE_EXCEEDED",
			"lro.wait.duration 1 of 60s: lro.method=test.Strings lro.outcome=left",
		}
		if diff := cmp.Diff(wantMetrics, r.metrics(t)); diff != "" {
			t.Errorf("metrics (-want +got):\n%s", diff)
		}
	})
}

// Metadata of another type than declared is an event of the poll, which has not
// failed.
func TestMetadataOfAnotherType(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		op := succeeded()
		op.Metadata = pack(wrapperspb.String("no metadata"))
		r := newRig(answers(op))
		if _, err := r.wrap(t).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		poll := r.spans.Ended()[0]
		if len(poll.Events()) != 1 || poll.Status().Code != otelcodes.Unset {
			t.Fatalf("poll has events %v and status %v, want one event and no status", poll.Events(), poll.Status())
		}
		if got := text(attribute.NewSet(poll.Events()[0].Attributes...)); !strings.Contains(got, "StringValue") {
			t.Errorf("event has attributes %q, want the type of the metadata", got)
		}
	})
}

// A service that answers the end of a long poll with an error has no fault.
func TestLongPollTimeIsOver(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		err    error
		after  time.Duration // before the timeout
		status string
	}{
		{"deadline", status.Error(codes.DeadlineExceeded, "time is up"), 0, "Unset"},
		{"cancelled", status.Error(codes.Canceled, "time is up"), 0, "Unset"},
		{"a little early", status.Error(codes.DeadlineExceeded, "time is up"), time.Second, "Unset"},
		{"early", status.Error(codes.DeadlineExceeded, "elsewhere"), 10 * time.Second, "Error"},
		{"another error", status.Error(codes.Unavailable, "restart"), 0, "Error"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(overdue{answers(&longrunningpb.Operation{Done: true}), test.err, test.after})
				_, _ = r.wrap(t).Wait(t.Context())
				synctest.Wait()
				if got, want := r.lines()[1], "WaitOperation(test.Strings.Wait) "+test.status; !strings.HasPrefix(got, want) {
					t.Errorf("span %q, want %q", got, want)
				}
			})
		})
	}
}

// overdue is a service whose WaitOperation ends with an error, so long before
// its timeout.
type overdue struct {
	lro.Service
	err    error
	before time.Duration
}

func (o overdue) WaitOperation(_ context.Context, req *longrunningpb.WaitOperationRequest, _ ...grpc.CallOption) (*longrunningpb.Operation, error) {
	<-time.After(req.GetTimeout().AsDuration() - o.before)
	return nil, o.err
}

// hangs is a service that answers when its ctx ends.
type hangs struct{}

func (hangs) GetOperation(ctx context.Context, _ *longrunningpb.GetOperationRequest, _ ...grpc.CallOption) (*longrunningpb.Operation, error) {
	<-ctx.Done()
	return nil, status.FromContextError(ctx.Err()).Err()
}

func (h hangs) WaitOperation(ctx context.Context, _ *longrunningpb.WaitOperationRequest, _ ...grpc.CallOption) (*longrunningpb.Operation, error) {
	return h.GetOperation(ctx, nil)
}

func TestActiveWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(answers(running()))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		alone := r.wrap(t).Await(ctx)
		group := make(chan error, 1)
		go func() { group <- lro.WaitAll(ctx, r.wrap(t), r.wrap(t)) }()
		time.Sleep(1500 * time.Millisecond)
		if got, want := r.metrics(t)[0], "lro.active_waits 3{wait}: lro.method=test.Strings"; got != want {
			t.Errorf("while three are waited for: got %s, want %s", got, want)
		}
		cancel()
		<-alone
		<-group
		synctest.Wait()
		if got, want := r.metrics(t)[0], "lro.active_waits 0{wait}: lro.method=test.Strings"; got != want {
			t.Errorf("after the end: got %s, want %s", got, want)
		}
		if begun, ended := len(r.spans.Started()), len(r.spans.Ended()); begun != ended {
			t.Errorf("%d spans begun, %d ended", begun, ended)
		}
	})
}

func TestTracesHangTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		service := answers(succeeded())
		r := newRig(service)
		tracer := r.tracers.Tracer("test")
		startCtx, startSpan := tracer.Start(t.Context(), "start")
		op, err := Strings.Start(startCtx, r.client, func(context.Context, string, ...grpc.CallOption) (*longrunningpb.Operation, error) {
			return running(), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		startSpan.End()
		waitCtx, waiterSpan := tracer.Start(t.Context(), "waiter")
		if _, err := op.Wait(waitCtx); err != nil {
			t.Fatal(err)
		}
		waiterSpan.End()
		synctest.Wait()

		spans := map[string]sdktrace.ReadOnlySpan{}
		for _, s := range r.spans.Ended() {
			spans[s.Name()] = s
		}
		wait, poll := spans["test.Strings.Wait"], spans["GetOperation"]
		if got, want := wait.Parent().SpanID(), waiterSpan.SpanContext().SpanID(); got != want {
			t.Errorf("parent of the wait: got %v, want the waiter's span %v", got, want)
		}
		if links := wait.Links(); len(links) != 1 || !links[0].SpanContext.Equal(startSpan.SpanContext()) {
			t.Errorf("links of the wait: got %v, want one to %v", links, startSpan.SpanContext())
		}
		if got, want := poll.Parent().SpanID(), wait.SpanContext().SpanID(); got != want {
			t.Errorf("parent of the poll: got %v, want the wait's span %v", got, want)
		}
		if got, want := trace.SpanContextFromContext(service.ctxs[0]), poll.SpanContext(); !got.Equal(want) {
			t.Errorf("span of the call's ctx: got %v, want the poll's %v", got, want)
		}
	})
}

// TestBesideOthers: an observer ends its own spans and no other's, in whatever
// order another one starts spans around it. The other is one of this package
// or one that makes its spans the current ones, like any tracing library.
func TestBesideOthers(t *testing.T) {
	t.Parallel()
	foreign := func(tracer trace.Tracer) *lro.Observer {
		type key struct{ of string }
		start := func(ctx context.Context, name string) context.Context {
			ctx, span := tracer.Start(ctx, name)
			return context.WithValue(ctx, key{name}, span)
		}
		end := func(ctx context.Context, name string) { ctx.Value(key{name}).(trace.Span).End() }
		return &lro.Observer{
			WaitStart: func(ctx context.Context, _ lro.WaitStart) context.Context { return start(ctx, "wait") },
			WaitEnd:   func(ctx context.Context, _ lro.WaitEnd) { end(ctx, "wait") },
			PollStart: func(ctx context.Context, _ lro.PollStart) context.Context { return start(ctx, "poll") },
			PollEnd:   func(ctx context.Context, _ lro.PollEnd) { end(ctx, "poll") },
		}
	}
	synctest.Test(t, func(t *testing.T) {
		others := tracetest.NewSpanRecorder()
		tracers := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(others))
		r := newRig(answers(running(), endedAt(time.Now())),
			lro.WithObserver(foreign(tracers.Tracer("foreign"))), lro.WithObserver(NewObserver(WithTracerProvider(tracers))))
		if _, err := r.wrap(t).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for who, spans := range map[string]*tracetest.SpanRecorder{"the observer's": r.spans, "the others'": others} {
			begun := map[string]int{}
			for _, s := range spans.Started() {
				begun[s.InstrumentationScope().Name+" "+s.Name()]++
				if s.EndTime().IsZero() {
					t.Errorf("%s span %s never ended", who, s.Name())
				}
				if foreign := s.InstrumentationScope().Name == "foreign"; foreign && len(s.Attributes()) > 0 {
					t.Errorf("%s span %s was given %v", who, s.Name(), s.Attributes())
				}
			}
			if begun[scope+" test.Strings.Wait"] != 1 || begun[scope+" GetOperation"] != 2 {
				t.Errorf("%s spans: %v, want a wait and two polls", who, begun)
			}
		}
		r.wantLateness(t, "1 of 1s")
	})
}

func TestNoLinkWithoutStartSpan(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(answers(succeeded()))
		op, err := lro.Any().Start(t.Context(), r.client, func(context.Context, string, ...grpc.CallOption) (*longrunningpb.Operation, error) {
			return running(), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := op.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		wait := r.spans.Started()[0]
		if wait.Name() != "Operation.Wait" || len(wait.Links()) != 0 {
			t.Errorf("got span %q with links %v, want Operation.Wait without", wait.Name(), wait.Links())
		}
	})
}

// Not parallel: it sets the global providers.
func TestDefaultIsGlobal(t *testing.T) {
	spans, reader := tracetest.NewSpanRecorder(), sdkmetric.NewManualReader()
	oldTracers, oldMeters := otel.GetTracerProvider(), otel.GetMeterProvider()
	otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)))
	otel.SetMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)))
	defer otel.SetTracerProvider(oldTracers)
	defer otel.SetMeterProvider(oldMeters)
	observer := NewObserver(WithTracerProvider(nil), WithMeterProvider(nil))
	synctest.Test(t, func(t *testing.T) {
		r := rig{spans: spans, reader: reader, client: lro.NewClient(answers(succeeded()), lro.WithPolicy(eachSecond), lro.WithObserver(observer))}
		if _, err := r.wrap(t).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := len(r.lines()); got != 2 {
			t.Errorf("got %d spans, want 2", got)
		}
		if got := len(r.metrics(t)); got != 3 {
			t.Errorf("got %d data points, want 3", got)
		}
	})
}
