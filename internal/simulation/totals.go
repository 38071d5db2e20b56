package simulation

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// totals are added up over runs, in a file, by engine.
type totals struct {
	Engine  string
	Seeds   int
	Failed  []uint64 `json:",omitempty"`
	Events  int
	Slots   int // whose histories were checked
	Unknown int // of those, given up
	// Compared are states and deletes that subscribers had to hear of.
	Compared int `json:",omitempty"`

	Virtual time.Duration
	Wall    time.Duration
	// Computed is the processor time of all processes, except of those that another
	// process than this one had started and not waited for, which a kill of that one leaves.
	Computed time.Duration `json:",omitempty"`

	Twice  int `json:",omitempty"` // seeds that ran twice
	Same   int `json:",omitempty"` // of those, with the same history
	Faults map[string]int
}

// begin has s count from now on. A cleanup of t, which therefore runs after those
// that stop the stores, logs the totals, and adds them to the file of the flag.
func (s *totals) begin(t *testing.T, engine string) {
	t.Helper()
	*s = totals{Engine: engine, Faults: map[string]int{}}
	began, computed := time.Now(), processorTime()
	t.Cleanup(func() {
		s.Wall = time.Since(began)
		s.Computed = processorTime() - computed
		t.Log(s.String())
		if *totalsFlag == "" {
			return
		}
		if err := s.save(*totalsFlag); err != nil {
			t.Errorf("save totals: %v", err)
		}
	})
}

// add adds others, which are older where order matters.
func (s *totals) add(o *totals) {
	s.Seeds += o.Seeds
	s.Failed = slices.Concat(o.Failed, s.Failed)
	s.Events += o.Events
	s.Slots += o.Slots
	s.Unknown += o.Unknown
	s.Compared += o.Compared
	s.Virtual += o.Virtual
	s.Wall += o.Wall
	s.Computed += o.Computed
	s.Twice += o.Twice
	s.Same += o.Same
	for name, n := range o.Faults {
		s.Faults[name] += n
	}
}

func (s *totals) String() string {
	var b strings.Builder
	wall := max(s.Wall.Seconds(), 1e-9)
	all := 0
	for name, n := range s.Faults {
		if !harmless(name) {
			all += n
		}
	}
	fmt.Fprintf(&b, "%s: %d seeds, %d events, %d histories checked (%d given up), %.1f virtual hours in %.1f s of wall time and %.1f s of processor time\n",
		s.Engine, s.Seeds, s.Events, s.Slots, s.Unknown, s.Virtual.Hours(), s.Wall.Seconds(), s.Computed.Seconds())
	fmt.Fprintf(&b, "%.2f virtual hours and %.1f faults a second; failed: %v\n", s.Virtual.Hours()/wall, float64(all)/wall, s.Failed)
	fmt.Fprintf(&b, "subscribers had to hear of %d states and deletes\n", s.Compared)
	if s.Twice > 0 {
		fmt.Fprintf(&b, "%d of %d programs that are not loose gave the same history again\n", s.Same, s.Twice)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Faults)) {
		fmt.Fprintf(&b, "%8d  %s\n", s.Faults[name], name)
	}
	return b.String()
}

// harmless reports whether something is counted with the faults, and is none.
func harmless(name string) bool {
	return name == backupMade || name == twoOperations || strings.HasSuffix(name, " committed")
}

// save adds the totals to those in a file.
func (s *totals) save(path string) error {
	all, err := readTotals(path)
	if err != nil {
		return err
	}
	if old := all[s.Engine]; old != nil {
		s.add(old)
	}
	all[s.Engine] = s
	b, err := json.MarshalIndent(all, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}

// readTotals reads what earlier runs have saved, if any have.
func readTotals(path string) (map[string]*totals, error) {
	all := make(map[string]*totals)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &all)
	}
	return all, err
}
