// Command interop runs official clients of google.longrunning, as their authors
// ship them, against our servers, and prints which of them can do what.
//
//	go run ./interop                 install what is missing, run all, print
//	go run ./interop -only python    the clients whose name has python in it
//
// Each client gets an "lro serve" and an examples/library of its own. A small
// program per language plays the scenarios and says, in a line of JSON for each,
// whether the client returned what it should have; table.go says what is
// expected. Where a client is known to be broken, the scenario runs all the same,
// and fails when the client breaks in another way or in none.
//
// A language that is not installed, and cannot be, is skipped; with CI=true in
// the environment it is a failure.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	only := flag.String("only", "", "run the clients with `TEXT` in their name")
	parallel := flag.Int("parallel", 2, "run `N` clients at a time")
	limit := flag.Duration("limit", 90*time.Second, "kill a client that needs longer than `DURATION` for a scenario")
	flag.Parse()
	if err := run(ctx, *only, *parallel, *limit); err != nil {
		fmt.Fprintln(os.Stderr, "interop:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, only string, parallel int, limit time.Duration) error {
	if flag.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flag.Arg(0))
	}
	var picked []column
	for _, c := range columns {
		if strings.Contains(c.name, only) {
			picked = append(picked, c)
		}
	}
	if len(picked) == 0 {
		return fmt.Errorf("no client has %q in its name", only)
	}
	if parallel < 1 {
		return errors.New("-parallel must be at least 1")
	}
	h, err := newHouse(ctx)
	if err != nil {
		return err
	}
	defer h.close()
	missing, err := h.install(ctx, picked)
	if err != nil {
		return err
	}

	reports := make([]report, len(picked))
	slots := make(chan struct{}, parallel)
	var running sync.WaitGroup
	for i, c := range picked {
		if why, ok := missing[c.part]; ok {
			reports[i] = report{column: c, missing: why}
			continue
		}
		running.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			begin := time.Now()
			reports[i] = h.play(ctx, c, limit)
			fmt.Fprintf(os.Stderr, "interop: %s: %.1fs\n", c.name, time.Since(begin).Seconds())
		})
	}
	running.Wait()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	printMatrix(os.Stdout, reports)
	return verdict(reports, os.Getenv("CI") == "true")
}
