package future

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-lro/lro/internal/leak"
	"github.com/go-lro/lro/internal/simulation"
)

func TestMain(m *testing.M) { leak.Main(m) }

// TestSimulation runs programs generated from seeds.
func TestSimulation(t *testing.T) {
	t.Parallel()
	simulation.Other{
		Name:  "future",
		Seeds: "1-300",
		Steps: func(seed uint64) int { return len(generate(seed).steps) },
		Show:  func(seed uint64, steps []int) string { return generate(seed).only(steps).String() },
		Run: func(t *testing.T, seed uint64, steps []int) simulation.Judged {
			w := play(t, generate(seed).only(steps))
			return simulation.Judged{
				Wrong: check(w), Events: len(w.calls) + len(w.visits) + len(w.events), Parts: len(w.handles), Virtual: w.p.end,
				Faults: w.faults, History: w.story(),
			}
		},
	}.RunSeeds(t)
}

// story is all that happened, in order.
func (w *world) story() string {
	type line struct {
		moment
		text string
	}
	var lines []line
	add := func(m moment, format string, args ...any) {
		if m.known() {
			lines = append(lines, line{m, fmt.Sprintf(format, args...)})
		}
	}
	for _, c := range w.calls {
		add(c.from, "> %v", c)
		add(c.to, "< %v", c)
	}
	for _, v := range w.visits {
		add(v.from, "begins %v", v.step)
		for _, y := range v.yields {
			add(y.moment, "%v yields %d: %v %v", v, y.handle, y.state, y.end)
		}
		add(v.to, "returns %v: %v", v, v.end)
	}
	for _, e := range w.events {
		add(e.moment, "%v of %s by client %d, %d in %d/%d", []string{"WaitStart", "WaitEnd", "PollStart", "PollEnd"}[e.kind], e.name, e.client, e.number, e.span, e.poll)
	}
	slices.SortFunc(lines, func(a, b line) int { return a.order - b.order })
	var b strings.Builder
	fmt.Fprintln(&b, w.p)
	for _, l := range lines {
		fmt.Fprintf(&b, "%12v %s\n", l.at, l.text)
	}
	return b.String()
}
