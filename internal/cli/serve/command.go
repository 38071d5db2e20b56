package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/go-lro/lro/internal/cli/exit"
	"github.com/go-lro/lro/internal/cli/flag"
	"github.com/go-lro/lro/internal/cli/host"
	"github.com/go-lro/lro/internal/cli/term"
)

type options struct {
	io     *term.IO
	listen string
	db     string
	parent string
	drain  time.Duration
}

// New returns the command.
func New(io *term.IO) *cobra.Command {
	o := &options{io: io}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve durable operations of two kinds",
		Long: `Serve google.longrunning.Operations over gRPC, with records in a SQLite file, and
lro.v1.Starter, which starts operations of two kinds: checksum computes SHA-256 of
every file under a directory of this machine, and simulate does nothing for as
long as it is told and ends as it is told, for people who test clients.

Ctrl-C stops the server; operations that run go on when it is started again.`,
		Example: `  # On this machine, records in lro.db
  lro serve

  # Elsewhere: any free port, records in a file of your choice
  lro serve --listen 127.0.0.1:0 --db /tmp/operations.db`,
		Args: flag.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.listen, "listen", "127.0.0.1:8700", "answer at `HOST:PORT`; port 0 is any that is free")
	f.StringVar(&o.db, "db", "lro.db", "`FILE` for the records; made where there is none")
	f.StringVar(&o.parent, "parent", "", "start operations under `NAME`, such as projects/p, that name no other parent")
	f.DurationVar(&o.drain, "drain", 10*time.Second, "let running operations go on for `DURATION` when the server stops")
	return cmd
}

// stopGrace is how long calls under way may take when the server stops.
const stopGrace = 5 * time.Second

func (o *options) run(ctx context.Context) error {
	address, err := net.ResolveTCPAddr("tcp", o.listen)
	if err != nil {
		return exit.AsUsage(fmt.Errorf("--listen %q: %w", o.listen, err))
	}
	if address.IP == nil || !address.IP.IsLoopback() {
		return exit.AsUsage(fmt.Errorf("--listen %q is not an address of this machine alone, such as 127.0.0.1:8700", o.listen))
	}
	if o.drain <= 0 {
		o.drain = -1 // at once
	}
	h, err := host.Open(ctx, host.Config{
		DB: o.db, Parent: o.parent, Drain: o.drain,
		Logger: slog.New(slog.NewTextHandler(o.io.Err, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return err
	}
	listener, err := net.ListenTCP("tcp", address)
	if err != nil {
		return errors.Join(err, h.Close())
	}
	fmt.Fprintf(o.io.Err, "serving operations on %s, records in %s; Ctrl-C stops\n", listener.Addr(), term.Clean(o.db))
	return o.serve(ctx, h, listener)
}

// serve serves until ctx ends or something fails.
func (o *options) serve(ctx context.Context, h *host.Host, listener net.Listener) error {
	working, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var running sync.WaitGroup
	running.Go(func() {
		if err := h.Serve(listener); err != nil {
			stop(fmt.Errorf("serve: %w", err))
		}
	})
	err := h.Work(working)
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
