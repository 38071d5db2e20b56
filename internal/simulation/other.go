package simulation

import (
	"testing"
	"time"
)

// Other is a simulation of something that is no engine. It has the flags, the
// report and the totals of [Run], and programs of its own. Its histories are kept,
// and not judged again.
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
	subject{
		name: o.Name, seeds: o.Seeds, tries: shrinkTries, steps: o.Steps, show: o.Show,
		open: func() []lane {
			return []lane{func(t *testing.T, seed uint64, steps []int) judgment { return o.Run(t, seed, steps) }}
		},
	}.run(t)
}

func (j Judged) wrong() []string { return j.Wrong }

func (j Judged) totals() *totals {
	return &totals{Events: j.Events, Slots: j.Parts, Virtual: j.Virtual, Faults: j.Faults}
}

func (j Judged) history() ([]byte, string, error) { return []byte(j.History), ".txt", nil }
