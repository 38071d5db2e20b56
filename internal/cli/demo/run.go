package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/go-lro/lro/internal/cli/exit"
	"github.com/go-lro/lro/internal/cli/host"
	"github.com/go-lro/lro/internal/cli/term"
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
	h, err := host.Open(ctx, host.Config{DB: o.db, Drain: -1})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(fmt.Errorf("listen on loopback: %w", err), h.Close())
	}
	fmt.Fprintf(o.io.Err, "serving operations on %s, records in %s\n", listener.Addr(), term.Clean(o.db))

	var serving sync.WaitGroup
	serving.Go(func() { _ = h.Serve(listener) })
	err = o.client(ctx, h, listener.Addr().String())
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
	defer cancel()
	h.Stop(stopping)
	serving.Wait()
	if closeErr := h.Close(); closeErr != nil {
		err = errors.Join(err, fmt.Errorf("close %q: %w", o.db, closeErr))
	}
	if code := exit.Of(err); code == exit.Interrupted || code == exit.TimedOut {
		err = exit.Hint(err, "to finish it: "+o.resumeCommand())
	}
	return err
}

// client does what a client does, and works beside it.
func (o *options) client(ctx context.Context, h *host.Host, addr string) error {
	conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	s := session{options: o, host: h, conn: conn}
	// Before the server begins to work: what is unfinished now was left by an
	// earlier run.
	if err := s.begin(ctx); err != nil {
		return err
	}
	working, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	waiting, stopWait := context.WithCancelCause(ctx)
	defer stopWait(nil)
	var work sync.WaitGroup
	work.Go(func() {
		if err := h.Work(working); err != nil {
			stopWait(err)
		}
	})
	err = s.wait(waiting)
	stopWork()
	work.Wait()
	return err
}

// resumeCommand is what finishes an interrupted demo.
func (o *options) resumeCommand() string {
	return "lro demo --db " + term.Quote(o.db) + " " + term.Quote(o.dir)
}
