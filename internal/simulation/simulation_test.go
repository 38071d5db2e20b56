package simulation

import (
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-lro/lro/internal/oracle"
)

func TestGenerate(t *testing.T) {
	t.Parallel()
	for seed := range uint64(100) {
		p := generate(seed)
		if diff := cmp.Diff(p.String(), generate(seed).String()); diff != "" {
			t.Fatalf("seed %d makes two programs:\n%s", seed, diff)
		}
		half := p.only([]int{1, 3, 5})
		if got := len(half.steps); got != 3 || half.steps[1] != p.steps[3] {
			t.Fatalf("seed %d, steps 1, 3 and 5 alone: %v", seed, half.steps)
		}
	}
	if generate(1).String() == generate(2).String() {
		t.Error("two seeds make the same program")
	}
}

func TestShrink(t *testing.T) {
	t.Parallel()
	need := []int{2, 17}
	got := shrinkSteps(upTo(100), shrinkTries, func(steps []int) bool {
		return slices.Contains(steps, need[0]) && slices.Contains(steps, need[1])
	})
	if !slices.Equal(got, need) {
		t.Errorf("steps %v are left of 100, want %v", got, need)
	}
}

// TestHistoryIsKept: a history that was written down is judged as it was before.
func TestHistoryIsKept(t *testing.T) {
	t.Parallel()
	name := "shelves/b/operations/a"
	seen := &oracle.View{Name: name, State: "PENDING"}
	r := &result{Seed: 7, Keys: []string{kindOnce, kindWork}, Servers: 1, Settled: 9, Virtual: time.Hour, Events: []*oracle.Event{
		{Key: 1, Do: oracle.Start, Seen: seen, Call: 1, Return: 2, Lived: 1},
		{Key: 1, Do: oracle.Get, Name: name, Out: oracle.NotFound, Call: 10, Return: 11, From: time.Second, To: 2 * time.Second, Lived: 1},
		{Key: -1, Do: oracle.List, Name: "shelves/b", Walk: 1, Last: true, Call: 12, Return: 13},
	}}
	want := check(r).wrong
	for _, text := range []string{"no order", "no caller deleted", "lacks", "cannot be read in the end"} {
		if !strings.Contains(strings.Join(want, "\n"), text) {
			t.Errorf("the oracle says %q, want also %q", want, text)
		}
	}
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	again := &result{}
	if err := json.Unmarshal(b, again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, check(again).wrong); diff != "" {
		t.Errorf("the history that was read is judged otherwise (-want +got):\n%s", diff)
	}
	if is, err := same(r, again); !is || err != nil {
		t.Errorf("same() = %t, %v for a history and its copy", is, err)
	}
}

func TestStory(t *testing.T) {
	t.Parallel()
	story := func(names ...string) *result {
		r := &result{}
		for _, n := range names {
			r.Events = append(r.Events, &oracle.Event{Do: oracle.Get, Name: "y/operations/" + n}, &oracle.Event{Name: "x/operations/" + n})
		}
		return r
	}
	for _, tt := range []struct {
		a, b *result
		want bool
	}{
		{story("a", "b"), story("c", "d"), true},
		{story("a", "b"), story("c", "c"), false},
		{story("a"), story("a", "b"), false},
	} {
		if got, err := same(tt.a, tt.b); got != tt.want || err != nil {
			t.Errorf("same(%v, %v) = %t, %v, want %t", tt.a.Events, tt.b.Events, got, err, tt.want)
		}
	}
}

// Stores stop in cleanups, and until then their processor time is not known.
func TestTotalsCountCleanups(t *testing.T) {
	t.Parallel()
	var s totals
	t.Run("simulation", func(t *testing.T) {
		s.begin(t, "a")
		t.Cleanup(func() { time.Sleep(10 * time.Millisecond) }) // sleep: it is what the totals must count
	})
	if s.Wall < 10*time.Millisecond {
		t.Errorf("the totals count %v and not the cleanup of 10 ms", s.Wall)
	}
}

func TestTotalsAreAdded(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "totals.json")
	for _, engine := range []string{"a", "b", "a"} {
		s := totals{Engine: engine, Seeds: 1, Wall: time.Second, Computed: time.Minute, Faults: map[string]int{"cut": 1}}
		s.add(judged{result: &result{Virtual: time.Hour, Faults: map[string]int{"cut": 2}}, verdict: verdict{slots: 3}}.totals())
		if err := s.save(path); err != nil {
			t.Fatal(err)
		}
	}
	got, err := readTotals(path)
	if err != nil {
		t.Fatal(err)
	}
	a := got["a"]
	if a == nil || a.Seeds != 2 || a.Wall != 2*time.Second || a.Computed != 2*time.Minute || a.Slots != 6 || a.Virtual != 2*time.Hour || !maps.Equal(a.Faults, map[string]int{"cut": 6}) || got["b"].Seeds != 1 {
		t.Errorf("totals are %+v", got)
	}
}

func TestParseSeeds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in          string
		first, last uint64
		ok          bool
	}{
		{"1-4", 1, 4, true}, {"7", 7, 7, true}, {"", 0, 0, false}, {"a-b", 0, 0, false}, {"1-", 0, 0, false},
	} {
		first, last, err := parseSeeds(tt.in)
		if first != tt.first || last != tt.last || (err == nil) != tt.ok {
			t.Errorf("parseSeeds(%q) = %d, %d, %v", tt.in, first, last, err)
		}
	}
}

// TestHistories: the oracle finds what was wrong in the histories of bugs that
// were fixed since.
func TestHistories(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("testdata/histories/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("histories: %v, %v", paths, err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			r, err := readHistory(path)
			if err != nil {
				t.Fatal(err)
			}
			if v := check(r); len(v.wrong) == 0 || v.unknown > 0 {
				t.Errorf("the oracle finds %q, and gave up %d of %d", v.wrong, v.unknown, v.slots)
			}
		})
	}
}

// TestLeaseSinceTheStart: of starts that overlap, any may have made the operation.
func TestLeaseSinceTheStart(t *testing.T) {
	t.Parallel()
	const name = "shelves/a/operations/x"
	seen := &oracle.View{Name: name, State: "RUNNING", Attempt: 1}
	first := oracle.Event{Do: oracle.Start, Seen: seen, Call: 1, Return: 4, From: 2 * time.Second, To: 2 * time.Second}
	second := oracle.Event{Do: oracle.Start, Seen: seen, Call: 2, Return: 3, From: time.Second, To: time.Second}
	end := time.Second + outsideLease
	ended := oracle.Event{
		Do: oracle.Get, Name: name, Call: 5, Return: 6, From: end, To: end,
		Seen: &oracle.View{Name: name, State: "FAILED", Attempt: 1, Result: "err:ABORTED", End: end},
	}
	saysOf(t, &result{Keys: []string{kindOutside}}, []oracle.Event{first, second, ended}, "")
	saysOf(t, &result{Keys: []string{kindOutside}}, []oracle.Event{first, ended}, "was given up")
}

// TestReportIsShown: a report that was made is shown, and one may be that was under way
// when its process died.
func TestReportIsShown(t *testing.T) {
	t.Parallel()
	const name = "shelves/a/operations/x"
	started := oracle.Event{Do: oracle.Start, Seen: &oracle.View{Name: name, State: "PENDING"}, Call: 1, Return: 2, Lived: 1}
	claimed := oracle.Event{Do: oracle.Claim, Name: name, Attempt: 1, Call: 3, Return: 4, Lived: 1}
	seen := oracle.Event{Do: oracle.Get, Name: name, Seen: &oracle.View{Name: name, State: "RUNNING", Attempt: 1}, Call: 7, Return: 8, Lived: 1}
	deleted := oracle.Event{Do: oracle.Delete, Name: name, Call: 9, Return: 10, Lived: 1}
	report := oracle.Event{Do: oracle.Report, Name: name, Attempt: 1, Arg: "1/1", Call: 5, Return: 6, Lived: 1}
	saysOf(t, &result{Keys: []string{kindWork}, Shared: true, Settled: 11}, []oracle.Event{started, claimed, report, seen, deleted}, "was made")
	report.Return, report.Out = 0, oracle.Unknown
	saysOf(t, &result{Keys: []string{kindWork}, Shared: true, Settled: 11}, []oracle.Event{started, claimed, report, seen, deleted}, "")
}
