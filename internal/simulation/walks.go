package simulation

import (
	"slices"
	"strings"

	"github.com/go-lro/lro/internal/oracle"
)

// pages is a walk through a list, from the first page to the last.
type pages struct {
	parent, filter string
	call, ret      int
	seen           []oracle.View
	whole          bool
}

func (c *checker) walks() {
	all := make(map[int]*pages)
	var order []int
	for _, e := range c.r.Events {
		if e.Do != oracle.List || e.Out != oracle.OK {
			continue
		}
		p := all[e.Walk]
		if p == nil {
			p = &pages{parent: e.Name, filter: e.Arg, call: e.Call}
			all[e.Walk] = p
			order = append(order, e.Walk)
		}
		p.ret = e.Return
		p.seen = append(p.seen, e.Page...)
		p.whole = e.Last
	}
	for _, walk := range order {
		c.walk(all[walk])
	}
}

// walk checks what holds for all the pages of a list together.
func (c *checker) walk(p *pages) {
	place := make(map[string]int)
	for i, v := range p.seen {
		if _, ok := place[v.Name]; ok {
			c.complain("a list of %s shows %s twice", p.parent, v.Name)
		}
		place[v.Name] = i
		if !strings.HasPrefix(v.Name, p.parent+"/") {
			c.complain("a list of %s shows %s", p.parent, v.Name)
		}
		if p.filter == "done=true" && !v.Done() || p.filter == "done=false" && v.Done() {
			c.complain("a list with filter %q shows %+v", p.filter, v)
		}
		if f := c.of[v.Name]; f != nil && slices.ContainsFunc(f.deletes, func(d *oracle.Event) bool { return d.Out == oracle.OK && d.Return < p.call }) {
			c.complain("a list of %s shows %s, which was deleted", p.parent, v.Name)
		}
	}
	if !p.whole {
		return
	}
	for name, f := range c.of {
		if _, ok := place[name]; !ok && c.mustShow(p, name, f) {
			c.complain("a list of %s with filter %q from %d to %d lacks %s", p.parent, p.filter, p.call, p.ret, name)
		}
	}
	c.newestFirst(p, place)
}

// mustShow reports whether an operation was there all the time, and met the
// filter.
func (c *checker) mustShow(p *pages, name string, f *facts) bool {
	if !strings.HasPrefix(name, p.parent+"/") || f.kind == kindBrief ||
		slices.ContainsFunc(f.deletes, func(d *oracle.Event) bool { return d.Call < p.ret }) {
		return false
	}
	return slices.ContainsFunc(f.seen, func(s sight) bool {
		switch p.filter {
		case "done=true":
			return s.Done() && s.Return < p.call
		case "done=false":
			return !s.Done() && s.Call > p.ret && slices.ContainsFunc(f.seen, func(s sight) bool { return s.Return < p.call })
		}
		return s.Return < p.call
	})
}

// newestFirst compares the order with that in which starts were answered.
func (c *checker) newestFirst(p *pages, place map[string]int) {
	for a, fa := range c.of {
		for b, fb := range c.of {
			i, okA := place[a]
			j, okB := place[b]
			if !okA || !okB || len(fa.started) == 0 || len(fb.seen) == 0 {
				continue
			}
			// a was started, by a call that is known to have begun after b was there.
			older := fb.seen[0].Return
			if c.oneStart(a) && fa.started[0].Call > older && older > 0 && i > j {
				c.complain("a list of %s shows %s, which is newer, behind %s", p.parent, a, b)
			}
		}
	}
}

// oneStart reports whether an operation was made by the first start that
// returned it.
func (c *checker) oneStart(name string) bool {
	slot := c.names[name]
	first := c.of[name].started[0]
	return !slices.ContainsFunc(c.r.Events, func(e *oracle.Event) bool {
		return e.Do == oracle.Start && e.Key == slot && e.Call < first.Call
	})
}
