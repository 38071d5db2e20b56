package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"google.golang.org/grpc"

	"github.com/go-lro/lro/examples/library/librarypb"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine/sqlite"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "library:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("library", flag.ContinueOnError)
	addr := flags.String("addr", "127.0.0.1:8710", "`HOST:PORT` of the server")
	dir := flags.String("dir", filepath.Join(os.TempDir(), "library"), "`DIR` for operations and archives")
	pace := flags.Duration("pace", 10*time.Millisecond, "`DURATION` spent on each book")
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: library [flags] serve\n       library [flags] export PUBLISHER")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch {
	case flags.NArg() == 1 && flags.Arg(0) == "serve":
		listener, err := net.Listen("tcp", *addr)
		if err != nil {
			return err
		}
		fmt.Println("serving on", listener.Addr())
		return serve(ctx, listener, *dir, *pace)
	case flags.NArg() == 2 && flags.Arg(0) == "export":
		return export(ctx, os.Stdout, *addr, flags.Arg(1))
	}
	flags.Usage()
	return errors.New("want serve or export PUBLISHER")
}

// serve serves the library and its operations until ctx ends.
func serve(ctx context.Context, listener net.Listener, dir string, pace time.Duration) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	engine, err := sqlite.Open(ctx, filepath.Join(dir, "operations.db"), nil)
	if err != nil {
		return err
	}
	shelf := newShelf()
	// A short drain: exports go on from their checkpoints after a restart.
	config := server.Config{Drain: time.Second}
	operations, err := server.New(engine, config, exportBooks.Handle(exporter{shelf, dir, pace}.run))
	if err != nil {
		return errors.Join(err, engine.Close())
	}
	grpcServer := grpc.NewServer()
	librarypb.RegisterLibraryServer(grpcServer, &library{shelf: shelf, operations: operations})
	operations.Register(grpcServer)

	// Runs exports and answers calls until ctx ends, or something fails.
	return errors.Join(operations.Serve(ctx, grpcServer, listener), engine.Close())
}
