package report

import (
	"fmt"
	"slices"
	"strings"
)

// Tables returns those of all sections that were run.
func (r *Report) Tables() []Table {
	var all []Table
	if len(r.Lateness) > 0 {
		all = append(all, r.latenessTable())
	}
	if len(r.Memory) > 0 {
		all = append(all, r.memoryTable())
	}
	if len(r.Polls) > 0 {
		all = append(all, r.pollTable())
	}
	if len(r.Survival) > 0 {
		all = append(all, r.survivalTable())
	}
	if len(r.Server) > 0 {
		all = append(all, figures("Server and future", "Benchmarks of this repository, each against the bare limit that it "+
			"names, in interleaved rounds. The last column repeats them.", r.Server))
	}
	temporal := r.Temporal
	if len(temporal) == 0 && len(r.Server) > 0 {
		temporal = []Figure{{What: "engine on Temporal against its SDK", Note: "not run", Package: "./temporal/..."}}
	}
	if len(temporal) > 0 {
		all = append(all, figures("On Temporal", "The Operations service on Temporal against the same calls made with its SDK, "+
			"in turns, on a Temporal server in a process of its own with its development storage. That server is built first, which "+
			"takes minutes, so this is run only when asked for: `make bench BENCHFLAGS=-temporal`.", temporal))
	}
	return all
}

// Yardstick is the client that the others are compared with.
const Yardstick = "lro, polling"

func (r *Report) latenessTable() Table {
	t := Table{
		Title: "Lateness and calls",
		Intro: "How long after the end of its operation a client knows, and how often it asked. Each client starts operations " +
			"one after another and waits for all at once; they take the time given ±30 %, the same for each client. The " +
			"ratio is that of the medians to " + Yardstick + ".",
		Plot: LatenessPlot,
		Head: []string{"operation", "client", "n", "late p50", "p95", "worst", "ratio", "calls per operation"},
	}
	base := make(map[float64]float64)
	for _, l := range r.Lateness {
		if l.Client == Yardstick {
			base[l.Nominal] = l.Late.Median
		}
	}
	for _, l := range r.Lateness {
		row := []string{seconds(l.Nominal), l.Client, fmt.Sprint(l.Late.N), "–", "–", "–", "–", fmt.Sprintf("%.1f", l.Calls)}
		if l.Late.N > 0 {
			row = []string{seconds(l.Nominal), l.Client, fmt.Sprint(l.Late.N), seconds(l.Late.Median), seconds(l.Late.P95),
				seconds(l.Late.Max), times(l.Late.Median / base[l.Nominal]), fmt.Sprintf("%.1f", l.Calls)}
		}
		t.Rows = append(t.Rows, row)
		if l.Failed > 0 {
			t.note("%s, %s: %d waits failed", l.Client, seconds(l.Nominal), l.Failed)
		}
		if l.Note != "" {
			t.note("%s, %s: %s", l.Client, seconds(l.Nominal), l.Note)
		}
	}
	return t
}

func (r *Report) memoryTable() Table {
	t := Table{
		Title: "Memory and CPU",
		Intro: "What a client's process takes to wait for operations that do not end, with 64 bytes of metadata each. Resident " +
			"memory is that of the process at the end of the window, as Linux counts it; for one operation it is what is left " +
			"after that of the process with a single one. CPU time and calls are those from the start of the process to the end " +
			"of the window. Service and client share the processors. The calls of the group are limited to 5,000 a second; the " +
			"default of 500 would take 200 s to look at 100,000 operations once.",
		Plot: MemoryPlot,
		Head: []string{"operations", "client", "resident", "for one", "CPU", "calls", "gave up"},
	}
	single := make(map[string]int64)
	for _, m := range r.Memory {
		if m.Operations == 1 {
			single[m.Client] = m.Resident
		}
	}
	for _, m := range r.Memory {
		row := []string{count(int64(m.Operations)), m.Client, "–", "–", "–", "–", "–"}
		if m.GaveUp > 0 {
			row[6] = count(int64(m.GaveUp))
		}
		if m.Resident > 0 {
			one := "–"
			if m.Operations > 1 {
				one = size(float64(m.Resident-single[m.Client]) / float64(m.Operations))
			}
			row = []string{count(int64(m.Operations)), m.Client, size(float64(m.Resident)), one, cpu(m.CPU), count(m.Calls),
				count(int64(m.GaveUp))}
		}
		t.Rows = append(t.Rows, row)
		if m.Note != "" {
			t.note("%s, %s operations: %s", m.Client, count(int64(m.Operations)), m.Note)
		}
	}
	if len(r.Memory) > 0 {
		t.note("The window is %s.", seconds(r.Memory[0].Window))
	}
	return t
}

// cpu shows CPU time, which is counted in ticks of 10 ms.
func cpu(s float64) string {
	if s < 0.01 {
		return "< 10 ms"
	}
	return seconds(s)
}

func (r *Report) pollTable() Table {
	t := Table{
		Title: "Cost of one poll",
		Intro: "Asking once for the state of an operation through the client, against the same call of the bare stub in the " +
			"same language, in interleaved rounds of 200 calls, one after another. The control is the stub against itself. Allocations are those beside the stub's: of the " +
			"client's process, and of client and service together.",
		Head: []string{"client", "bare stub", "client", "ratio", "control", "allocations, client", "both"},
	}
	for _, p := range r.Polls {
		row := []string{p.Client, "–", "–", "–", "–", "–", "–"}
		if p.Poll.N > 0 {
			row = []string{p.Client, seconds(p.Stub.Median / 1e6), seconds(p.Poll.Median / 1e6), fmt.Sprintf("×%.2f", p.Ratio()),
				fmt.Sprintf("×%.2f", p.ControlRatio()), "–", "–"}
		}
		if p.Allocs != 0 {
			row[5], row[6] = fmt.Sprintf("%+.0f", p.ClientAllocs), fmt.Sprintf("%+.0f", p.Allocs)
		}
		t.Rows = append(t.Rows, row)
		if p.Note != "" {
			t.note("%s: %s", p.Client, p.Note)
		}
	}
	return t
}

func (r *Report) survivalTable() Table {
	t := Table{
		Title: "Survival",
		Intro: "Which part of the waits returned what their operations ended with, while something went wrong on the way. Each " +
			"client waits for 100 operations of 15 s ±30 %, a quarter of which fails, and has 150 s; the ctx with deadline ends " +
			"after 90 s. Faults begin when all operations were started. Below is what clients said that gave up.",
		Head: []string{"what goes wrong"},
	}
	var scenarios, clients []string
	cells := make(map[[2]string]Survival)
	for _, s := range r.Survival {
		if !slices.Contains(scenarios, s.Scenario) {
			scenarios = append(scenarios, s.Scenario)
		}
		if !slices.Contains(clients, s.Client) {
			clients = append(clients, s.Client)
		}
		cells[[2]string{s.Scenario, s.Client}] = s
	}
	t.Head = append(t.Head, clients...)
	for _, scenario := range scenarios {
		row := []string{scenario}
		for _, client := range clients {
			s := cells[[2]string{scenario, client}]
			row = append(row, s.cell())
			if text := client + ": " + oneLine(s.Error); s.Error != "" && !slices.Contains(t.Notes, text) {
				t.Notes = append(t.Notes, text)
			}
			if s.Note != "" {
				t.note("%s, %s: %s", client, scenario, oneLine(s.Note))
			}
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// cell shows how many of the waits were right, and what became of the others.
func (s Survival) cell() string {
	if s.Waits == 0 || s.Right+s.GaveUp+s.Wrong == 0 && s.Note != "" {
		return "–"
	}
	text := percent(float64(s.Right) / float64(s.Waits))
	var others []string
	for _, o := range []struct {
		n    int
		what string
	}{{s.GaveUp, "gave up"}, {s.Wrong, "wrong"}, {s.Hung, "did not return"}} {
		if o.n > 0 {
			others = append(others, fmt.Sprintf("%d %s", o.n, o.what))
		}
	}
	if len(others) > 0 {
		text += " (" + strings.Join(others, ", ") + ")"
	}
	return text
}

func figures(title, intro string, all []Figure) Table {
	t := Table{Title: title, Intro: intro, Head: []string{"what", "measured", "promised", "benchmark"}}
	for _, f := range all {
		value := figure(f.Value)
		if f.Note != "" {
			value = f.Note
		}
		t.Rows = append(t.Rows, []string{f.What, value, f.Promise, strings.TrimSpace(f.Bench + " " + f.Package)})
	}
	return t
}

func (t *Table) note(format string, args ...any) {
	t.Notes = append(t.Notes, fmt.Sprintf(format, args...))
}

// oneLine shortens an error to what fits into a list.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if runes := []rune(s); len(runes) > 160 {
		s = string(runes[:160]) + " …"
	}
	return s
}
