package lrootel

import (
	"context"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/go-lro/lro"
)

// scope names this instrumentation in what is recorded.
const scope = "github.com/go-lro/lro/lrootel"

// Option sets something of an observer.
type Option func(*config)

type config struct {
	tracers trace.TracerProvider
	meters  metric.MeterProvider
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

// NewObserver returns an observer for [lro.WithObserver] that records traces
// and metrics; the package's documentation lists them. One observer may serve
// many clients, also at once. Errors of making the instruments go to
// otel.Handle.
func NewObserver(opts ...Option) *lro.Observer {
	c := config{otel.GetTracerProvider(), otel.GetMeterProvider()}
	for _, opt := range opts {
		opt(&c)
	}
	o := &observer{
		tracer:      c.tracers.Tracer(scope),
		instruments: newInstruments(c.meters.Meter(scope)),
	}
	return &lro.Observer{
		Started:   o.started,
		WaitStart: o.waitStart,
		WaitEnd:   o.waitEnd,
		PollStart: o.pollStart,
		PollEnd:   o.pollEnd,
	}
}

type observer struct {
	tracer trace.Tracer
	instruments
}

// started keeps the span in which an operation was started, for its waits.
func (o *observer) started(ctx context.Context, _ lro.Started) any {
	return trace.SpanContextFromContext(ctx)
}

func (o *observer) waitStart(ctx context.Context, e lro.WaitStart) context.Context {
	name := "Operation.Wait"
	if e.Method != "" {
		name = e.Method + ".Wait"
	}
	opts := []trace.SpanStartOption{trace.WithAttributes(append(methodAttributes(e.Method), operationKey.String(e.Operation))...)}
	if started, ok := e.Link.(trace.SpanContext); ok && started.IsValid() {
		opts = append(opts, trace.WithLinks(trace.Link{SpanContext: started}))
	}
	ctx, span := o.tracer.Start(ctx, name, opts...)
	o.active.Add(ctx, 1, metric.WithAttributes(methodAttributes(e.Method)...))
	w := &wait{span: span}
	w.running.Store(time.Now().UnixNano())
	return context.WithValue(ctx, waitKey{o}, w)
}

func (o *observer) waitEnd(ctx context.Context, e lro.WaitEnd) {
	w, ok := ctx.Value(waitKey{o}).(*wait)
	if !ok {
		return
	}
	span, end := w.span, endOf(e)
	o.recordWait(trace.ContextWithSpan(ctx, span), w, e, end)
	if span.IsRecording() {
		span.SetAttributes(outcomeKey.String(end.outcome), pollsKey.Int(e.Polls))
		span.SetAttributes(stateAttributes(e.Snapshot)...)
		setError(span, end.err)
	}
	span.End()
}

func (o *observer) pollStart(ctx context.Context, e lro.PollStart) context.Context {
	ctx, span := o.tracer.Start(ctx, rpcOf(e), trace.WithAttributes(
		operationKey.String(e.Operation),
		attemptKey.Int(e.Number),
		rpcMethodKey.String(operationsService+rpcOf(e)),
	))
	return context.WithValue(ctx, pollKey{o}, span)
}

// waitKey and pollKey are the keys of a wait and of a poll's span in their
// contexts. The current span there may be one that another observer started, and
// a client may have two observers of this package.
type (
	waitKey struct{ of *observer }
	pollKey struct{ of *observer }
)

func (o *observer) pollEnd(ctx context.Context, e lro.PollEnd) {
	span, ok := ctx.Value(pollKey{o}).(trace.Span)
	if !ok {
		return
	}
	ctx = trace.ContextWithSpan(ctx, span)
	code := codeName(e.Err)
	o.polls.Add(ctx, 1, metric.WithAttributes(append(methodAttributes(e.Method),
		rpcMethodKey.String(operationsService+rpcOf(e.PollStart)), rpcCodeKey.String(code))...))
	if w, ok := ctx.Value(waitKey{o}).(*wait); ok {
		w.seenRunning(e)
	}
	defer span.End()
	if !span.IsRecording() {
		return
	}
	span.SetAttributes(rpcCodeKey.String(code))
	switch {
	case e.Err == nil:
		span.SetAttributes(stateAttributes(e.Snapshot)...)
		if e.MetadataErr != nil {
			span.RecordError(e.MetadataErr) // an event; the poll itself has not failed
		}
	case !timedOut(ctx, e) && ctx.Err() != context.Canceled: // with which it was given up, since no caller waits
		setError(span, e.Err)
	}
}

func methodAttributes(method string) []attribute.KeyValue {
	if method == "" {
		return nil
	}
	return []attribute.KeyValue{methodKey.String(method)}
}

// timedOut reports whether a long poll ended with an error for no other reason
// than that its time was over, or as good as over.
func timedOut(ctx context.Context, e lro.PollEnd) bool {
	code := codeName(e.Err)
	return e.LongPoll && e.Elapsed >= e.Timeout/10*9 && ctx.Err() == nil && (code == "DEADLINE_EXCEEDED" || code == "CANCELLED")
}
