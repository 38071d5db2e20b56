package simulation

import (
	"slices"
	"time"

	"github.com/go-lro/lro/internal/oracle"
)

// later: an attempt that asks for a while before the next one gets it, unless it had lost
// the operation. A process that was stopped begins several attempts at once.
func (c *checker) later(name string, f *facts) {
	for _, e := range f.ends {
		for _, next := range f.claims {
			if c.r.Shared && next.From < e.From {
				continue
			}
			if e.For > 0 && next.Attempt == e.Attempt+1 && next.From < e.From+e.For && (next.Lived == e.Lived || f.waited(e)) {
				c.complain("attempt %d of %s ended at %v and asked for %v, and the next began at %v", e.Attempt, name, e.From, e.For, next.From)
			}
		}
	}
}

// waited reports whether an operation was seen to wait after an attempt, so that
// the end of the attempt was stored.
func (f *facts) waited(end *oracle.Event) bool {
	return slices.ContainsFunc(f.seen, func(s sight) bool {
		return s.State == "PENDING" && s.View.Attempt == end.Attempt && s.Call > end.Call && s.Lived == end.Lived
	})
}

// timed: an attempt has as long as its kind says, and not longer.
func (c *checker) timed(name string, f *facts, end time.Duration, result string) {
	if f.kind != kindTimed || end == 0 {
		return
	}
	for _, s := range f.seen {
		for _, a := range f.claims {
			if !s.Done() || a.Attempt != s.View.Attempt {
				continue
			}
			if result == "err:DEADLINE_EXCEEDED" && !c.r.Shared && end < a.From+timedDeadline {
				c.complain("%s reached its deadline at %v, and its attempt began at %v", name, end, a.From)
			}
			// While the store refuses the end, it comes later.
			if !c.r.Faulty && end > a.From+c.r.Pace.of(timedDeadline+timedGrace)+c.slack() {
				c.complain("%s ended at %v, after the time of its attempt, which began at %v", name, end, a.From)
			}
			return
		}
	}
}

// cancelHeard: an attempt's context ends soon after a cancel, through whichever process
// it was made.
func (c *checker) cancelHeard(name string, f *facts, end time.Duration) {
	for _, a := range f.claims {
		i := slices.IndexFunc(f.ends, func(e *oracle.Event) bool { return e.Attempt == a.Attempt })
		if i < 0 {
			continue // its process died
		}
		over := f.ends[i]
		for _, e := range f.cancels {
			if e.Out != oracle.OK || c.r.Shared && c.disturbed(a, over) || e.To < a.From || e.To+c.slack() > over.From {
				continue
			}
			if end > 0 && end < e.To {
				continue
			}
			if over.Told == 0 || over.Told > e.To+c.slack() {
				c.complain("attempt %d of %s heard of a cancel at %v (0 for never), which was answered at %v", a.Attempt, name, over.Told, e.To)
			}
		}
	}
}

// disturbed reports whether something happened to the process of the one event, from
// there to the other one, by which it may have lost an attempt, or hear of a cancel late.
func (c *checker) disturbed(from, to *oracle.Event) bool {
	return slices.ContainsFunc(c.r.Events, func(e *oracle.Event) bool {
		return (e.Do == oracle.Die || e.Do == oracle.Close) && (e.Lived == 0 || e.Lived == from.Lived) && e.From >= from.From && e.From <= to.From
	})
}
