package simulation

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-lro/lro/internal/oracle"
)

// filter is what the oracle knows of a filter.
type filter struct {
	match func(v oracle.View, kind string) bool
	once  life
}

// life says what an operation that meets a filter at one time was like at others.
type life int

const (
	changes life = iota // it may be anything
	stays               // it meets it from then on
	stayed              // it has met it since it was started
)

var filters = map[string]filter{
	"":                         {func(oracle.View, string) bool { return true }, stays},
	"done=true":                {func(v oracle.View, _ string) bool { return v.Done() }, stays},
	"done=false":               {func(v oracle.View, _ string) bool { return !v.Done() }, stayed},
	"error:*":                  {func(v oracle.View, _ string) bool { return strings.HasPrefix(v.Result, "err:") }, stays},
	"state=RUNNING":            {func(v oracle.View, _ string) bool { return v.State == "RUNNING" }, changes},
	"state=PENDING OR error:*": {func(v oracle.View, _ string) bool { return v.State == "PENDING" || strings.HasPrefix(v.Result, "err:") }, changes},
	"kind=work":                {func(_ oracle.View, kind string) bool { return kind == kindWork }, stays},
	"metadata.attempt > 1":     {func(v oracle.View, _ string) bool { return v.Attempt > 1 }, stays},
}

// filterTexts are the filters that are not empty, in an order that does not change.
var filterTexts = slices.Sorted(maps.Keys(filters))[1:]

// pages is a walk through a list, from the first page to the last.
type pages struct {
	parent, filter string
	call, ret      int
	from           time.Duration
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
			p = &pages{parent: e.Name, filter: e.Arg, call: e.Call, from: e.From}
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
		if !filters[p.filter].match(v, c.kind(c.names[v.Name])) && c.of[v.Name] != nil {
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
	if !strings.HasPrefix(name, p.parent+"/") || c.expires(f) ||
		slices.ContainsFunc(f.deletes, func(d *oracle.Event) bool { return d.Call < p.ret }) {
		return false
	}
	return slices.ContainsFunc(f.seen, func(s sight) bool {
		meets := filters[p.filter].match(s.View, f.kind)
		switch filters[p.filter].once {
		case stays:
			return meets && c.listed(p, s)
		case stayed:
			return meets && s.Call > p.ret && slices.ContainsFunc(f.seen, func(s sight) bool { return c.listed(p, s) })
		}
		return false
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
		return e != first && e.Do == oracle.Start && e.Key == slot && e.Call < first.Return
	})
}
