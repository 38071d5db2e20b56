package lrootel

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/lropb"
)

const testName = "operations/test"

type (
	stringValue = *wrapperspb.StringValue
	metadata    = *lropb.OperationMetadata
)

// Strings is the method most tests use.
var Strings = lro.Method[stringValue, metadata]{Name: "test.Strings"}

// eachSecond polls once a second.
var eachSecond = lro.Policy{FirstPoll: time.Second, Multiplier: 1, MaxInterval: time.Second, Jitter: -1, SoftErrors: -1, NotFoundGrace: -1}

// rig records what an observer does.
type rig struct {
	tracers *sdktrace.TracerProvider
	spans   *tracetest.SpanRecorder
	reader  *sdkmetric.ManualReader
	client  *lro.Client
}

func newRig(service lro.Service, opts ...lro.ClientOption) *rig {
	r := &rig{spans: tracetest.NewSpanRecorder(), reader: sdkmetric.NewManualReader()}
	r.tracers = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(r.spans))
	observer := NewObserver(
		WithTracerProvider(r.tracers),
		WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(r.reader))))
	r.client = lro.NewClient(service, append([]lro.ClientOption{lro.WithPolicy(eachSecond), lro.WithObserver(observer)}, opts...)...)
	return r
}

func (r *rig) wrap(t *testing.T) *lro.Operation[stringValue, metadata] {
	t.Helper()
	op, err := Strings.Wrap(r.client, running())
	if err != nil {
		t.Fatal(err)
	}
	return op
}

// lines describes the spans in order of their beginning: the name, that of the
// parent in brackets, the status and the attributes.
func (r *rig) lines() []string {
	names := map[string]string{}
	var lines []string
	for _, s := range r.spans.Started() {
		names[s.SpanContext().SpanID().String()] = s.Name()
		line := fmt.Sprintf("%s(%s) %s%s %s", s.Name(), names[s.Parent().SpanID().String()],
			s.Status().Code, s.Status().Description, text(attribute.NewSet(s.Attributes()...)))
		if s.EndTime().IsZero() {
			line += " never ended"
		}
		lines = append(lines, line)
	}
	return lines
}

func text(set attribute.Set) string {
	var parts []string
	for _, kv := range set.ToSlice() {
		if kv.Key != operationKey {
			parts = append(parts, string(kv.Key)+"="+kv.Value.String())
		}
	}
	return strings.Join(parts, " ")
}

// metrics describes all data points: of a histogram the count and sum.
func (r *rig) metrics(t *testing.T) []string {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := r.reader.Collect(context.WithoutCancel(t.Context()), &all); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					lines = append(lines, fmt.Sprintf("%s %d of %.3g%s: %s", m.Name, p.Count, p.Sum, m.Unit, text(p.Attributes)))
				}
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					lines = append(lines, fmt.Sprintf("%s %d%s: %s", m.Name, p.Value, m.Unit, text(p.Attributes)))
				}
			default:
				t.Errorf("metric %s has data of type %T", m.Name, data)
			}
		}
	}
	slices.Sort(lines)
	return lines
}

// script is a service that answers each GetOperation with the next of its
// answers, an operation or an error, and then with the last.
type script struct {
	mu      sync.Mutex
	answers []any
	ctxs    []context.Context
}

func (s *script) GetOperation(ctx context.Context, _ *longrunningpb.GetOperationRequest, _ ...grpc.CallOption) (*longrunningpb.Operation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ctxs = append(s.ctxs, ctx)
	answer := s.answers[0]
	if len(s.answers) > 1 {
		s.answers = s.answers[1:]
	}
	if err, ok := answer.(error); ok {
		return nil, err
	}
	return answer.(*longrunningpb.Operation), nil
}

func answers(all ...any) *script { return &script{answers: all} }

func running() *longrunningpb.Operation { return &longrunningpb.Operation{Name: testName} }

func succeeded() *longrunningpb.Operation {
	return &longrunningpb.Operation{
		Name: testName, Done: true,
		Result: &longrunningpb.Operation_Response{Response: pack(wrapperspb.String("x"))},
	}
}

func endedAt(end time.Time) *longrunningpb.Operation {
	op := succeeded()
	op.Metadata = pack(&lropb.OperationMetadata{EndTime: timestamppb.New(end)})
	return op
}

func failedWith(code codes.Code, message string) *longrunningpb.Operation {
	return &longrunningpb.Operation{
		Name: testName, Done: true,
		Result: &longrunningpb.Operation_Error{Error: &spb.Status{Code: int32(code), Message: message}},
	}
}

func pack(m proto.Message) *anypb.Any {
	a, err := anypb.New(m)
	if err != nil {
		panic(err)
	}
	return a
}
