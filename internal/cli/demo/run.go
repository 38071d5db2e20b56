package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/go-lro/lro/internal/cli/exit"
	"github.com/go-lro/lro/internal/cli/host"
	"github.com/go-lro/lro/internal/cli/pgstore"
	"github.com/go-lro/lro/internal/cli/term"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine/postgres"
)

// complete fills in what was not given and checks what was.
func (o *options) complete(ctx context.Context, args []string) error {
	var err error
	dir := ""
	if len(args) > 0 {
		dir, o.chosen = args[0], true
	} else {
		dir = defaultDir(ctx, o.io.Env)
	}
	if o.dir, err = checkDir(dir); err != nil {
		return err
	}
	if o.pace < 0 {
		return exit.AsUsage(fmt.Errorf("--pace %v is negative", o.pace))
	}
	if o.db == "" {
		folder, err := os.MkdirTemp("", "lro-demo-")
		if err != nil {
			return fmt.Errorf("make a folder for the records: %w", err)
		}
		o.db, o.temp = filepath.Join(folder, "demo.db"), true
		return nil
	}
	o.db, err = checkDB(o.db)
	return err
}

// stopGrace is how long calls under way may take when the demo ends.
const stopGrace = time.Second

func (o *options) run(ctx context.Context) error {
	config := host.Config{DB: o.db, Drain: -1, Grace: stopGrace}
	if pgstore.IsURL(o.db) {
		config.Engine = func(ctx context.Context, logger *slog.Logger) (server.Engine, error) {
			return pgstore.Open(ctx, o.db, postgres.Options{Schema: o.schema, Logger: logger})
		}
	}
	h, err := host.Open(ctx, config)
	if err != nil {
		return err
	}
	err = o.serve(ctx, h)
	if closeErr := h.Close(); closeErr != nil {
		err = errors.Join(err, fmt.Errorf("close %s: %w", o.where(), closeErr))
	}
	if code := exit.Of(err); code == exit.Interrupted || code == exit.TimedOut {
		err = exit.Hint(err, "to finish it: "+o.resumeCommand())
	}
	return err
}

// serve serves as long as a client beside it takes.
func (o *options) serve(ctx context.Context, h *host.Host) error {
	s := session{options: o, host: h}
	// Before the server runs operations: what is unfinished now was left by an
	// earlier run.
	found, err := s.unfinished(ctx)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen on loopback: %w", err)
	}
	fmt.Fprintf(o.io.Err, "serving operations on %s, stored in %s\n", listener.Addr(), o.where())

	// An interrupt ends the client, and then the server.
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	client, stopClient := context.WithCancelCause(ctx)
	defer stopClient(nil)
	var running sync.WaitGroup
	running.Go(func() { stopClient(h.Serve(serving, listener)) })
	err = s.run(client, found, listener.Addr().String())
	stop()
	running.Wait()
	return err
}

// where names the records on a screen.
func (o *options) where() string {
	if pgstore.IsURL(o.db) {
		return pgstore.Where(o.db, o.schema)
	}
	return term.Clean(o.db)
}

// resumeCommand is what finishes an interrupted demo.
func (o *options) resumeCommand() string {
	db := term.Quote(o.db)
	if pgstore.IsURL(o.db) {
		db = term.Quote(pgstore.Redact(o.db)) + " --schema " + term.Quote(o.schema)
	}
	return "lro demo --db " + db + " " + term.Quote(o.dir)
}
