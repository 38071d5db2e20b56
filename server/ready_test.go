package server_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/sqlite"
)

// fallible is an engine that takes no changes while it is full.
type fallible struct {
	engine.Engine
	full atomic.Bool
}

func (f *fallible) Check(context.Context) error {
	if f.full.Load() {
		return engine.ErrUnavailable
	}
	return nil
}

// TestHealth: the health service of the operations follows the engine, that of
// the process does not, and both end with the stop.
func TestHealth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		eng, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "operations.db"), nil)
		if err != nil {
			t.Fatal(err)
		}
		f := &fallible{Engine: eng}
		_, kinds := one(simKind{}, echo)
		srv, err := server.New(f, server.Config{}, kinds...)
		if err != nil {
			t.Fatal(err)
		}
		probes := health.NewServer()
		const operations = "google.longrunning.Operations"
		want := func(when, service string, want healthpb.HealthCheckResponse_ServingStatus) {
			t.Helper()
			resp, err := probes.Check(t.Context(), &healthpb.HealthCheckRequest{Service: service})
			if err != nil || resp.GetStatus() != want {
				t.Errorf("%s: health of %q = %v, %v; want %v", when, service, resp.GetStatus(), err, want)
			}
		}
		if _, err := probes.Check(t.Context(), &healthpb.HealthCheckRequest{Service: operations}); status.Code(err) != codes.NotFound {
			t.Errorf("health before Serve = %v, want NOT_FOUND", err)
		}
		served := make(chan error, 1)
		ctx, stop := context.WithCancel(t.Context())
		release := make(chan struct{})
		go func() {
			served <- srv.Serve(ctx, nil, nil, srv.Health(probes), server.OnStop(func() { <-release }))
		}()
		synctest.Wait()
		want("at the beginning", operations, healthpb.HealthCheckResponse_SERVING)
		f.full.Store(true)
		if err := srv.Ready(t.Context()); !errors.Is(err, engine.ErrUnavailable) {
			t.Errorf("Ready() = %v, want %v", err, engine.ErrUnavailable)
		}
		time.Sleep(6 * time.Second)
		want("while the disk is full", operations, healthpb.HealthCheckResponse_NOT_SERVING)
		want("while the disk is full", "", healthpb.HealthCheckResponse_SERVING)
		f.full.Store(false)
		time.Sleep(5 * time.Second)
		want("with room again", operations, healthpb.HealthCheckResponse_SERVING)
		if err := srv.Ready(t.Context()); err != nil {
			t.Errorf("Ready() = %v with room again", err)
		}
		stop()
		synctest.Wait()
		for _, service := range []string{"", operations} {
			want("when the stop has begun", service, healthpb.HealthCheckResponse_NOT_SERVING)
		}
		close(release)
		if err := <-served; err != nil {
			t.Errorf("Serve = %v", err)
		}
		if err := srv.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown = %v", err)
		}
		if err := srv.Ready(t.Context()); err == nil {
			t.Error("a server that was shut down is ready")
		}
		if err := eng.Close(); err != nil {
			t.Error(err)
		}
	})
}
