package report

import (
	"fmt"
	"slices"
)

// row is a number of a report, under a name that is the same in each run.
type row struct {
	what  string
	value float64
}

func (r *Report) rows() (all []row) {
	add := func(value float64, format string, args ...any) {
		all = append(all, row{fmt.Sprintf(format, args...), value})
	}
	for _, l := range r.Lateness {
		if l.Late.N > 0 {
			add(l.Late.Median, "%s, operation of %s: p50 late, s", l.Client, seconds(l.Nominal))
			add(l.Calls, "%s, operation of %s: calls", l.Client, seconds(l.Nominal))
		}
	}
	for _, m := range r.Memory {
		if m.Resident > 0 {
			add(float64(m.Resident)/1024, "%s, %s operations: resident, KiB", m.Client, count(int64(m.Operations)))
			add(m.CPU, "%s, %s operations: CPU, s", m.Client, count(int64(m.Operations)))
		}
	}
	for _, p := range r.Polls {
		if p.Poll.N > 0 {
			add(p.Ratio(), "%s: a poll over the bare stub", p.Client)
			if p.Allocs != 0 {
				add(p.ClientAllocs, "%s: allocations of a poll beside the stub's, client", p.Client)
				add(p.Allocs, "%s: the same, client and service", p.Client)
			}
			add(p.ControlRatio(), "%s: the bare stub over itself", p.Client)
		}
	}
	for _, s := range r.Survival {
		if s.Waits > 0 {
			add(float64(s.Right)/float64(s.Waits), "%s, %s: waits that returned the outcome, part", s.Scenario, s.Client)
		}
	}
	for _, f := range append(slices.Clone(r.Server), r.Temporal...) {
		if f.Note == "" {
			add(f.Value, "%s", f.What)
		}
	}
	return all
}

// Compare returns the numbers of two revisions side by side: medians of their
// runs, which should be as many and in turns. A number that only one of them has
// is shown without the other.
func Compare(oldName, newName string, olds, news []*Report) Table {
	t := Table{
		Title: "Comparison of two revisions",
		Intro: fmt.Sprintf("Medians of %d runs of %s and %d of %s, in turns.", len(olds), oldName, len(news), newName),
		Head:  []string{"what", "old", "new", "new / old"},
	}
	before, _ := medians(olds)
	after, names := medians(news)
	for _, what := range names {
		cells := []string{what, "–", figure(after[what]), "–"}
		if v, ok := before[what]; ok {
			cells[1] = figure(v)
			if v != 0 {
				cells[3] = fmt.Sprintf("%.2f", after[what]/v)
			}
		}
		t.Rows = append(t.Rows, cells)
	}
	_, names = medians(olds)
	for _, what := range names {
		if _, ok := after[what]; !ok {
			t.Rows = append(t.Rows, []string{what, figure(before[what]), "–", "–"})
		}
	}
	return t
}

// medians returns the median of each number of the reports, and the names in the
// order in which they came.
func medians(reports []*Report) (map[string]float64, []string) {
	values := make(map[string][]float64)
	var names []string
	for _, r := range reports {
		for _, x := range r.rows() {
			if values[x.what] == nil {
				names = append(names, x.what)
			}
			values[x.what] = append(values[x.what], x.value)
		}
	}
	all := make(map[string]float64, len(values))
	for what, v := range values {
		all[what] = NewSample(v).Median
	}
	return all, names
}
