package serverotel

import (
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
)

// bounds of the histograms' buckets, in seconds: operations take from
// milliseconds to days.
var bounds = []float64{0.005, 0.025, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14400, 86400}

type instruments struct {
	starts   metric.Int64Counter
	queue    metric.Float64Histogram
	duration metric.Float64Histogram
	active   metric.Int64UpDownCounter
	losses   metric.Int64Counter
	overdue  metric.Int64Counter
}

func newInstruments(m metric.Meter) instruments {
	return instruments{
		starts: orNone[metric.Int64Counter](noop.Int64Counter{})(m.Int64Counter("lro.server.starts",
			metric.WithUnit("{operation}"), metric.WithDescription("Starts of operations, by the code they were answered with."))),
		queue: orNone[metric.Float64Histogram](noop.Float64Histogram{})(m.Float64Histogram("lro.server.queue.duration",
			metric.WithUnit("s"), metric.WithExplicitBucketBoundaries(bounds...),
			metric.WithDescription("Time from the start of operations to their first attempt."))),
		duration: orNone[metric.Float64Histogram](noop.Float64Histogram{})(m.Float64Histogram("lro.server.attempt.duration",
			metric.WithUnit("s"), metric.WithExplicitBucketBoundaries(bounds...),
			metric.WithDescription("Time that attempts took."))),
		active: orNone[metric.Int64UpDownCounter](noop.Int64UpDownCounter{})(m.Int64UpDownCounter("lro.server.active_attempts",
			metric.WithUnit("{attempt}"), metric.WithDescription("Attempts that run."))),
		losses: orNone[metric.Int64Counter](noop.Int64Counter{})(m.Int64Counter("lro.server.lease_losses",
			metric.WithUnit("{attempt}"), metric.WithDescription("Attempts whose result did not count any more."))),
		overdue: orNone[metric.Int64Counter](noop.Int64Counter{})(m.Int64Counter("lro.server.overdue_attempts",
			metric.WithUnit("{attempt}"), metric.WithDescription("Attempts that were ended because their handler ignored its deadline."))),
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
