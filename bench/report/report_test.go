package report

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func example() *Report {
	late := NewSample([]float64{0.1, 0.2, 0.3, 0.4})
	return &Report{
		Machine: Machine{CPU: "a CPU", Cores: 2, Memory: 24 << 30, OS: "an OS", Kernel: "6.1", Go: "go1.26.0", Python: "3.11"},
		Run: Run{Command: "go run .", Begin: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Took: 90 * time.Second, Commit: "abc", Load: 0.5,
			Others: map[string]float64{"lateness": 0.01}},
		Peers: map[string]string{"b": "2", "a": "1"},
		Lateness: []Lateness{
			{Client: "lro, long poll", Nominal: 0.2, Late: NewSample([]float64{0.001, 0.002}), Calls: 1.05},
			{Client: Yardstick, Nominal: 0.2, Late: late, Calls: 2.2},
			{Client: Yardstick, Nominal: 2, Late: late, Calls: 8},
			{Client: "other", Nominal: 2, Failed: 4, Note: "killed"},
		},
		Memory: []Memory{
			{Client: "a|b", Operations: 1, Resident: 10 << 20, Window: 30},
			{Client: "a|b", Operations: 1000, Resident: 20 << 20, CPU: 1.5, Calls: 12345},
			{Client: "c", Operations: 1, Note: "not installed"},
		},
		Polls: []Poll{{Client: Yardstick, Stub: NewSample([]float64{100}), Poll: NewSample([]float64{110}), Control: NewSample([]float64{101})}},
		Survival: []Survival{
			{Scenario: "s", Client: "a", Waits: 100, Right: 100},
			{Scenario: "s", Client: "b", Waits: 100, Right: 90, GaveUp: 7, Hung: 3, Error: "rpc  error\nof kind x"},
			{Scenario: "s", Client: "c", Waits: 100, Hung: 100, Note: "not installed"},
		},
		Server: []Figure{{What: "gets", Value: 0.95, Unit: "ratio", Promise: "≥ 0.9", Bench: "BenchmarkGet", Package: "./server"}},
	}
}

func TestReportRoundTrip(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "benchmarks.json")
	if err := example().Write(file); err != nil {
		t.Fatal(err)
	}
	got, err := Read(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(example(), got); diff != "" {
		t.Errorf("Read of what was written (-want +got):\n%s", diff)
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "benchmarks.json")
	if r, err := Read(file); err == nil {
		t.Errorf("Read of no file = %v, want an error", r)
	}
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err := Read(file); err == nil {
		t.Errorf("Read of half a file = %v, want an error", r)
	}
}

func TestPage(t *testing.T) {
	t.Parallel()
	page, err := example().Page()
	if err != nil {
		t.Fatal(err)
	}
	text, err := example().Text()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| 200 ms | lro, long poll | 2 | 1.5 ms | 2.0 ms | 2.0 ms | ×0.006 | 1.1 |",
		"| 200 ms | lro, polling | 4 | 250 ms | 400 ms | 400 ms | ×1.0 | 2.2 |",
		"| 2.0 s | other | 0 | – | – | – | – | 0.0 |",
		"- other, 2.0 s: 4 waits failed",
		`| 1,000 | a\|b | 20 MiB | 10 KiB | 1.5 s | 12,345 | 0 |`,
		"- c, 1 operations: not installed",
		"| lro, polling | 100 µs | 110 µs | ×1.10 | ×1.01 |",
		"| s | 100 % | 90 % (7 gave up, 3 did not return) | – |",
		"- b: rpc error of kind x",
		"| gets | 0.95 | ≥ 0.9 | BenchmarkGet ./server |",
		"| engine on Temporal against its SDK | not run |",
		"2 × a CPU, 24 GiB",
		"load average 0.5",
		"lateness 1 %",
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(string(text), "|  |") || !strings.Contains(string(text), "lro, long poll") {
		t.Errorf("the text is no table:\n%s", text)
	}
}

func TestPlots(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := example().Plots(dir); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{LatenessPlot, MemoryPlot} {
		svg, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(svg), "<svg") {
			t.Errorf("%s is no SVG", file)
		}
	}
	if err := (&Report{}).Plots(dir); err != nil {
		t.Errorf("Plots of nothing = %v, want nothing drawn", err)
	}
}

// The page that is part of the documentation is the one that its numbers make.
func TestPublishedPage(t *testing.T) {
	t.Parallel()
	const docs = "../../docs"
	r, err := Read(filepath.Join(docs, "benchmarks", "benchmarks.json"))
	if err != nil {
		t.Fatal(err)
	}
	if r.Run.Short {
		t.Error("the published numbers are those of a short run")
	}
	want, err := r.Page()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(docs, "benchmarks.md"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("docs/benchmarks.md is not what its JSON makes; run go run . -page (-want +got):\n%s", diff)
	}
}
