package host

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/reflection"

	"github.com/go-lro/lro/internal/kinds/checksum"
	"github.com/go-lro/lro/internal/kinds/simulate"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine/sqlite"
)

// Config is what a host runs with.
type Config struct {
	DB     string // path of the database file; created where there is none
	Parent string // see [server.Config]
	Logger *slog.Logger
	Drain  time.Duration // see [server.Config]
	GRPC   []grpc.ServerOption
}

// Host serves the operations of one database file. Open makes one.
type Host struct {
	engine *sqlite.Engine
	server *server.Server
	grpc   *grpc.Server
}

// Open opens the database. Nothing runs and nothing is served yet.
func Open(ctx context.Context, c Config) (*Host, error) {
	eng, err := sqlite.Open(ctx, c.DB, &sqlite.Options{Logger: c.Logger})
	if err != nil {
		return nil, err
	}
	srv, err := server.New(eng, server.Config{Parent: c.Parent, Logger: c.Logger, Drain: c.Drain},
		checksum.Handle(), simulate.Handle())
	if err != nil {
		return nil, errors.Join(err, eng.Close())
	}
	h := &Host{engine: eng, server: srv, grpc: grpc.NewServer(c.GRPC...)}
	srv.Register(h.grpc)
	srv.RegisterStarter(h.grpc)
	reflection.Register(h.grpc)
	return h, nil
}

// Serve answers calls until Stop.
func (h *Host) Serve(l net.Listener) error { return h.grpc.Serve(l) }

// Work runs operations until ctx ends and what ran has been handed back.
func (h *Host) Work(ctx context.Context) error { return h.server.Work(ctx) }

// Stop ends Serve. It lets calls under way finish until ctx ends.
func (h *Host) Stop(ctx context.Context) {
	stop := context.AfterFunc(ctx, h.grpc.Stop)
	defer stop()
	h.grpc.GracefulStop()
}

// Close closes the database, after Work and Serve have returned.
func (h *Host) Close() error { return h.engine.Close() }
