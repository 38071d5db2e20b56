// Postgres measures the engine on PostgreSQL against bare SQL and against River, a
// job queue on the same database, on a server of its own that syncs its commits.
//
//	go run ./postgres                 all, some 24 minutes on two processors
//	go run ./postgres -short          a bit of all, so that it works
//	go run ./postgres -only get,size  these sections
//	go run ./postgres -held 3m        a shorter transaction beside the load
//	go run ./postgres -page           the page anew from the JSON
//
// It prints tables and writes docs/benchmarks/postgres.md and the same as JSON;
// -out writes somewhere else.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/go-lro/lro/bench/host"
	"github.com/go-lro/lro/bench/report"
	"github.com/go-lro/lro/internal/pgserver"
)

func main() {
	log.SetFlags(log.Ltime)
	if err := run(os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

// bench is a run.
type bench struct {
	server *pgserver.Server
	short  bool
	rounds int
	window time.Duration // of one contender in one round
	held   time.Duration // that a transaction stays open beside the load
	result result
}

type section = report.Section[func(context.Context, *bench, *part) error]

func sections() []section {
	return []section{
		{Name: "run", Run: throughput},
		{Name: "get", Run: reads},
		{Name: "wait", Run: waits},
		{Name: "tx", Run: transactions},
		{Name: "size", Run: sizes},
		{Name: "takeover", Run: takeovers},
		{Name: "held", Run: held},
	}
}

func run(args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(args) == 2 && args[0] == "work" {
		return work(ctx, args[1])
	}
	set := flag.NewFlagSet("postgres", flag.ContinueOnError)
	only := set.String("only", "", "run these sections alone, separated by commas: "+report.Names(sections()))
	short := set.Bool("short", false, "run a bit of each section")
	page := set.Bool("page", false, "run nothing, write the page from the JSON")
	heldFor := set.Duration("held", 10*time.Minute, "how long the section held has its transaction open")
	rounds := set.Int("rounds", 5, "how often the contenders take turns")
	root := set.String("root", "..", "folder of the repository")
	out := set.String("out", "", "write into this folder; by default docs/benchmarks of the repository, or .cache/bench with -short or -only")
	if err := set.Parse(args); err != nil {
		return err
	}
	chosen, err := report.Choose(sections(), *only)
	if err != nil {
		return err
	}
	dir := *out
	switch {
	case dir != "":
	case *short || *only != "":
		dir = filepath.Join(*root, ".cache", "bench")
	default:
		dir = filepath.Join(*root, "docs", "benchmarks")
	}
	if *page {
		r, err := read(dir)
		if err != nil {
			return err
		}
		return r.write(dir)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	b := &bench{short: *short, rounds: *rounds, window: 2 * time.Second, held: *heldFor}
	if b.short {
		b.rounds, b.window, b.held = 1, 300*time.Millisecond, min(b.held, 3*time.Second)
	}
	b.result.Machine = host.Machine()
	b.result.Run = report.Run{Command: strings.Join(append([]string{"go run ./postgres"}, args...), " "), Begin: time.Now(),
		Commit: host.Commit(ctx, *root), Short: b.short, Load: host.Load()}
	before, err := host.ReadProcessors()
	if err != nil {
		return err
	}
	failed := b.all(ctx, chosen)
	after, err := host.ReadProcessors()
	if err != nil {
		return errors.Join(failed, err)
	}
	b.result.Run.Took = time.Since(b.result.Run.Begin)
	b.result.Run.Others = map[string]float64{"all": after.Others(before)}
	if err := b.result.write(dir); err != nil {
		return errors.Join(failed, err)
	}
	if err := b.result.print(os.Stdout); err != nil {
		return errors.Join(failed, err)
	}
	log.Printf("written: %s", filepath.Join(dir, pageFile))
	return failed
}

// all runs sections on a server of its own. When one fails, the others run
// nevertheless.
func (b *bench) all(ctx context.Context, chosen []section) (err error) {
	dir, err := os.MkdirTemp("", "lro-postgres-")
	if err != nil {
		return fmt.Errorf("make folder of the server: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b.server, err = pgserver.Start(ctx, dir, &pgserver.Options{Durable: true, Settings: []string{
		"max_connections=600", "shared_buffers=512MB", "max_wal_size=4GB",
	}})
	if err != nil {
		return err
	}
	defer func() {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		err = errors.Join(err, b.server.Stop(stop))
	}()
	if err := b.versions(ctx); err != nil {
		return err
	}
	for _, s := range chosen {
		if ctx.Err() != nil {
			return errors.Join(err, context.Cause(ctx))
		}
		begin := time.Now()
		p := &part{Name: s.Name}
		failed := s.Run(ctx, b, p)
		if failed != nil {
			failed = fmt.Errorf("%s: %w", s.Name, failed)
			p.note("FAILED: %v", failed)
			err = errors.Join(err, failed)
		}
		p.Took = time.Since(begin)
		b.result.Parts = append(b.result.Parts, p)
		log.Printf("%s took %v", s.Name, p.Took.Round(time.Second))
	}
	return err
}
