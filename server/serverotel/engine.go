package serverotel

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/go-lro/lro/server/engine"
)

const (
	tableKey      = attribute.Key("db.collection.name")
	connectionKey = attribute.Key("db.client.connection.state")
)

// ObserveEngine records what an engine measures; the package's documentation lists
// it. Call stop before the engine is closed. Of the options [WithMeterProvider] has
// an effect.
func ObserveEngine(m engine.Meter, opts ...Option) (stop func() error, err error) {
	c := config{meters: otel.GetMeterProvider()}
	for _, opt := range opts {
		opt(&c)
	}
	meter := c.meters.Meter(scope)
	o := &engineObserver{meter: m}
	var failed []error
	gauge := func(name, unit, description string) metric.Int64ObservableGauge {
		g, err := meter.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(description))
		failed = append(failed, err)
		return g
	}
	count := func(name, unit, description string) metric.Int64ObservableCounter {
		g, err := meter.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(description))
		failed = append(failed, err)
		return g
	}
	seconds := func(name, description string) metric.Float64ObservableCounter {
		g, err := meter.Float64ObservableCounter(name, metric.WithUnit("s"), metric.WithDescription(description))
		failed = append(failed, err)
		return g
	}
	o.depth = gauge("lro.engine.queue.depth", "{operation}", "Operations that wait for an attempt.")
	o.age, err = meter.Float64ObservableGauge("lro.engine.queue.age", metric.WithUnit("s"),
		metric.WithDescription("How long the oldest operation has waited for an attempt."))
	failed = append(failed, err)
	o.claims = count("lro.engine.claims", "{claim}", "Calls that claim operations.")
	o.claimTime = seconds("lro.engine.claim.time", "Time that calls took that claim operations.")
	o.renewals = count("lro.engine.lease_renewals", "{renewal}", "Renewals of the process's lease.")
	o.renewalTime = seconds("lro.engine.lease_renewal.time", "Time that renewals of the process's lease took.")
	o.failedRenewals = count("lro.engine.failed_lease_renewals", "{renewal}", "Renewals of the process's lease that failed.")
	o.dead = gauge("lro.engine.dead_rows", "{row}", "Rows that the store has yet to clean up, about.")
	o.connections = gauge("lro.engine.connections", "{connection}", "Connections to the store.")
	if err := errors.Join(failed...); err != nil {
		return nil, fmt.Errorf("observe engine: %w", err)
	}
	registered, err := meter.RegisterCallback(o.observe, o.depth, o.age, o.claims, o.claimTime, o.renewals, o.renewalTime,
		o.failedRenewals, o.dead, o.connections)
	if err != nil {
		return nil, fmt.Errorf("observe engine: %w", err)
	}
	return registered.Unregister, nil
}

type engineObserver struct {
	meter engine.Meter

	depth, dead, connections         metric.Int64ObservableGauge
	age                              metric.Float64ObservableGauge
	claims, renewals, failedRenewals metric.Int64ObservableCounter
	claimTime, renewalTime           metric.Float64ObservableCounter
}

func (e *engineObserver) observe(ctx context.Context, o metric.Observer) error {
	m, err := e.meter.Metrics(ctx)
	if err != nil {
		return err
	}
	for kind, q := range m.Queues {
		attr := metric.WithAttributes(kindKey.String(kind))
		o.ObserveInt64(e.depth, q.Depth, attr)
		o.ObserveFloat64(e.age, q.Age.Seconds(), attr)
	}
	for table, n := range m.DeadRows {
		o.ObserveInt64(e.dead, n, metric.WithAttributes(tableKey.String(table)))
	}
	for state, n := range m.Connections {
		o.ObserveInt64(e.connections, n, metric.WithAttributes(connectionKey.String(state)))
	}
	o.ObserveInt64(e.claims, m.Claims.Count)
	o.ObserveFloat64(e.claimTime, m.Claims.Time.Seconds())
	o.ObserveInt64(e.renewals, m.Renewals.Count)
	o.ObserveFloat64(e.renewalTime, m.Renewals.Time.Seconds())
	o.ObserveInt64(e.failedRenewals, m.FailedRenewals)
	return nil
}
