package simulation

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Flags of the tests that call [Run] and [RunCluster].
var (
	seedsFlag   = flag.String("simulation.seeds", "1-4", "the seeds to run: `first-last`, or one")
	forFlag     = flag.Duration("simulation.for", 0, "run further seeds until this much time has passed")
	keepFlag    = flag.String("simulation.keep", "", "of a program, run only the steps with these `numbers`")
	outFlag     = flag.String("simulation.out", "", "a `folder` for the histories of runs that fail")
	historyFlag = flag.String("simulation.history", "", "judge the history in this `file`, and run nothing")
	totalsFlag  = flag.String("simulation.totals", "", "a `file` to which the totals are added")
	firstFlag   = flag.Bool("simulation.first", false, "stop at the first seed that fails, and look for no smaller program")
	twiceFlag   = flag.Bool("simulation.twice", false, "run each program that is not loose twice, and count the histories that are the same")
	againFlag   = flag.Int("simulation.again", 0, "run a program that fails so many times more, and count")
)

// shrinkTries and clusterTries bound the runs that look for a smaller program.
const (
	shrinkTries  = 150
	clusterTries = 15
)

// Run runs programs on the engine of f, each in a bubble of its own, one after
// another, and fails t for those whose history the oracle cannot explain.
func Run(t *testing.T, name string, f Factory) {
	t.Helper()
	r := &runner{name: name, tries: shrinkTries}
	r.all(t, func() []lane {
		return []lane{func(t *testing.T, p *program) *result { return run(t, f, p) }}
	})
}

// lane runs programs, one at a time.
type lane func(*testing.T, *program) *result

// runner runs the programs of the seeds that the flags say.
type runner struct {
	name  string
	tries int // runs that look for a smaller program

	mu     sync.Mutex
	totals totals
}

// all runs them on the lanes that open makes, which may leave things to the
// cleanups of t.
func (r *runner) all(t *testing.T, open func() []lane) {
	t.Helper()
	if *historyFlag != "" {
		judge(t, *historyFlag)
		return
	}
	first, last, err := parseSeeds(*seedsFlag)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	r.totals.begin(t, r.name)
	var next atomic.Uint64
	next.Store(first)
	var running sync.WaitGroup
	for _, l := range open() {
		running.Go(func() {
			for !*firstFlag || !r.failed() {
				seed := next.Add(1) - 1
				if seed > last && time.Since(began) >= *forFlag {
					return
				}
				t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) { r.seed(t, l, seed) })
			}
		})
	}
	running.Wait()
}

func (r *runner) failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.totals.Failed) > 0
}

// seed runs the program of a seed.
func (r *runner) seed(t *testing.T, l lane, seed uint64) {
	p := generate(seed)
	if *keepFlag != "" {
		keep, err := parseNumbers(*keepFlag)
		if err != nil {
			t.Fatal(err)
		}
		p = p.only(keep)
	}
	res := l(t, p)
	v := check(res)
	var again *result
	if *twiceFlag && !p.loose {
		again = l(t, p)
	}
	r.mu.Lock()
	r.totals.add(res, v)
	if again != nil {
		r.totals.again(t, res, again)
	}
	if len(v.wrong) > 0 {
		r.totals.Failed = append(r.totals.Failed, seed)
	}
	r.mu.Unlock()
	if len(v.wrong) > 0 {
		r.report(t, l, p, res, v)
	}
}

// report fails t with the smallest program that fails too.
func (r *runner) report(t *testing.T, l lane, p *program, res *result, v verdict) {
	t.Helper()
	failed := 0
	for range *againFlag {
		if len(check(l(t, p)).wrong) > 0 {
			failed++
		}
	}
	if *againFlag > 0 {
		t.Logf("seed %d failed again in %d of %d runs", p.seed, failed, *againFlag)
	}
	if path, err := keepHistory(res); err != nil {
		t.Errorf("keep history: %v", err)
	} else if path != "" {
		t.Logf("to judge its history again: make simulate ENGINE=%s HISTORY=%s", r.name, path)
	}
	t.Errorf("seed %d:\n%s", p.seed, strings.Join(v.wrong, "\n"))
	small := p
	if *firstFlag {
		return
	}
	if *keepFlag == "" {
		small = shrink(p, r.tries, func(p *program) bool { return len(check(l(t, p)).wrong) > 0 })
	}
	t.Logf("%d of %d steps are enough:\n%s", len(small.steps), len(p.steps), small)
	var keep []string
	for _, s := range small.steps {
		keep = append(keep, strconv.Itoa(s.Index))
	}
	t.Logf("to repeat: make simulate ENGINE=%s SEEDS=%d KEEP=%s", r.name, p.seed, strings.Join(keep, ","))
}

// shrink leaves out steps for as long as the rest fails.
func shrink(p *program, most int, fails func(*program) bool) *program {
	with := func(steps []step) *program {
		less := *p
		less.steps = steps
		return &less
	}
	return with(shrinkSteps(p.steps, most, func(steps []step) bool { return fails(with(steps)) }))
}

// shrinkSteps leaves out steps, large parts first, for as long as the rest fails,
// and calls fails so many times at most.
func shrinkSteps[S any](steps []S, most int, fails func([]S) bool) []S {
	tries := 0
	for part := max(len(steps)/2, 1); part >= 1; part /= 2 {
		for at := 0; at < len(steps) && tries < most; {
			less := slices.Delete(slices.Clone(steps), at, min(at+part, len(steps)))
			tries++
			if fails(less) {
				steps = less
				continue
			}
			at += part
		}
	}
	return steps
}

func keepHistory(r *result) (string, error) {
	if *outFlag == "" {
		return "", nil
	}
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return "", err
	}
	path := filepath.Join(*outFlag, fmt.Sprintf("seed-%d.json", r.Seed))
	return path, os.WriteFile(path, b, 0o644)
}

// judge has the oracle look at a history that was kept.
func judge(t *testing.T, path string) {
	t.Helper()
	r, err := readHistory(path)
	if err != nil {
		t.Fatal(err)
	}
	if v := check(r); len(v.wrong) > 0 {
		t.Errorf("seed %d:\n%s", r.Seed, strings.Join(v.wrong, "\n"))
	}
}

func readHistory(path string) (*result, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := &result{}
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("read history %q: %w", path, err)
	}
	return r, nil
}

func parseSeeds(s string) (first, last uint64, err error) {
	from, to, is := strings.Cut(s, "-")
	if !is {
		to = from
	}
	if first, err = strconv.ParseUint(from, 10, 64); err == nil {
		last, err = strconv.ParseUint(to, 10, 64)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("seeds %q: %w", s, err)
	}
	return first, last, nil
}

func parseNumbers(s string) (numbers []int, err error) {
	for part := range strings.SplitSeq(s, ",") {
		n, err := strconv.Atoi(part)
		if err != nil {
			return nil, fmt.Errorf("steps %q: %w", s, err)
		}
		numbers = append(numbers, n)
	}
	return numbers, nil
}
