package faulttest

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"

	"github.com/go-lro/lro/internal/cutproxy"
	"github.com/go-lro/lro/internal/simulation"
	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
	"github.com/go-lro/lro/server/engine/enginetest"
	"github.com/go-lro/lro/temporal"
	"github.com/go-lro/lro/temporal/internal/testserver"
)

var lanes = flag.Int("simulation-lanes", 0, "how many programs TestSimulation runs at once, each on a Temporal server of its own; 0 skips it")

// simulatedLease is longer than a busy machine keeps a process from renewing it.
const simulatedLease = 8 * time.Second

// simulatedTraits are those that the engine declares to its suite, and what only
// several processes show.
var simulatedTraits = simulation.Traits{
	Traits:      enginetest.Traits{DeleteNeedsEnd: true, FixedRetention: true, ListLags: true, LooseOrder: true},
	DeletesMeet: true, Undelivered: true, EndsFirst: true, Lease: simulatedLease,
}

// TestSimulation runs programs generated from seeds; see package simulation.
func TestSimulation(t *testing.T) {
	t.Parallel()
	testserver.Required(t)
	if *lanes <= 0 {
		t.Skip("SKIPPED: run make simulate ENGINE=temporal, or make test-temporal")
	}
	simulation.Clusters{
		Name: "temporal", Traits: simulatedTraits, Lanes: *lanes,
		Start: func() func(t *testing.T) simulation.Cluster {
			server := testserver.Start(t, testserver.Options{OnDisk: true})
			return func(t *testing.T) simulation.Cluster { return newSimulatedStore(t, server) }
		},
	}.Run(t)
}

// simulatedStore is a task queue of a Temporal server.
type simulatedStore struct {
	server  *testserver.Server
	queue   string
	engine  engine.Engine // straight to the server
	proxies []*cutproxy.Proxy
}

// simulatedConfig configures an engine.
type simulatedConfig struct{ Address, Queue string }

// connected is an engine that owns its client.
type connected struct {
	*temporal.Engine
	client client.Client
}

func (c *connected) Close() error {
	err := c.Engine.Close()
	c.client.Close()
	return err
}

func (c simulatedConfig) open(ctx context.Context, log *slog.Logger) (engine.Engine, error) {
	to, err := client.DialContext(ctx, client.Options{HostPort: c.Address, Namespace: testserver.Namespace, Logger: sdklog.NewStructuredLogger(log)})
	if err != nil {
		return nil, err
	}
	e, err := temporal.Open(ctx, to, &temporal.Options{TaskQueue: c.Queue, Namespace: testserver.Namespace, Lease: simulatedLease, Logger: log})
	if err != nil {
		to.Close()
		return nil, err
	}
	return &connected{e, to}, nil
}

// openConnected is for a process of a program.
func openConnected(ctx context.Context, config string) (engine.Engine, error) {
	var c simulatedConfig
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		return nil, err
	}
	return c.open(ctx, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
}

// newSimulatedStore makes an empty task queue for the program of t.
func newSimulatedStore(t *testing.T, server *testserver.Server) *simulatedStore {
	t.Helper()
	s := &simulatedStore{server: server, queue: "sim-" + enginekit.Random(8)}
	var err error
	s.engine, err = simulatedConfig{server.HostPort(), s.queue}.open(t.Context(), slog.New(slog.DiscardHandler))
	must(t, err)
	t.Cleanup(func() {
		if err := s.engine.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
	})
	for range simulation.ClusterSize {
		proxy, err := cutproxy.Start(server.HostPort())
		must(t, err)
		t.Cleanup(proxy.Close)
		s.proxies = append(s.proxies, proxy)
	}
	return s
}

// Config has a process go through a proxy of its own.
func (s *simulatedStore) Config(process int) string {
	b, err := json.Marshal(simulatedConfig{s.proxies[process].Address(), s.queue})
	if err != nil {
		panic(err)
	}
	return string(b)
}

func (s *simulatedStore) Engine() engine.Engine { return s.engine }

// Faults all lose leases: what Temporal has just given to a poll is lost with the
// connection of that poll.
func (s *simulatedStore) Faults() []simulation.Fault {
	return []simulation.Fault{
		{Name: "connections reset", Loses: true, Do: func(process int, _ time.Duration) error {
			s.proxies[process].Restore()
			return nil
		}},
		{Name: "process cut off", Loses: true, Do: func(process int, d time.Duration) error {
			s.proxies[process].Cut()
			time.Sleep(d) // sleep: as long as the fault lasts
			s.proxies[process].Restore()
			return nil
		}},
		{Name: "store stopped", Loses: true, All: true, Do: func(_ int, d time.Duration) error {
			if err := s.server.Pause(); err != nil {
				return err
			}
			time.Sleep(d) // sleep: as long as the fault lasts
			return s.server.Resume()
		}},
		{Name: "store crashed", Loses: true, All: true, Do: func(_ int, d time.Duration) error {
			s.server.Kill()
			return s.restart(d / 10)
		}},
		{Name: "store restarted", Loses: true, All: true, Do: func(_ int, d time.Duration) error {
			ctx, cancel := context.WithTimeout(context.Background(), limit)
			defer cancel()
			if err := s.server.Stop(ctx); err != nil {
				return err
			}
			return s.restart(d / 10)
		}},
	}
}

func (s *simulatedStore) restart(away time.Duration) error {
	time.Sleep(away) // sleep: as long as the fault lasts
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if err := s.server.Server.Restart(ctx); err != nil {
		return fmt.Errorf("restart the store: %w", err)
	}
	return nil
}
