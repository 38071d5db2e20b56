package lrootel

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/go-lro/lro"
)

// Bounds of the histograms' buckets, in seconds: operations take from less than
// a second to days, and are found at most half a minute late by the default
// schedule.
var (
	durationBounds = []float64{0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400}
	latenessBounds = []float64{0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300}
)

type instruments struct {
	duration metric.Float64Histogram
	lateness metric.Float64Histogram
	errors   metric.Int64Counter
	polls    metric.Int64Counter
	active   metric.Int64UpDownCounter
}

func newInstruments(m metric.Meter) instruments {
	return instruments{
		duration: orNone[metric.Float64Histogram](noop.Float64Histogram{})(m.Float64Histogram("lro.wait.duration",
			metric.WithUnit("s"), metric.WithExplicitBucketBoundaries(durationBounds...),
			metric.WithDescription("Time that was waited for operations."))),
		lateness: orNone[metric.Float64Histogram](noop.Float64Histogram{})(m.Float64Histogram("lro.wait.lateness",
			metric.WithUnit("s"), metric.WithExplicitBucketBoundaries(latenessBounds...),
			metric.WithDescription("Time from the end of operations until it was seen."))),
		errors: orNone[metric.Int64Counter](noop.Int64Counter{})(m.Int64Counter("lro.wait.errors",
			metric.WithUnit("{error}"),
			metric.WithDescription("Waits that ended with an error, of the operation or of waiting."))),
		polls: orNone[metric.Int64Counter](noop.Int64Counter{})(m.Int64Counter("lro.polls",
			metric.WithUnit("{poll}"),
			metric.WithDescription("Calls that asked for the state of operations while waiting."))),
		active: orNone[metric.Int64UpDownCounter](noop.Int64UpDownCounter{})(m.Int64UpDownCounter("lro.active_waits",
			metric.WithUnit("{wait}"),
			metric.WithDescription("Operations that are waited for."))),
	}
}

// orNone takes what a meter returned; after an error, which it reports, none.
func orNone[I any](none I) func(I, error) I {
	return func(made I, err error) I {
		if err != nil {
			otel.Handle(err)
			return none
		}
		return made
	}
}

func (i instruments) recordWait(ctx context.Context, w *wait, e lro.WaitEnd, end end) {
	method := methodAttributes(e.Method)
	i.active.Add(ctx, -1, metric.WithAttributes(method...))
	outcome := append(method, outcomeKey.String(end.outcome))
	i.duration.Record(ctx, e.Elapsed.Seconds(), metric.WithAttributes(outcome...))
	if end.err != nil {
		i.errors.Add(ctx, 1, metric.WithAttributes(append(outcome, errorTypeKey.String(codeName(end.err)))...))
	}
	if late, ok := w.lateness(e.Snapshot); ok {
		i.lateness.Record(ctx, late.Seconds(), metric.WithAttributes(method...))
	}
}
