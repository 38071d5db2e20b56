package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/go-lro/lro/internal/cli/exit"
	"github.com/go-lro/lro/internal/cli/host"
)

// stopGrace is how long calls under way may take when the server stops.
const stopGrace = 5 * time.Second

func (o *options) run(ctx context.Context) error {
	config, address, err := o.config()
	if err != nil {
		return exit.AsUsage(err)
	}
	config.Logger = slog.New(slog.NewTextHandler(o.io.Err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	h, err := host.Open(ctx, config)
	if err != nil {
		return err
	}
	if o.store.Role() == Work && !o.metrics {
		fmt.Fprintf(o.io.Err, "running operations, records in %s; Ctrl-C stops\n", o.store.Where())
		return o.serve(ctx, h, nil)
	}
	listener, err := net.ListenTCP("tcp", address)
	if err != nil {
		return errors.Join(err, h.Close())
	}
	o.announce(listener.Addr(), config)
	return o.serve(ctx, h, listener)
}

// announce says where the server is and how to reach it.
func (o *options) announce(addr net.Addr, c host.Config) {
	scheme, flags := "https", ""
	if c.TLS == nil {
		scheme, flags = "http", " --plaintext"
	}
	if c.WorkerOnly {
		fmt.Fprintf(o.io.Err, "running operations, records in %s; Ctrl-C stops\n", o.store.Where())
	} else {
		fmt.Fprintf(o.io.Err, "serving operations on %s, records in %s; Ctrl-C stops\n", addr, o.store.Where())
		fmt.Fprintf(o.io.Err, "gRPC: --addr %s%s   HTTP/JSON: --url %s://%s\n", addr, flags, scheme, addr)
		fmt.Fprintf(o.io.Err, "console: %s://%s/\n", scheme, addr)
	}
	if c.Metrics {
		fmt.Fprintf(o.io.Err, "metrics: %s://%s/metrics\n", scheme, addr)
	}
}

// serve serves until ctx ends or something fails. A nil listener answers nobody.
func (o *options) serve(ctx context.Context, h *host.Host, listener net.Listener) error {
	working, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var running sync.WaitGroup
	if listener != nil {
		running.Go(func() {
			if err := h.Serve(listener); err != nil {
				stop(fmt.Errorf("serve: %w", err))
			}
		})
	}
	var err error
	if o.store.Role() == Answer {
		<-working.Done()
	} else {
		err = h.Work(working)
	}
	if err == nil && ctx.Err() == nil {
		err = context.Cause(working)
	}
	fmt.Fprintln(o.io.Err, "stopping")
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
	defer cancel()
	h.Stop(stopping)
	running.Wait()
	return errors.Join(err, h.Close())
}
