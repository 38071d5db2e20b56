package simulation

import (
	"time"

	"github.com/go-lro/lro/internal/oracle"
	"github.com/go-lro/lro/server/engine/enginetest"
)

// Traits are what an engine declares to do otherwise than the rest: to the suite,
// and what only several processes show. The oracle allows that, and nothing
// more. The zero value is an engine that keeps every promise as it stands.
type Traits struct {
	enginetest.Traits

	// DeletesMeet: of two deletes at the same instant, through two processes, both
	// may succeed.
	DeletesMeet bool
	// Undelivered: an attempt may be lost on its way to its process, before its
	// handler begins. That counts as a crash.
	Undelivered bool
	// EndsFirst: a process that cannot renew a lease ends its attempt before the
	// store gives the operation to another one, and until then it shows as RUNNING.
	EndsFirst bool
	// Lease is how long an attempt is its process's without being renewed. When the
	// store, or this process, takes longer to answer than a third of it, attempts of
	// any process may be lost. 0 means never.
	Lease time.Duration
	// OneLease: a process has one for all of its attempts. Elsewhere, while a process
	// is stopped or cut off, the store may give it an operation again and again,
	// which is lost each time.
	OneLease bool
}

// rules are those of a kind on an engine.
func (t Traits) rules(kind string) oracle.Rules {
	r := rulesOf(kind)
	r.Expires = r.Expires && !t.FixedRetention
	r.DeleteNeedsEnd, r.DeletesMeet = t.DeleteNeedsEnd, t.DeletesMeet
	r.Undelivered, r.EndsFirst = t.Undelivered, t.EndsFirst
	return r
}

// expires reports whether an operation may be gone although no caller deleted it.
func (c *checker) expires(f *facts) bool { return f.kind == kindBrief && !c.r.Traits.FixedRetention }

// listLag is how long a change may take to be in lists where they lag.
const listLag = 20 * time.Second

// listed reports whether a list has to know what was seen before it. In the end
// all lists have caught up.
func (c *checker) listed(p *pages, s sight) bool {
	if s.Return >= p.call {
		return false
	}
	return !c.r.Traits.ListLags || p.call > c.r.Settled && c.r.Settled > 0 || s.To+listLag < p.from
}

// deleted: where deletes may meet, they do: one that begins after another has
// succeeded finds nothing, and so do all but one through one process.
func (c *checker) deleted(name string, f *facts) {
	if !c.r.Traits.DeletesMeet {
		return // the model has it
	}
	for i, a := range f.deletes {
		for _, b := range f.deletes[i+1:] {
			if a.Out == oracle.OK && b.Out == oracle.OK && (a.Lived == b.Lived || a.Return < b.Call || b.Return < a.Call) {
				c.complain("%s was deleted twice: %v, %v", name, a, b)
			}
		}
	}
}
