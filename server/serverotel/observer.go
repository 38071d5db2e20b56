package serverotel

import (
	"context"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	otelcodes "go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro/internal/rpccode"
	"github.com/go-lro/lro/server"
)

// scope names this instrumentation in what is recorded.
const scope = "github.com/go-lro/lro/server/serverotel"

// Names of attributes; the package's documentation says what they hold.
const (
	operationKey = attribute.Key("gcp.resource.destination.id")
	kindKey      = attribute.Key("lro.kind")
	attemptKey   = attribute.Key("lro.attempt")
	stateKey     = attribute.Key("lro.state")
	lostKey      = attribute.Key("lro.lease_lost")
	codeKey      = attribute.Key("rpc.response.status_code")
	errorKey     = attribute.Key("error.type")
)

// Option sets something of an observer.
type Option func(*config)

type config struct {
	tracers     trace.TracerProvider
	meters      metric.MeterProvider
	propagation propagation.TextMapPropagator
}

// WithTracerProvider sets where spans go. Default: the global provider, also if
// it is set later. Nil means the default.
func WithTracerProvider(p trace.TracerProvider) Option {
	return func(c *config) {
		if p != nil {
			c.tracers = p
		}
	}
}

// WithMeterProvider sets where metrics go. Default: the global provider, also if
// it is set later. Nil means the default.
func WithMeterProvider(p metric.MeterProvider) Option {
	return func(c *config) {
		if p != nil {
			c.meters = p
		}
	}
}

// WithPropagator sets how the trace of a start is stored with its operation. All
// servers of one store must agree on it. Default: W3C trace context and baggage,
// and not the global propagator, which does nothing until a program sets it. Nil
// means the default.
func WithPropagator(p propagation.TextMapPropagator) Option {
	return func(c *config) {
		if p != nil {
			c.propagation = p
		}
	}
}

// NewObserver returns an observer for [server.Config] that records traces and
// metrics; the package's documentation lists them. One observer may serve many
// servers, also at once. Errors of making the instruments go to otel.Handle.
func NewObserver(opts ...Option) server.Observer {
	c := config{
		otel.GetTracerProvider(), otel.GetMeterProvider(),
		propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}),
	}
	for _, opt := range opts {
		opt(&c)
	}
	o := &observer{
		tracer:      c.tracers.Tracer(scope),
		propagation: c.propagation,
		instruments: newInstruments(c.meters.Meter(scope)),
	}
	return server.Observer{Inject: o.inject, Started: o.started, Attempt: o.attempt}
}

type observer struct {
	tracer      trace.Tracer
	propagation propagation.TextMapPropagator
	instruments
}

func (o *observer) inject(ctx context.Context, carrier map[string]string) {
	o.propagation.Inject(ctx, propagation.MapCarrier(carrier))
}

func (o *observer) started(ctx context.Context, kind string, err error) {
	o.starts.Add(ctx, 1, metric.WithAttributes(kindKey.String(kind), codeKey.String(rpccode.Name(status.Code(err)))))
}

func (o *observer) attempt(ctx context.Context, a server.AttemptStart) (context.Context, func(server.AttemptEnd)) {
	kind := kindKey.String(a.Kind)
	ctx = o.propagation.Extract(ctx, propagation.MapCarrier(a.Trace))
	ctx, span := o.tracer.Start(ctx, a.Kind, trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
		operationKey.String(a.Operation), kind, attemptKey.Int(a.Attempt),
	))
	o.active.Add(ctx, 1, metric.WithAttributes(kind))
	if a.Attempt == 1 {
		o.queue.Record(ctx, a.Queued.Seconds(), metric.WithAttributes(kind))
	}
	begin := time.Now()
	return ctx, func(end server.AttemptEnd) {
		took := time.Since(begin)
		o.active.Add(ctx, -1, metric.WithAttributes(kind))
		attrs := endAttributes(end)
		o.duration.Record(ctx, took.Seconds(), metric.WithAttributes(append(attrs, kind)...))
		if end.LeaseLost {
			o.losses.Add(ctx, 1, metric.WithAttributes(kind))
			span.SetAttributes(lostKey.Bool(true))
		}
		if end.Overdue {
			o.overdue.Add(ctx, 1, metric.WithAttributes(kind))
		}
		span.SetAttributes(attrs...)
		if end.Status != nil && end.State != server.Cancelled {
			span.SetStatus(otelcodes.Error, end.Status.GetMessage())
		}
		span.End()
	}
}

// endAttributes has room for one more.
func endAttributes(end server.AttemptEnd) []attribute.KeyValue {
	attrs := append(make([]attribute.KeyValue, 0, 3), stateKey.String(end.State.String()))
	if end.Status != nil {
		attrs = append(attrs, errorKey.String(rpccode.Name(codes.Code(end.Status.GetCode()))))
	}
	return attrs
}
