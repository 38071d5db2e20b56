package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-lro/lro/bench/host"
	"github.com/go-lro/lro/bench/report"
)

// result is a run of some seeds on some contenders.
type result struct {
	Command  string
	Begin    time.Time
	Took     time.Duration
	Commit   string
	Machine  report.Machine
	Load     float64 // of the machine, when it began
	Versions []string
	Seeds    string
	Quiet    time.Duration // how long jobs that had not ended were waited for
	Sides    []*side
}

// side is what a run shows of one contender.
type side struct {
	Name, Note  string
	NoTx, Blind bool `json:",omitempty"`
	Total       verdict
	// Seeds are those of the plays in which a count stands out, by the count.
	Seeds map[string][]uint64
}

func find(name string) (contender, error) {
	all := contenders()
	i := slices.IndexFunc(all, func(c contender) bool { return c.Name == name })
	if i < 0 {
		return contender{}, fmt.Errorf("no system is called %q", name)
	}
	return all[i], nil
}

func choose(only string) ([]contender, error) {
	if only == "" {
		return contenders(), nil
	}
	var some []contender
	for name := range strings.SplitSeq(only, ";") {
		c, err := find(strings.TrimSpace(name))
		if err != nil {
			return nil, err
		}
		some = append(some, c)
	}
	return some, nil
}

func parseSeeds(text string) (from, to uint64, err error) {
	first, last, two := strings.Cut(text, "-")
	if from, err = strconv.ParseUint(first, 10, 64); err == nil && two {
		to, err = strconv.ParseUint(last, 10, 64)
	} else {
		to = from
	}
	if err != nil || to < from {
		return 0, 0, fmt.Errorf("-seeds is %q: want one number, or FROM-TO", text)
	}
	return from, to, nil
}

func newResult(ctx context.Context, seeds string) *result {
	r := &result{
		Command: "go run ./sides -seeds=" + seeds, Seeds: seeds, Quiet: quietTime,
		Begin: time.Now(), Commit: host.Commit(ctx, ".."), Machine: host.Machine(), Load: host.Load(), Versions: []string{runtime.Version()},
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			switch d.Path {
			case "github.com/riverqueue/river":
				r.Versions = append(r.Versions, "River "+d.Version)
			case "go.temporal.io/sdk":
				r.Versions = append(r.Versions, "Temporal Go SDK "+d.Version)
			}
		}
	}
	return r
}

// play plays each seed on each contender, lanes at once.
func (r *result) play(ctx context.Context, all []contender, from, to uint64, lanes int, verbose bool) error {
	slots := make(chan struct{}, lanes)
	var (
		running sync.WaitGroup
		mu      sync.Mutex
		failed  error
	)
	for _, c := range all {
		r.Sides = append(r.Sides, &side{Name: c.Name, Note: c.Note, NoTx: c.noTx, Blind: c.blind, Seeds: make(map[string][]uint64)})
	}
	for seed := from; seed <= to; seed++ {
		p := newProgram(seed, false)
		for i, c := range all {
			slots <- struct{}{}
			running.Go(func() {
				defer func() { <-slots }()
				events, version, err := runAgain(ctx, c, p)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					failed = errors.Join(failed, fmt.Errorf("seed %d on %s: %w", seed, c.Name, err))
					return
				}
				if !slices.Contains(r.Versions, version) {
					r.Versions = append(r.Versions, version)
				}
				v := judge(p, events)
				r.Sides[i].add(seed, v)
				log.Printf("seed %d on %s: %s", seed, c.Name, v)
				if verbose {
					printJournal(p, events)
				}
			})
		}
	}
	running.Wait()
	r.Took = time.Since(r.Begin).Round(time.Second)
	return failed
}

// runAgain plays a program up to three times, where a busy machine keeps its store
// from serving in time.
func runAgain(ctx context.Context, c contender, p program) (events []event, version string, err error) {
	for range 3 {
		events, version, err = run(ctx, c, p, quietTime)
		if !errors.Is(err, errNotServed) {
			break
		}
		log.Printf("seed %d on %s is played again: %.200s", p.Seed, c.Name, err)
	}
	return events, version, err
}

func (s *side) add(seed uint64, v verdict) {
	s.Total.add(v)
	for _, n := range []struct {
		name  string
		count int
	}{
		{"lost", v.Lost}, {"twice", v.Twice}, {"overlaps", v.Overlaps}, {"late ends", v.LateEnds}, {"missing", v.Missing},
		{"not taken over", v.NotTaken}, {"not heard", v.Unheard}, {"pending", v.Pending}, {"failed", v.Failed},
	} {
		if n.count > 0 {
			s.Seeds[n.name] = append(s.Seeds[n.name], seed)
			slices.Sort(s.Seeds[n.name])
		}
	}
}

func (r *result) write(dir string) error {
	for _, s := range r.Sides {
		slices.Sort(s.Total.Taken)
		slices.Sort(s.Total.Heard)
	}
	data, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, resultFile), append(data, '\n'), 0o644)
}

const resultFile = "side-by-side.json"

func (v verdict) String() string {
	return fmt.Sprintf("%d of %d jobs, %d starts repeated, %d attempts; lost %d, twice %d, repeated %d, missing %d, overlaps %d (%d effects, %d checkpoints, %d ends), refused %d; "+
		"taken over %s, not %d; cancels heard %s, not %d; pending %d, failed %d, of them %d cancelled",
		v.Acknowledged, v.Jobs, v.Unanswered, v.Attempts, v.Lost, v.Twice, v.Repeated, v.Missing, v.Overlaps, v.LateEffects, v.LateSaves, v.LateEnds, v.Refused,
		spread(v.Taken), v.NotTaken, spread(v.Heard), v.Unheard, v.Pending, v.Failed, v.FailedCancels)
}

// spread is the median and the greatest of some seconds.
func spread(values []float64) string {
	if len(values) == 0 {
		return "–"
	}
	sorted := slices.Sorted(slices.Values(values))
	return fmt.Sprintf("%s, at most %s", seconds(sorted[len(sorted)/2]), seconds(sorted[len(sorted)-1]))
}

func seconds(s float64) string {
	if s < 1 {
		return fmt.Sprintf("%.0f ms", s*1000)
	}
	return fmt.Sprintf("%.1f s", s)
}

// text is the outcome as a table of Markdown, a column for each contender.
func (r *result) text() string {
	count := func(of func(verdict) int) func(*side) string {
		return func(s *side) string { return strconv.Itoa(of(s.Total)) }
	}
	rows := []struct {
		name string
		cell func(s *side) string
	}{
		{"Jobs; attempts", func(s *side) string { return fmt.Sprintf("%d; %d", s.Total.Acknowledged, s.Total.Attempts) }},
		{"Jobs whose start had to be repeated", count(func(v verdict) int { return v.Unanswered })},
		{"Acknowledged starts lost", count(func(v verdict) int { return v.Lost })},
		{"Keys that ran twice", count(func(v verdict) int { return v.Twice })},
		{"Effects missing", count(func(v verdict) int { return v.Missing })},
		{"Effects repeated", count(func(v verdict) int { return v.Repeated })},
		{"– of them in the transaction of the end", func(s *side) string {
			if s.NoTx {
				return "has none"
			}
			return strconv.Itoa(s.Total.RepeatedEnds)
		}},
		{"Jobs whose older attempt worked on beside a newer one", count(func(v verdict) int { return v.Overlaps })},
		{"– its late effects", count(func(v verdict) int { return v.LateEffects })},
		{"– its late checkpoints: accepted; failed", func(s *side) string {
			if s.Blind {
				return "not reported"
			}
			return fmt.Sprintf("%d; %d", s.Total.LateSaves, s.Total.Refused)
		}},
		{"– jobs that have its result", count(func(v verdict) int { return v.LateEnds })},
		{"Taken over after `kill -9`", func(s *side) string { return fmt.Sprintf("%d: %s", len(s.Total.Taken), spread(s.Total.Taken)) }},
		{"– not taken over", count(func(v verdict) int { return v.NotTaken })},
		{"Cancels that reached the handler", func(s *side) string { return fmt.Sprintf("%d: %s", len(s.Total.Heard), spread(s.Total.Heard)) }},
		{"– not before it returned", count(func(v verdict) int { return v.Unheard })},
		{fmt.Sprintf("Jobs not ended after %.0f s of quiet", r.Quiet.Seconds()), count(func(v verdict) int { return v.Pending })},
		{"Jobs ended with an error", count(func(v verdict) int { return v.Failed })},
	}
	var b strings.Builder
	b.WriteString("| |")
	for _, s := range r.Sides {
		b.WriteString(" " + s.Name + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(r.Sides)) + "\n")
	for _, row := range rows {
		b.WriteString("| " + row.name + " |")
		for _, s := range r.Sides {
			b.WriteString(" " + row.cell(s) + " |")
		}
		b.WriteString("\n")
	}
	if len(r.Sides) > 0 {
		v := r.Sides[0].Total
		fmt.Fprintf(&b, "\nSeeds %s: %d kills, %d stops, %d restarts of the store, %d cuts on each. %s, lro at %s.\n",
			r.Seeds, v.Kills, v.Stops, v.Restarts, v.Cuts, strings.Join(r.Versions, ", "), r.Commit)
	}
	return b.String()
}

// printJournal prints a program and what happened.
func printJournal(p program, events []event) {
	for _, j := range p.Jobs {
		fmt.Printf("%+v\n", j)
	}
	fmt.Printf("%+v\n", p.Faults)
	slices.SortStableFunc(events, func(a, b event) int { return cmp.Compare(a.Key, b.Key) })
	for _, e := range events {
		fmt.Printf("%s %-9s %-8s %-12.12s run=%s step=%d pid=%d %s\n", e.At.Format("05.000"), e.What, e.Key, e.ID, e.Run, e.Step, e.PID, e.Text)
	}
}
