package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-lro/lro/internal/cli/exit"
	"github.com/go-lro/lro/internal/cli/host"
	"github.com/go-lro/lro/server"
)

func (o *options) run(ctx context.Context) error {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP) // or it would end the process
	defer signal.Stop(hangups)
	logger := slog.New(slog.NewTextHandler(o.io.Err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	config, address, err := o.config(logger)
	if err != nil {
		return exit.AsUsage(err)
	}
	config.Logger = logger
	h, err := host.Open(ctx, config)
	if err != nil {
		return err
	}
	return errors.Join(o.serve(ctx, h, config, address, hangups), h.Close())
}

func (o *options) serve(ctx context.Context, h *host.Host, config host.Config, address *net.TCPAddr, hangups <-chan os.Signal) error {
	stopping := server.OnStop(func() { fmt.Fprintln(o.io.Err, o.stopping(h.Running())) })
	reloading := server.Run(func(ctx context.Context) error {
		o.reload(ctx, config, hangups)
		return nil
	})
	if !o.answers() {
		fmt.Fprintf(o.io.Err, "running operations, stored in %s; press Ctrl-C to stop\n", o.store.Where())
		return h.Serve(ctx, nil, stopping, reloading)
	}
	listener, err := net.ListenTCP("tcp", address)
	if err != nil {
		return err
	}
	o.announce(listener.Addr(), config)
	return h.Serve(ctx, listener, stopping, reloading)
}

// stopping says what a stop waits for.
func (o *options) stopping(running int64) string {
	if running == 0 || o.drain <= 0 {
		return "stopping"
	}
	operations := "1 running operation"
	if running > 1 {
		operations = fmt.Sprintf("%d running operations", running)
	}
	return fmt.Sprintf("stopping: %s may finish within %v; Ctrl-C again ends the process, and unfinished operations run again later", operations, o.drain)
}

// reload reads files again for each SIGHUP, until ctx ends.
func (o *options) reload(ctx context.Context, config host.Config, hangups <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangups:
			if config.Reload() == nil { // else the log has it
				fmt.Fprintln(o.io.Err, "certificates and tokens were read again")
			}
		}
	}
}

// announce says where the server is and how to reach it.
func (o *options) announce(addr net.Addr, c host.Config) {
	scheme, flags := "https", ""
	if c.TLS == nil {
		scheme, flags = "http", " --plaintext"
	}
	if c.WorkerOnly {
		fmt.Fprintf(o.io.Err, "running operations, stored in %s; press Ctrl-C to stop\n", o.store.Where())
	} else {
		fmt.Fprintf(o.io.Err, "serving operations on %s, stored in %s; press Ctrl-C to stop\n", addr, o.store.Where())
		fmt.Fprintf(o.io.Err, "gRPC: --addr %s%s   HTTP/JSON: --url %s://%s\n", addr, flags, scheme, addr)
		fmt.Fprintf(o.io.Err, "console: %s://%s/\n", scheme, addr)
	}
	if c.Metrics {
		fmt.Fprintf(o.io.Err, "metrics: %s://%s/metrics\n", scheme, addr)
	}
}
