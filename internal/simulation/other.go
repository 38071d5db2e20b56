package simulation

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Other is a simulation of something that is no engine. It has the flags, the
// report and the totals of [Run], and programs of its own.
type Other struct {
	Name  string
	Seeds string // those that run without a flag: first-last

	// Steps returns how many steps the program of a seed has. A program is run,
	// and shown, with all of them or with those of the given numbers.
	Steps func(seed uint64) int
	Run   func(t *testing.T, seed uint64, steps []int) Judged
	Show  func(seed uint64, steps []int) string
}

// Judged is a run, and what is wrong with it.
type Judged struct {
	Wrong   []string
	Events  int
	Parts   int // that were judged by themselves
	Virtual time.Duration
	Faults  map[string]int // how often each was met
	History string
}

// RunSeeds runs the programs of the seeds, one after another, and fails t for those
// with which something is wrong.
func (o Other) RunSeeds(t *testing.T) {
	t.Helper()
	seeds := o.Seeds
	flag.Visit(func(f *flag.Flag) {
		if f.Name == "simulation.seeds" {
			seeds = *seedsFlag
		}
	})
	first, last, err := parseSeeds(seeds)
	if err != nil {
		t.Fatal(err)
	}
	var keep []int
	if *keepFlag != "" {
		if keep, err = parseNumbers(*keepFlag); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	var totals totals
	totals.begin(t, o.Name)
	for seed := first; seed <= last || time.Since(began) < *forFlag; seed++ {
		if *firstFlag && len(totals.Failed) > 0 {
			break
		}
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			steps := keep
			if steps == nil {
				steps = upTo(o.Steps(seed))
			}
			j := o.Run(t, seed, steps)
			totals.judged(j)
			if len(j.Wrong) > 0 {
				totals.Failed = append(totals.Failed, seed)
				o.report(t, seed, steps, j)
			}
		})
	}
}

func upTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

func (s *totals) judged(j Judged) {
	s.Seeds++
	s.Events += j.Events
	s.Slots += j.Parts
	s.Virtual += j.Virtual
	for name, n := range j.Faults {
		s.Faults[name] += n
	}
}

// report fails t with the smallest program that fails too.
func (o Other) report(t *testing.T, seed uint64, steps []int, j Judged) {
	t.Helper()
	t.Errorf("seed %d:\n%s", seed, strings.Join(j.Wrong, "\n"))
	if *outFlag != "" {
		path := filepath.Join(*outFlag, fmt.Sprintf("%s-%d.txt", o.Name, seed))
		if err := os.WriteFile(path, []byte(j.History), 0o644); err != nil {
			t.Errorf("keep history: %v", err)
		}
		t.Logf("its history: %s", path)
	}
	fails := func(steps []int) bool { return len(o.Run(t, seed, steps).Wrong) > 0 }
	failed := 0
	for range *againFlag {
		if fails(steps) {
			failed++
		}
	}
	if *againFlag > 0 {
		t.Logf("seed %d failed again in %d of %d runs", seed, failed, *againFlag)
	}
	if *firstFlag {
		return
	}
	small := steps
	if *keepFlag == "" {
		small = shrinkSteps(steps, shrinkTries, fails)
	}
	t.Logf("%d of %d steps are enough:\n%s", len(small), len(steps), o.Show(seed, small))
	var text []string
	for _, s := range small {
		text = append(text, strconv.Itoa(s))
	}
	t.Logf("to repeat: make simulate ENGINE=%s SEEDS=%d KEEP=%s", o.Name, seed, strings.Join(text, ","))
}
