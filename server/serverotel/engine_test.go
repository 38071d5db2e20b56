package serverotel_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/serverotel"
)

type meter struct {
	metrics engine.Metrics
	err     error
}

func (m *meter) Metrics(context.Context) (engine.Metrics, error) { return m.metrics, m.err }

func TestObserveEngine(t *testing.T) {
	t.Parallel()
	m := &meter{metrics: engine.Metrics{
		Queues:   map[string]engine.QueueMetrics{"export": {Depth: 3, Age: 1500 * time.Millisecond}},
		DeadRows: map[string]int64{"live": 7},
		Claims:   engine.CallMetrics{Count: 4, Time: 2 * time.Second}, Renewals: engine.CallMetrics{Count: 5, Time: time.Second}, FailedRenewals: 6,
		Connections: map[string]int64{"used": 8, "idle": 9},
	}}
	reader := sdkmetric.NewManualReader()
	stop, err := serverotel.ObserveEngine(m, serverotel.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{
		"lro.engine.queue.depth lro.kind=export": 3, "lro.engine.queue.age lro.kind=export": 1.5,
		"lro.engine.claims ": 4, "lro.engine.claim.time ": 2,
		"lro.engine.lease_renewals ": 5, "lro.engine.lease_renewal.time ": 1, "lro.engine.failed_lease_renewals ": 6,
		"lro.engine.dead_rows db.collection.name=live":           7,
		"lro.engine.connections db.client.connection.state=used": 8, "lro.engine.connections db.client.connection.state=idle": 9,
	}
	got, err := collect(t.Context(), reader)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("metrics, %v (-want +got):\n%s", err, diff)
	}
	m.err = errors.New("store is away")
	if _, err := collect(t.Context(), reader); !errors.Is(err, m.err) {
		t.Errorf("metrics of an engine that fails: error %v, want %v", err, m.err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if got, err := collect(t.Context(), reader); err != nil || len(got) != 0 {
		t.Errorf("metrics after stop = %v, %v; want none", got, err)
	}
}

// collect returns the values of all metrics by name and attributes.
func collect(ctx context.Context, reader *sdkmetric.ManualReader) (map[string]float64, error) {
	var data metricdata.ResourceMetrics
	if err := reader.Collect(ctx, &data); err != nil {
		return nil, err
	}
	all := make(map[string]float64)
	for _, s := range data.ScopeMetrics {
		for _, m := range s.Metrics {
			switch d := m.Data.(type) {
			case metricdata.Gauge[int64]:
				add(all, m.Name, d.DataPoints)
			case metricdata.Gauge[float64]:
				add(all, m.Name, d.DataPoints)
			case metricdata.Sum[int64]:
				add(all, m.Name, d.DataPoints)
			case metricdata.Sum[float64]:
				add(all, m.Name, d.DataPoints)
			default:
				return nil, fmt.Errorf("%s has data of type %T", m.Name, d)
			}
		}
	}
	return all, nil
}

func add[N int64 | float64](all map[string]float64, name string, points []metricdata.DataPoint[N]) {
	for _, p := range points {
		all[name+" "+p.Attributes.Encoded(attribute.DefaultEncoder())] = float64(p.Value)
	}
}
