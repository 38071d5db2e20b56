package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/go-lro/lro/bench/report"
)

const (
	pageFile = "postgres.md"
	jsonFile = "postgres.json"
)

// result is what a run found.
type result struct {
	Machine  report.Machine `json:"machine"`
	Run      report.Run     `json:"run"`
	Versions []string       `json:"versions"` // of the server and the peers
	Parts    []*part        `json:"parts"`
}

// part is what a section found.
type part struct {
	Name    string         `json:"name"`
	Title   string         `json:"title"`
	Intro   string         `json:"intro"`
	Figures []figure       `json:"figures"`
	Tables  []report.Table `json:"tables,omitempty"`
	Notes   []string       `json:"notes,omitempty"`
	Took    time.Duration  `json:"took_ns"`
}

// figure is one value, with the goal that it has.
type figure struct {
	What   string    `json:"what"`
	Value  string    `json:"value"`
	Goal   string    `json:"goal,omitempty"`
	Kept   bool      `json:"kept"`             // the goal; true without one
	Rounds []float64 `json:"rounds,omitempty"` // that Value is the median of
}

func (p *part) note(format string, args ...any) {
	p.Notes = append(p.Notes, fmt.Sprintf(format, args...))
}

// plain adds a value without a goal.
func (p *part) plain(what, unit string, rounds ...float64) {
	p.Figures = append(p.Figures, figure{What: what, Value: show(median(rounds), unit), Kept: true, Rounds: finite(rounds)})
}

// least adds a value that should be at least goal.
func (p *part) least(what, unit string, goal float64, rounds ...float64) {
	v := median(rounds)
	p.Figures = append(p.Figures, figure{What: what, Value: show(v, unit), Goal: "≥ " + show(goal, unit), Kept: v >= goal && !math.IsInf(v, 0), Rounds: finite(rounds)})
}

// most adds a value that should be at most goal.
func (p *part) most(what, unit string, goal float64, rounds ...float64) {
	v := median(rounds)
	p.Figures = append(p.Figures, figure{What: what, Value: show(v, unit), Goal: "≤ " + show(goal, unit), Kept: v <= goal, Rounds: finite(rounds)})
}

// finite leaves out what JSON has no number for.
func finite(all []float64) []float64 {
	var some []float64
	for _, v := range all {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			some = append(some, v)
		}
	}
	return some
}

// show shows three digits, and all of those before the point.
func show(v float64, unit string) string {
	text := "–"
	switch a := math.Abs(v); {
	case math.IsNaN(v) || math.IsInf(v, 0):
	case a >= 100:
		text = strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 10:
		text = strconv.FormatFloat(v, 'f', 1, 64)
	default:
		text = strconv.FormatFloat(v, 'f', 2, 64)
	}
	switch unit {
	case "":
		return text
	case "×":
		return unit + text
	}
	return text + " " + unit
}

func (p *part) tables() []report.Table {
	t := report.Table{Title: p.Title, Intro: p.Intro, Head: []string{"what", "measured", "goal", "kept"}, Notes: p.Notes}
	for _, f := range p.Figures {
		kept := ""
		switch {
		case f.Goal == "":
		case f.Kept:
			kept = "yes"
		default:
			kept = "**no**"
		}
		t.Rows = append(t.Rows, []string{f.What, f.Value, f.Goal, kept})
	}
	return append([]report.Table{t}, p.Tables...)
}

func (r *result) header() []string {
	m := r.Machine
	quiet := ""
	for _, part := range r.Run.Others {
		quiet = fmt.Sprintf("; %.0f %% of the processors used by others meanwhile", 100*part)
	}
	run := fmt.Sprintf("Run: %s, commit %s, in %s, `%s`", r.Run.Begin.UTC().Format("2006-01-02 15:04 UTC"), r.Run.Commit,
		r.Run.Took.Round(time.Second), r.Run.Command)
	if r.Run.Short {
		run += "; SHORT, so that it works, not as a measurement"
	}
	lines := []string{fmt.Sprintf("Machine: %d × %s, %.0f GiB, %s, Linux %s", m.Cores, m.CPU, float64(m.Memory)/(1<<30), m.OS, m.Kernel)}
	lines = append(lines, r.Versions...)
	return append(lines, run, fmt.Sprintf("Load average before: %.1f%s", r.Run.Load, quiet))
}

// print writes all for a terminal.
func (r *result) print(w io.Writer) error {
	for _, l := range r.header() {
		fmt.Fprintln(w, l)
	}
	for _, p := range r.Parts {
		for _, t := range p.tables() {
			if err := t.Text(w); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *result) page() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("# Benchmarks on PostgreSQL\n\n<!-- Made by `make bench-postgres` from postgres.json. Do not edit. -->\n\n" +
		"The engine on PostgreSQL against bare SQL and against [River](https://riverqueue.com), on one server that syncs its commits " +
		"(`fsync=on`), on the same machine, in one run. Operations have protobuf messages, a history and a change feed. Unless it says " +
		"otherwise, a value is the median of the rounds, in which all contenders take turns, and a ratio is the median of the rounds' " +
		"ratios. Callers and workers are processes of their own. The program is [bench/postgres](../../bench/postgres).\n\n")
	for _, l := range r.header() {
		fmt.Fprintf(&b, "- %s\n", l)
	}
	b.WriteString("\nTo repeat it: `make bench-postgres`, some 24 minutes. One part: `cd bench && go run ./postgres -only run`; see " +
		"`go run ./postgres -help`. All numbers: [postgres.json](postgres.json).\n\n")
	for _, p := range r.Parts {
		for _, t := range p.tables() {
			if err := t.Markdown(&b); err != nil {
				return nil, err
			}
		}
	}
	return append(bytes.TrimRight(b.Bytes(), "\n"), '\n'), nil
}

// read reads the result of an earlier run.
func read(dir string) (*result, error) {
	data, err := os.ReadFile(filepath.Join(dir, jsonFile))
	if err != nil {
		return nil, fmt.Errorf("read result: %w", err)
	}
	var r result
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("read result: %w", err)
	}
	return &r, nil
}

// write writes the page and the JSON.
func (r *result) write(dir string) error {
	data, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	page, err := r.page()
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{jsonFile: append(data, '\n'), pageFile: page} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return fmt.Errorf("write result: %w", err)
		}
	}
	return nil
}
