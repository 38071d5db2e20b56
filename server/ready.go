package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/go-lro/lro/server/engine"
)

const (
	// readyEvery is how often [Server.Health] checks whether the server is ready.
	readyEvery = 5 * time.Second
	// readyTimeout is how long a store may take to answer it.
	readyTimeout = 5 * time.Second
)

// errShutDown is why a server is not ready after Shutdown.
var errShutDown = errors.New("server is shut down")

// Ready returns nil if calls that change something would succeed, and otherwise
// the reason: the server is shut down, or its engine accepts no changes, for
// example on a full disk. It is for readiness probes. A liveness probe should
// not use it, since a restart does not free a disk. Engines that cannot check
// this, such as that of package temporal, count as ready. It is cheap while the
// engine works, and ctx bounds it.
func (s *Server) Ready(ctx context.Context) error {
	if s.shutdown.Err() != nil {
		return errShutDown
	}
	if c, ok := s.engine.(engine.Checker); ok {
		if err := c.Check(ctx); err != nil {
			return fmt.Errorf("server is not ready: %w", err)
		}
	}
	return nil
}

// HealthServer has the methods of gRPC's health service that [Server.Health]
// uses. A *health.Server of package google.golang.org/grpc/health is one. After
// Shutdown, SetServingStatus must have no effect.
type HealthServer interface {
	SetServingStatus(service string, status healthpb.HealthCheckResponse_ServingStatus)
	Shutdown()
}

// Health keeps gRPC's health service up to date while [Server.Serve] runs. The
// service "google.longrunning.Operations" follows [Server.Ready], which is checked
// every 5 s: name it in readiness probes, and in clients that check health. All
// services, also the one without a name, become NOT_SERVING when the stop begins,
// while calls are still answered. Register h on the gRPC server before.
func (s *Server) Health(h HealthServer) Part {
	return Part{onStop: h.Shutdown, run: func(calls context.Context) error {
		tick := time.NewTicker(readyEvery)
		defer tick.Stop()
		for wasReady := true; ; {
			err := s.readyWithin(calls, readyTimeout)
			if calls.Err() != nil {
				return nil
			}
			state := healthpb.HealthCheckResponse_SERVING
			if err != nil {
				state = healthpb.HealthCheckResponse_NOT_SERVING
			}
			h.SetServingStatus(longrunningpb.Operations_ServiceDesc.ServiceName, state)
			if ready := err == nil; ready != wasReady {
				wasReady = ready
				if ready {
					s.logger.InfoContext(calls, "ready again")
				} else {
					s.logger.WarnContext(calls, "not ready", "error", err)
				}
			}
			select {
			case <-tick.C:
			case <-calls.Done():
				return nil
			}
		}
	}}
}

func (s *Server) readyWithin(ctx context.Context, d time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return s.Ready(ctx)
}
