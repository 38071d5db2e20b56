package simulation

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io/fs"
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

// Flags of the tests that call [Run], [Clusters.Run] and [Other.RunSeeds].
var (
	seedsFlag   = flag.String("simulation.seeds", "", "the seeds to run: `first-last`, or one; a few if empty")
	forFlag     = flag.Duration("simulation.for", 0, "run further seeds until this much time has passed")
	keepFlag    = flag.String("simulation.keep", "", "of a program, run only the steps with these `numbers`")
	outFlag     = flag.String("simulation.out", "", "a `folder` for the histories of runs that fail")
	historyFlag = flag.String("simulation.history", "", "judge the history in this `file`, and run nothing")
	totalsFlag  = flag.String("simulation.totals", "", "a `file` to which the totals are added")
	firstFlag   = flag.Bool("simulation.first", false, "stop at the first seed that fails, and look for no smaller program")
	twiceFlag   = flag.Bool("simulation.twice", false, "run each program that is not loose twice, and count the histories that are the same")
	againFlag   = flag.Int("simulation.again", 0, "run a program that fails so many times more, and count")
)

// subject is what the programs of seeds are run on. A program is run, and shown,
// with those of its steps alone whose numbers are given.
type subject struct {
	name   string
	seeds  string // those that run without a flag
	tries  int    // runs that look for a smaller program
	judges bool   // histories that are kept can be judged and compared

	steps func(seed uint64) int // how many the whole program has
	show  func(seed uint64, steps []int) string
	// open returns a lane for each program that runs at once. It may leave things to
	// the cleanups of the test.
	open func() []lane
}

// lane runs programs, one at a time, and judges them.
type lane func(t *testing.T, seed uint64, steps []int) judgment

// judgment is a run that was judged.
type judgment interface {
	wrong() []string
	totals() *totals // but for the seed itself
	history() (text []byte, extension string, err error)
}

// runner runs the programs of the seeds that the flags say.
type runner struct {
	subject
	keep []int // nil for all steps

	mu     sync.Mutex
	totals totals
}

func (s subject) run(t *testing.T) {
	t.Helper()
	if !s.judges && (*historyFlag != "" || *twiceFlag) {
		t.Fatalf("the histories of %s cannot be judged again, or compared", s.name)
	}
	if *historyFlag != "" {
		judge(t, *historyFlag)
		return
	}
	first, last, err := parseSeeds(cmp.Or(*seedsFlag, s.seeds))
	if err != nil {
		t.Fatal(err)
	}
	r := &runner{subject: s}
	if *keepFlag != "" {
		if r.keep, err = parseNumbers(*keepFlag); err != nil {
			t.Fatalf("steps %v", err)
		}
	}
	began := time.Now()
	r.totals.begin(t, s.name)
	var next atomic.Uint64
	next.Store(first)
	var running sync.WaitGroup
	for _, l := range s.open() {
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
	n := r.steps(seed)
	steps := r.keep
	if steps == nil {
		steps = upTo(n)
	}
	if i := slices.IndexFunc(steps, func(i int) bool { return i < 0 || i >= n }); i >= 0 {
		t.Fatalf("step %d: the program of seed %d has steps 0 to %d", steps[i], seed, n-1)
	}
	o := l(t, seed, steps)
	wrong := o.wrong()
	r.mu.Lock()
	r.totals.Seeds++
	r.totals.add(o.totals())
	if len(wrong) > 0 {
		r.totals.Failed = append(r.totals.Failed, seed)
	}
	r.mu.Unlock()
	if len(wrong) > 0 {
		r.report(t, l, seed, steps, o)
	}
}

// report fails t, with a smaller program that fails too.
func (r *runner) report(t *testing.T, l lane, seed uint64, steps []int, o judgment) {
	t.Helper()
	wrong := o.wrong()
	t.Errorf("seed %d:\n%s", seed, strings.Join(wrong, "\n"))
	switch path, err := keepHistory(o, fmt.Sprintf("%s-%d", r.name, seed)); {
	case err != nil:
		t.Errorf("keep history: %v", err)
	case path == "":
	case r.judges:
		t.Logf("to judge its history again: make simulate ENGINE=%s HISTORY=%s", r.name, path)
	default:
		t.Logf("its history: %s", path)
	}
	// fails remembers what is wrong with the last one that does.
	fails := func(steps []int) bool {
		now := l(t, seed, steps).wrong()
		if len(now) > 0 {
			wrong = now
		}
		return len(now) > 0
	}
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
	if r.keep == nil {
		small = shrinkSteps(steps, r.tries, fails)
	}
	t.Logf("%d of %d steps are enough:\n%s", len(small), len(steps), r.show(seed, small))
	if len(small) < len(steps) {
		t.Logf("with them alone:\n%s", strings.Join(wrong, "\n"))
	}
	var keep []string
	for _, i := range small {
		keep = append(keep, strconv.Itoa(i))
	}
	t.Logf("to repeat: make simulate ENGINE=%s SEEDS=%d KEEP=%s", r.name, seed, strings.Join(keep, ","))
}

// shrinkSteps leaves out steps, large parts first, for as long as the rest fails,
// and calls fails so many times at most.
func shrinkSteps(steps []int, most int, fails func([]int) bool) []int {
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

// keepHistory writes a history to a new file, whose name it returns; none where
// none is kept.
func keepHistory(o judgment, name string) (path string, err error) {
	if *outFlag == "" {
		return "", nil
	}
	text, extension, err := o.history()
	if err != nil {
		return "", err
	}
	path = filepath.Join(*outFlag, name+extension)
	for n := 2; ; n++ {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if errors.Is(err, fs.ErrExist) {
			path = filepath.Join(*outFlag, fmt.Sprintf("%s.%d%s", name, n, extension))
			continue
		}
		if err != nil {
			return "", err
		}
		_, err = f.Write(text)
		return path, errors.Join(err, f.Close())
	}
}

func parseSeeds(s string) (first, last uint64, err error) {
	from, to, is := strings.Cut(s, "-")
	if !is {
		to = from
	}
	if first, err = strconv.ParseUint(from, 10, 64); err == nil {
		last, err = strconv.ParseUint(to, 10, 64)
	}
	if err != nil || first > last {
		return 0, 0, fmt.Errorf("seeds %q: want a number, or first-last", s)
	}
	return first, last, nil
}

func parseNumbers(s string) (numbers []int, err error) {
	for part := range strings.SplitSeq(s, ",") {
		n, err := strconv.Atoi(part)
		if err != nil {
			return nil, fmt.Errorf("%q: want numbers, with commas between them", s)
		}
		numbers = append(numbers, n)
	}
	return numbers, nil
}

func upTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}
