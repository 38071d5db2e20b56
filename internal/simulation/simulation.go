package simulation

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
)

// shrinkTries and clusterTries bound the runs that look for a smaller program.
const (
	shrinkTries  = 150
	clusterTries = 15
)

// fewSeeds are those of an ordinary test run.
const fewSeeds = "1-4"

// Run runs programs on the engine of f, each in a bubble of its own, one after
// another, and fails t for those whose history the oracle cannot explain.
func Run(t *testing.T, name string, f Factory) {
	t.Helper()
	ofPrograms(name, shrinkTries, generate, func() []func(*testing.T, *program) *result {
		return []func(*testing.T, *program) *result{func(t *testing.T, p *program) *result { return run(t, f, p) }}
	}).run(t)
}

// ofPrograms is a subject whose programs are those of whole, on lanes that run one
// at a time each.
func ofPrograms(name string, tries int, whole func(seed uint64) *program, open func() []func(*testing.T, *program) *result) subject {
	return subject{
		name: name, seeds: fewSeeds, tries: tries, judges: true,
		steps: func(seed uint64) int { return len(whole(seed).steps) },
		show:  func(seed uint64, steps []int) string { return whole(seed).only(steps).String() },
		open: func() (lanes []lane) {
			for _, run := range open() {
				lanes = append(lanes, func(t *testing.T, seed uint64, steps []int) judgment {
					p := whole(seed).only(steps)
					j := judged{result: run(t, p)}
					j.verdict = check(j.result)
					if !*twiceFlag || p.loose {
						return j
					}
					is, err := same(j.result, run(t, p))
					if err != nil {
						t.Fatalf("compare histories: %v", err)
					}
					j.twice = 1
					if is {
						j.same = 1
					}
					return j
				})
			}
			return lanes
		},
	}
}

// judged is the judgment of a program.
type judged struct {
	result      *result
	verdict     verdict
	twice, same int // of the totals
}

func (j judged) wrong() []string { return j.verdict.wrong }

func (j judged) totals() *totals {
	r, v := j.result, j.verdict
	return &totals{
		Events: len(r.Events), Slots: v.slots, Unknown: v.unknown, Compared: v.compared, Virtual: r.Virtual,
		Twice: j.twice, Same: j.same, Faults: r.Faults,
	}
}

func (j judged) history() ([]byte, string, error) {
	b, err := json.MarshalIndent(j.result, "", " ")
	return b, ".json", err
}

// judge has the oracle look at a history that was kept.
func judge(t *testing.T, path string) {
	t.Helper()
	r, err := readHistory(path)
	if err != nil {
		t.Fatal(err)
	}
	v := check(r)
	if len(v.wrong) > 0 {
		t.Errorf("seed %d:\n%s", r.Seed, strings.Join(v.wrong, "\n"))
		return
	}
	t.Logf("seed %d: nothing is wrong with %d histories (%d given up)", r.Seed, v.slots, v.unknown)
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
