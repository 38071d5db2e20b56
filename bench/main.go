// Bench compares package lro with other clients of google.longrunning, and the
// server with bare limits: the same work, on one machine, in one run.
//
//	go run .                       all, some 22 minutes on two processors
//	go run . -short                a bit of all, so that it works
//	go run . -only lateness,poll   these sections
//	go run . -old v0.1.0           another revision too, in turns with this one
//	go run . -page                 the page and its plots anew from the JSON
//
// It prints tables and writes docs/benchmarks.md, and docs/benchmarks/ with the
// plots and all numbers as JSON; -out writes somewhere else. The clients that
// are not written in Go are those that interop/install.sh installs. It needs
// Linux, whose /proc tells what a process takes.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/go-lro/lro/bench/host"
	"github.com/go-lro/lro/bench/report"
)

func main() {
	log.SetFlags(log.Ltime)
	if err := runMain(os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

// bench is a run.
type bench struct {
	programs programs
	short    bool
	report   report.Report
}

func (b *bench) say(format string, args ...any) { log.Printf(format, args...) }

type section = report.Section[func(context.Context) error]

func runMain(args []string) error {
	if len(args) > 0 && args[0] == "serve" {
		return serve(args[1:], os.Stdin, os.Stdout)
	}
	set := flag.NewFlagSet("bench", flag.ContinueOnError)
	only := set.String("only", "", "run these sections alone: lateness, memory, poll, survival, server, separated by commas")
	short := set.Bool("short", false, "run a bit of each section")
	temporal := set.Bool("temporal", false, "run the benchmarks of the engine on Temporal too")
	page := set.Bool("page", false, "run nothing, write the page and the plots from the JSON")
	strict := set.Bool("strict", os.Getenv("CI") != "", "fail when a client is not installed or a section fails; by default in CI")
	root := set.String("root", "..", "folder of the repository")
	clients := set.String("clients", "", "folder of the clients that are not Go; by default .cache/interop of the repository")
	out := set.String("out", "", "write the page into this folder; by default docs of the repository, or .cache/bench with -short or -only")
	old := set.String("old", "", "run the benchmark of this older revision too, in turns with that of the checkout, and print their numbers side by side; writes no page")
	rounds := set.Int("rounds", 3, "how many times each revision runs, with -old")
	if err := set.Parse(args); err != nil {
		return err
	}
	top, err := filepath.Abs(*root)
	if err != nil {
		return fmt.Errorf("find repository: %w", err)
	}
	dir := *out
	switch {
	case dir != "":
	case *short || *only != "":
		dir = filepath.Join(top, ".cache", "bench")
	default:
		dir = filepath.Join(top, "docs")
	}
	file := filepath.Join(dir, "benchmarks", "benchmarks.json")
	if *page {
		r, err := report.Read(file)
		if err != nil {
			return err
		}
		return write(r, dir)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	b := &bench{programs: programs{
		bin:     filepath.Join(top, ".cache", "bench", "bin"),
		root:    top,
		clients: cmp.Or(*clients, filepath.Join(top, ".cache", "interop")),
	}, short: *short}
	sections, err := b.sections(*only, *temporal)
	if err != nil {
		return err
	}
	if *old != "" {
		return b.compare(ctx, *old, max(1, *rounds), shared(set))
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	failed := b.runSections(ctx, sections, command(set))
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if *strict {
		failed = errors.Join(failed, b.gaps())
	}
	if err := b.report.Write(file); err != nil {
		return err
	}
	if err := write(&b.report, dir); err != nil {
		return err
	}
	text, err := b.report.Text()
	if err != nil {
		return err
	}
	if _, err := os.Stdout.Write(text); err != nil {
		return err
	}
	b.say("written: %s and %s", filepath.Join(dir, "benchmarks.md"), file)
	return failed
}

// shared returns the flags that both revisions of a comparison get.
func shared(set *flag.FlagSet) (args []string) {
	set.Visit(func(f *flag.Flag) {
		switch f.Name {
		case "only", "short", "temporal":
			args = append(args, "-"+f.Name+"="+f.Value.String())
		}
	})
	return args
}

// command is what was asked for, without where things are.
func command(set *flag.FlagSet) string {
	text := "go run ."
	set.Visit(func(f *flag.Flag) {
		switch f.Name {
		case "root", "out", "clients", "strict":
		case "only":
			text += " -only " + f.Value.String()
		default:
			text += " -" + f.Name
		}
	})
	return text
}

// sections returns those to run.
func (b *bench) sections(only string, temporal bool) ([]section, error) {
	all := []section{
		{Name: "lateness", Run: b.lateness},
		{Name: "memory", Run: b.memory},
		{Name: "poll", Run: b.pollCost},
		{Name: "survival", Run: b.survival},
		{Name: "server", Run: b.server},
	}
	all, err := report.Choose(all, only)
	if err != nil {
		return nil, err
	}
	if temporal {
		all = append(all, section{Name: "temporal", Run: b.temporal})
	}
	return all, nil
}

// runSections runs sections one after the other, and goes on when one fails.
func (b *bench) runSections(ctx context.Context, sections []section, command string) error {
	b.report.Machine, b.report.Peers = b.machine(ctx), b.peers(ctx)
	b.report.Run = report.Run{Command: command, Begin: time.Now(), Commit: host.Commit(ctx, b.programs.root), Short: b.short, Load: host.Load(),
		Others: make(map[string]float64)}
	if err := b.programs.build(ctx); err != nil {
		return err
	}
	var failed error
	for _, s := range sections {
		before, err := host.ReadProcessors()
		if err != nil {
			return err
		}
		if err := s.Run(ctx); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", s.Name, err))
		}
		after, err := host.ReadProcessors()
		if err != nil {
			return err
		}
		b.report.Run.Others[s.Name] = after.Others(before)
	}
	b.report.Run.Took = time.Since(b.report.Run.Begin)
	return failed
}

// gaps says what is missing of the report.
func (b *bench) gaps() error {
	found := make(map[string]bool)
	note := func(where, text string) {
		if text != "" {
			found[where+": "+text] = true
		}
	}
	for _, l := range b.report.Lateness {
		note("lateness, "+l.Client, l.Note)
	}
	for _, m := range b.report.Memory {
		note("memory, "+m.Client, m.Note)
	}
	for _, p := range b.report.Polls {
		note("poll, "+p.Client, p.Note)
	}
	for _, s := range b.report.Survival {
		note("survival, "+s.Client, s.Note)
	}
	for _, f := range append(slices.Clone(b.report.Server), b.report.Temporal...) {
		note(f.What, f.Note)
	}
	var all []error
	for _, text := range slices.Sorted(maps.Keys(found)) {
		all = append(all, errors.New(text))
	}
	return errors.Join(all...)
}

// write writes the page and its plots.
func write(r *report.Report, dir string) error {
	page, err := r.Page()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "benchmarks.md"), page, 0o644); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return r.Plots(filepath.Join(dir, "benchmarks"))
}
