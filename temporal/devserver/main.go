// Command devserver runs a Temporal server, all its roles in one process, for
// tests and demonstrations. It is not meant for production: there is no TLS and
// nobody is asked who he is.
//
// When it answers it prints one line to standard output,
//
//	ready 127.0.0.1:41234
//
// and from then on nothing. It stops on SIGINT and SIGTERM, and with --until-eof
// when its standard input ends, so that it never outlives a test that started it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintf(os.Stderr, "devserver: %v\n", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	listen     string
	db         string
	postgres   string
	namespaces []string
	retention  time.Duration
	shards     int
	untilEOF   bool
	logLevel   string
	dynamic    settings
}

func parse(args []string) (*options, error) {
	o := &options{dynamic: settings{}}
	f := flag.NewFlagSet("devserver", flag.ContinueOnError)
	f.StringVar(&o.listen, "listen", "127.0.0.1:0", "answer at `HOST:PORT`; port 0 is any that is free")
	f.StringVar(&o.db, "db", "", "keep everything in the SQLite `FILE`; in memory if empty")
	f.StringVar(&o.postgres, "postgres", "", "keep everything in the database of `URL`, postgres://user:password@host:port/name?sslmode=disable, and in name_visibility beside it; both are made where there are none")
	f.Func("namespace", "make the namespace `NAME`; may be repeated (default \"default\")", func(name string) error {
		o.namespaces = append(o.namespaces, name)
		return nil
	})
	f.DurationVar(&o.retention, "retention", 24*time.Hour, "keep workflows that are done for `DURATION`, in namespaces that this makes")
	f.IntVar(&o.shards, "shards", 4, "divide histories over `N` shards; cannot change once the store is made")
	f.BoolVar(&o.untilEOF, "until-eof", false, "stop when standard input ends")
	f.StringVar(&o.logLevel, "log-level", "fatal", "log to standard error from `LEVEL` on: debug, info, warn, error, fatal")
	f.Var(o.dynamic, "dynamic", "set `KEY=JSON` of Temporal's dynamic configuration; may be repeated")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	switch {
	case f.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q", f.Arg(0))
	case o.db != "" && o.postgres != "":
		return nil, errors.New("--db and --postgres exclude each other")
	case o.shards < 1:
		return nil, errors.New("--shards must be at least 1")
	}
	if len(o.namespaces) == 0 {
		o.namespaces = []string{"default"}
	}
	return o, nil
}

func run(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if o.untilEOF {
		go func() { // ends with the process: a read of standard input cannot be ended
			_, _ = io.Copy(io.Discard, in)
			stop()
		}()
	}
	server, address, err := newServer(o)
	if err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	if err := awaitReady(ctx, address, o.namespaces); err == nil {
		fmt.Fprintf(out, "ready %s\n", address)
		<-ctx.Done()
	} else if ctx.Err() == nil {
		return err
	}
	stopSoon(server)
	return nil
}

// stopGrace is how long the server may take to stop. The store is consistent at
// any time, so a server that takes longer is left as if it had been killed.
const stopGrace = 3 * time.Second

func stopSoon(server interface{ Stop() error }) {
	stopped := make(chan struct{})
	go func() {
		_ = server.Stop()
		close(stopped)
	}()
	select {
	case <-stopped:
	case <-time.After(stopGrace):
	}
}

// settings collects --dynamic.
type settings map[string]string

func (s settings) String() string { return "" }

func (s settings) Set(v string) error {
	key, value, ok := strings.Cut(v, "=")
	if !ok {
		return errors.New("must be KEY=JSON")
	}
	s[key] = value
	return nil
}
