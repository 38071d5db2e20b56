package host

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/sqlite"
)

// plain is an engine without capabilities.
type plain struct{ engine.Engine }

func openPlain(t *testing.T) func(context.Context, *slog.Logger) (engine.Engine, error) {
	return func(ctx context.Context, _ *slog.Logger) (engine.Engine, error) {
		e, err := sqlite.Open(ctx, filepath.Join(t.TempDir(), "plain.db"), nil)
		return plain{e}, err
	}
}

func TestEngineIsBrought(t *testing.T) {
	t.Parallel()
	addr := serve(t, Config{Engine: openPlain(t), Metrics: true})
	if err := list(t.Context(), dial(t, addr, insecure.NewCredentials())); err != nil {
		t.Errorf("ListOperations: %v", err)
	}
	code, body := fetch(t, http.DefaultClient, "http://"+addr+"/metrics")
	if code != http.StatusOK || !strings.Contains(body, "lro_attempts_running") || strings.Contains(body, "lro_operations") {
		t.Errorf("GET /metrics = %d\n%s\nwant metrics without counts of operations, which the engine does not have", code, body)
	}
}

// measuring is an engine that measures itself.
type measuring struct{ engine.Engine }

func (measuring) Metrics(context.Context) (engine.Metrics, error) {
	return engine.Metrics{
		Queues:      map[string]engine.QueueMetrics{"k": {Depth: 3, Age: 1500 * time.Millisecond}},
		DeadRows:    map[string]int64{"op": 7},
		Claims:      engine.CallMetrics{Count: 5, Time: 20 * time.Millisecond},
		Connections: map[string]int64{"idle": 2},
	}, nil
}

// TestEngineMetrics: what an engine measures is among the metrics.
func TestEngineMetrics(t *testing.T) {
	t.Parallel()
	open := openPlain(t)
	addr := serve(t, Config{Metrics: true, Engine: func(ctx context.Context, l *slog.Logger) (engine.Engine, error) {
		e, err := open(ctx, l)
		return measuring{e}, err
	}})
	_, body := fetch(t, http.DefaultClient, "http://"+addr+"/metrics")
	for _, want := range []string{
		`lro_engine_queue_depth{kind="k"} 3`, `lro_engine_queue_age_seconds{kind="k"} 1.5`, "lro_engine_claims_total 5", "lro_engine_claim_seconds_total 0.02",
		"lro_engine_lease_renewals_total 0", "lro_engine_failed_lease_renewals_total 0", `lro_engine_dead_rows{table="op"} 7`, `lro_engine_connections{state="idle"} 2`,
	} {
		if !strings.Contains(body, "\n"+want+"\n") {
			t.Errorf("GET /metrics =\n%s\nwant %s", body, want)
		}
	}
}

// refusing is an engine whose store takes no changes.
type refusing struct{ engine.Engine }

func (refusing) Check(context.Context) error { return engine.ErrUnavailable }

// TestReady: a store that refuses changes makes a server not ready, and is no
// reason to restart it.
func TestReady(t *testing.T) {
	t.Parallel()
	open := openPlain(t)
	addr := serve(t, Config{Engine: func(ctx context.Context, l *slog.Logger) (engine.Engine, error) {
		e, err := open(ctx, l)
		return refusing{e}, err
	}})
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 503} {
		if code, body := fetch(t, http.DefaultClient, "http://"+addr+path); code != want {
			t.Errorf("GET %s = %d, want %d\n%s", path, code, want, body)
		}
	}
	probes := healthpb.NewHealthClient(dial(t, addr, insecure.NewCredentials()))
	for service, want := range map[string]healthpb.HealthCheckResponse_ServingStatus{
		"": healthpb.HealthCheckResponse_SERVING, "google.longrunning.Operations": healthpb.HealthCheckResponse_NOT_SERVING,
	} {
		watch, err := probes.Watch(t.Context(), &healthpb.HealthCheckRequest{Service: service})
		if err != nil {
			t.Fatal(err)
		}
		resp, err := watch.Recv()
		for err == nil && resp.GetStatus() == healthpb.HealthCheckResponse_SERVICE_UNKNOWN { // before the first check
			resp, err = watch.Recv()
		}
		if err != nil || resp.GetStatus() != want {
			t.Errorf("health of %q is %v, %v; want %v", service, resp.GetStatus(), err, want)
		}
	}
}

func TestEngineDoesNotOpen(t *testing.T) {
	t.Parallel()
	cause := errors.New("no such engine")
	_, err := Open(t.Context(), Config{Engine: func(context.Context, *slog.Logger) (engine.Engine, error) { return nil, cause }})
	if !errors.Is(err, cause) {
		t.Errorf("Open() = %v, want %v", err, cause)
	}
}

func TestWorkerOnly(t *testing.T) {
	t.Parallel()
	addr := serve(t, Config{WorkerOnly: true, Metrics: true})
	if got := status.Code(list(t.Context(), dial(t, addr, insecure.NewCredentials()))); got != codes.Unimplemented {
		t.Errorf("ListOperations of a worker: %v, want %v", got, codes.Unimplemented)
	}
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/metrics": 200, "/v1/operations": 404, "/": 404} {
		if code, body := fetch(t, http.DefaultClient, "http://"+addr+path); code != want {
			t.Errorf("GET %s of a worker = %d, want %d\n%s", path, code, want, body)
		}
	}
}
