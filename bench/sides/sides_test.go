package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-lro/lro/internal/pgserver"
	"github.com/go-lro/lro/internal/temporalserver"
)

// required skips the test where what a contender needs is missing.
func required(t *testing.T, n need) {
	t.Helper()
	switch n {
	case postgreSQL:
		if _, err := pgserver.Find(); err != nil {
			t.Skipf("SKIPPED: PostgreSQL is not installed: %v", err)
		}
	case temporal:
		root, err := temporalserver.Root()
		if err != nil {
			t.Fatal(err)
		}
		_, built, err := temporalserver.Built(root)
		if err != nil {
			t.Fatal(err)
		}
		if !built && os.Getenv("LRO_TEMPORAL") == "" {
			t.Skip("SKIPPED: the Temporal server takes minutes to build: set LRO_TEMPORAL=1, or run make test-temporal")
		}
	}
}

// TestSides plays a short program, with a kill, on a contender of each adapter.
func TestSides(t *testing.T) {
	t.Parallel()
	p := newProgram(1, true)
	for _, name := range []string{"lro, PostgreSQL, shortest lease", "lro, SQLite", "River", "Temporal, heartbeats at once"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := find(name)
			if err != nil {
				t.Fatal(err)
			}
			required(t, c.needs)
			quiet := quietTime
			if name == "River" {
				quiet = time.Second // what was killed is rescued after an hour
			}
			events, version, err := run(t.Context(), c, p, quiet)
			if err != nil {
				t.Fatal(err)
			}
			v := judge(p, events)
			t.Logf("%s: %s", version, v)
			got := verdict{Jobs: v.Jobs, Acknowledged: v.Acknowledged, Kills: v.Kills, Cuts: v.Cuts, Lost: v.Lost, Twice: v.Twice, Missing: v.Missing, LateEnds: v.LateEnds}
			want := verdict{Jobs: len(p.Jobs), Acknowledged: len(p.Jobs), Kills: 1, Cuts: p.cuts()}
			if name != "River" {
				got.Pending, got.NotTaken = v.Pending, v.NotTaken
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("judge(%v) of what a system does is not as promised (-want +got):\n%s", p, diff)
			}
			if v.Attempts == 0 {
				t.Error("no attempt was made")
			}
		})
	}
}

func (p program) cuts() int {
	n := 0
	for _, j := range p.Jobs {
		if j.Cut > 0 {
			n++
		}
	}
	return n
}

func TestProgram(t *testing.T) {
	t.Parallel()
	kinds := make(map[faultKind]int)
	for seed := range uint64(60) {
		p := newProgram(seed, false)
		if diff := cmp.Diff(p, newProgram(seed, false)); diff != "" {
			t.Fatalf("newProgram(%d) differs from itself:\n%s", seed, diff)
		}
		for _, f := range p.Faults {
			kinds[f.What]++
		}
		for _, j := range p.Jobs {
			if took := time.Duration(j.Steps) * j.Step; took >= attemptLimit {
				t.Errorf("newProgram(%d): job %s takes %v, want less than the limit of an attempt, %v", seed, j.Key, took, attemptLimit)
			}
		}
	}
	for _, k := range faultKinds {
		if kinds[k] < 20 {
			t.Errorf("newProgram of 60 seeds: %d faults are a %s, want at least 20", kinds[k], k)
		}
	}
}

// TestPage has the page show the outcome that is kept beside it.
func TestPage(t *testing.T) {
	t.Parallel()
	docs := filepath.Join("..", "..", "docs")
	data, err := os.ReadFile(filepath.Join(docs, "reliability", resultFile))
	if err != nil {
		t.Fatal(err)
	}
	var r result
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(docs, "reliability.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), r.text()) {
		t.Errorf("docs/reliability.md does not have the table of docs/reliability/%s:\n%s", resultFile, r.text())
	}
}
