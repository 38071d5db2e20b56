package simulation

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/go-lro/lro/internal/oracle"
)

// slack is how late something may be that has to happen at once: in virtual time,
// and in real time on a machine that may be busy.
const (
	slack     = time.Second
	slackReal = 20 * time.Second
)

func (c *checker) slack() time.Duration {
	if c.r.Shared {
		return slackReal
	}
	return slack
}

// checkTime bounds the search for an order of the events of one slot. Nothing
// that takes longer was found wrong; it is counted.
const checkTime = 20 * time.Second

// verdict is what the oracle says of a history.
type verdict struct {
	wrong   []string
	slots   int // histories that were checked
	unknown int // of those, given up

	compared int // that calls have shown, with what subscribers were given
}

// check is the oracle: everything that is wrong with a result.
func check(r *result) verdict {
	c := checker{r: r, names: make(map[string]int)}
	c.wrong = append(c.wrong, r.Wrong...)
	for _, e := range r.Events {
		if e.Name != "" && e.Key >= 0 {
			c.names[e.Name] = e.Key
		}
		if e.Seen != nil && e.Do == oracle.Start {
			c.names[e.Seen.Name] = e.Key
		}
	}
	c.gather()
	c.written()
	c.order()
	for name := range c.names {
		c.operation(name)
	}
	c.walks()
	c.narrow()
	c.feeds()
	c.backups()
	slices.Sort(c.wrong)
	return c.verdict
}

type checker struct {
	verdict
	r     *result
	names map[string]int // slots of all that is known
	rows  map[string]int // how often each is there
	of    map[string]*facts
}

// facts are the events about one operation.
type facts struct {
	kind    string
	started []*oracle.Event // that returned it
	seen    []sight
	gone    []*oracle.Event // calls that did not find it
	deletes []*oracle.Event
	cancels []*oracle.Event
	claims  []*oracle.Event
	ends    []*oracle.Event // of attempts
	writes  []*oracle.Event // reports and heartbeats
	awaits  []*oracle.Event
}

// sight is a state that a call returned.
type sight struct {
	*oracle.Event
	oracle.View
}

func (c *checker) complain(format string, args ...any) {
	c.wrong = append(c.wrong, fmt.Sprintf(format, args...))
}

func (c *checker) kind(slot int) string {
	if k := keyOf(slot); k < len(c.r.Keys) {
		return c.r.Keys[k]
	}
	return ""
}

func (c *checker) gather() {
	c.of = make(map[string]*facts)
	for name, slot := range c.names {
		c.of[name] = &facts{kind: c.kind(slot)}
	}
	for _, e := range c.r.Events {
		if strings.HasPrefix(e.Out, oracle.Wrong) {
			c.complain("%v", e)
		}
		for _, v := range e.Page {
			if f := c.of[v.Name]; f != nil {
				f.seen = append(f.seen, sight{e, v})
			}
		}
		if e.Seen != nil {
			f := c.of[e.Seen.Name]
			if f == nil {
				c.complain("%v: an operation that is not known", e)
				continue
			}
			f.seen = append(f.seen, sight{e, *e.Seen})
			if e.Do == oracle.Start {
				f.started = append(f.started, e)
			}
		}
		f := c.of[e.Name]
		if f == nil {
			continue
		}
		if e.Out == oracle.NotFound {
			f.gone = append(f.gone, e)
		}
		switch e.Do {
		case oracle.Delete:
			if e.Out != oracle.NotEnded && e.Out != oracle.Undone { // nothing was deleted
				f.deletes = append(f.deletes, e)
			}
		case oracle.Cancel:
			f.cancels = append(f.cancels, e)
		case oracle.Claim:
			f.claims = append(f.claims, e)
		case oracle.Finish:
			f.ends = append(f.ends, e)
		case oracle.Report, oracle.Heartbeat:
			f.writes = append(f.writes, e)
		case oracle.Await:
			f.awaits = append(f.awaits, e)
		}
	}
}

// order looks for an order of the events of each slot that the model allows.
func (c *checker) order() {
	slots := make(map[int][]porcupine.Operation)
	var all []porcupine.Operation // that are about every slot
	for i, e := range c.r.Events {
		ret := e.Return
		if ret == 0 {
			ret = math.MaxInt64
		}
		op := porcupine.Operation{ClientId: i, Input: e, Call: int64(e.Call), Return: int64(ret)}
		if e.Do == oracle.Report && e.Attempt > 0 {
			continue // a handler's is shown at once, and durable later: see reports
		}
		if c.givenUp(e) {
			continue // its end may not be stored yet, or never
		}
		if e.Row != "" && e.Out == oracle.Unknown {
			if c.rows[e.Row] == 0 {
				continue // it was rolled back
			}
			committed := *e
			committed.Out = oracle.Written
			op.Input = &committed
		}
		switch e.Do {
		case oracle.Die, oracle.Drain, oracle.Close:
			all = append(all, op)
		case oracle.Start, oracle.Get, oracle.Wait, oracle.Cancel, oracle.Delete, oracle.Claim, oracle.Save, oracle.Finish, oracle.Report, oracle.Heartbeat, oracle.Complete, oracle.Fail:
			if e.Out == oracle.Unknown && (e.Do == oracle.Get || e.Do == oracle.Wait) {
				continue
			}
			slots[e.Key] = append(slots[e.Key], op)
		case oracle.List:
			for _, v := range e.Page {
				slot, ok := c.names[v.Name]
				if !ok {
					continue // started by a call without an answer
				}
				seen := *e
				seen.Do, seen.Name, seen.Seen, seen.Page = oracle.Get, v.Name, &v, nil
				op.Input = &seen
				slots[slot] = append(slots[slot], op)
			}
		}
	}
	for _, slot := range slices.Sorted(maps.Keys(slots)) {
		c.slots++
		ops := append(slots[slot], all...)
		for i := range ops {
			ops[i].ClientId = i
		}
		switch porcupine.CheckOperationsTimeout(oracle.Model(c.r.Traits.rules(c.kind(slot))), ops, checkTime) {
		case porcupine.Illegal:
			c.complain("no order of the events of slot %d explains them:\n%s", slot, describe(ops))
		case porcupine.Unknown:
			c.unknown++
		}
	}
}

// givenUp reports whether a checkpoint was refused by its own process, which had
// given up the attempt because of its deadline.
func (c *checker) givenUp(e *oracle.Event) bool {
	if !c.r.Shared || e.Do != oracle.Save && e.Do != oracle.Complete || e.Out != oracle.Lost || c.kind(e.Key) != kindTimed {
		return false
	}
	return slices.ContainsFunc(c.of[e.Name].claims, func(a *oracle.Event) bool {
		return a.Attempt == e.Attempt && a.From+c.r.Pace.of(timedDeadline+timedGrace) <= e.To
	})
}

func describe(ops []porcupine.Operation) string {
	slices.SortFunc(ops, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
	var b strings.Builder
	for _, op := range ops {
		fmt.Fprintf(&b, "\t%v\n", op.Input)
	}
	return b.String()
}

// operation checks what is about time, and what a whole life must be like.
func (c *checker) operation(name string) {
	f := c.of[name]
	var end time.Duration // 0 while not known
	var result string
	for _, s := range f.seen {
		if !s.Done() {
			continue
		}
		if result != "" && (s.Result != result || s.End != end) {
			c.complain("%s ended as %s at %v, and as %s at %v", name, result, end, s.Result, s.End)
		}
		end, result = s.End, s.Result
	}
	for _, e := range f.awaits {
		if e.Arg != "" && result != "" && e.Arg != result {
			c.complain("Wait() of %s returned %s, and it ended as %s", name, e.Arg, result)
		}
	}
	if f.kind == kindOnce && len(f.claims) > 1 {
		c.complain("%s may run once, and ran %d times", name, len(f.claims))
	}
	c.waits(name, f, end)
	c.reports(name, f)
	c.cancelHeard(name, f, end)
	c.expiry(name, f, end)
	c.deleted(name, f)
	c.lease(name, f, end, result)
	c.settled(name, f)
	c.later(name, f)
	c.timed(name, f, end, result)
	c.futureReturns(name, f, end)
}

// futureReturns: where nothing disturbs, the future returns soon after the end.
func (c *checker) futureReturns(name string, f *facts, end time.Duration) {
	if end == 0 || c.r.Lossy {
		return
	}
	for _, a := range f.awaits {
		disturbed := slices.ContainsFunc(c.r.Events, func(e *oracle.Event) bool {
			return (e.Do == oracle.Die || e.Do == oracle.Close) && e.From <= a.To && e.To >= a.From
		})
		late := max(a.From, end) + 2*c.slack()
		if !disturbed && (a.Arg != "" && a.To > late || a.Arg == "" && a.Out == oracle.OK && a.To > late) && !c.gone(f, a.To) {
			c.complain("%s ended at %v, and Wait() returned at %v: %v", name, end, a.To, a)
		}
	}
}

// gone reports whether an operation may have been gone at a time.
func (c *checker) gone(f *facts, at time.Duration) bool {
	return c.expires(f) || slices.ContainsFunc(f.deletes, func(d *oracle.Event) bool { return d.From <= at })
}

// narrow: a kind with a limit of one runs one attempt at a time in each server.
func (c *checker) narrow() {
	type span struct {
		lived    int
		from, to time.Duration
		name     string
	}
	var spans []span
	for name, f := range c.of {
		if f.kind != kindNarrow {
			continue
		}
		for _, a := range f.claims {
			for _, e := range f.ends {
				if e.Attempt == a.Attempt {
					spans = append(spans, span{a.Lived, a.From, e.From, name})
				}
			}
		}
	}
	slices.SortFunc(spans, func(a, b span) int {
		return cmp.Or(cmp.Compare(a.lived, b.lived), cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to))
	})
	for i := c.r.Servers; i < len(spans); i++ {
		running := 0
		for _, s := range spans[:i] {
			if s.lived == spans[i].lived && s.to > spans[i].from {
				running++
			}
		}
		if running >= c.r.Servers {
			c.complain("%s began at %v, when %d of a kind with a limit of one ran on %d servers", spans[i].name, spans[i].from, running, c.r.Servers)
		}
	}
}

// waits: a WaitOperation is answered when the operation ends or its timeout is
// over, and not before unless the process stops.
func (c *checker) waits(name string, f *facts, end time.Duration) {
	for _, e := range f.seen {
		if e.Do != oracle.Wait {
			continue
		}
		over := e.From + e.For
		if end > 0 {
			over = min(over, max(e.From, end))
		}
		if e.To > over+c.slack() {
			c.complain("%s ended at %v (0 for never), and a wait was answered at %v: %v", name, end, e.To, e.Event)
		}
		if !e.Done() && e.To < over-slack && !c.stopped(e.Lived, e.To) {
			c.complain("%s ended at %v (0 for never), and a wait was answered before its time: %v", name, end, e.Event)
		}
	}
}

// stopped reports whether a process had begun to stop at a time.
func (c *checker) stopped(lived int, at time.Duration) bool {
	return slices.ContainsFunc(c.r.Events, func(e *oracle.Event) bool {
		return e.Do == oracle.Close && e.Lived == lived && e.From <= at
	})
}

// place is the place of a report in the order of a handler's: they are "attempt/place
// in the script". Nothing reported is older than anything.
func place(text string) int {
	var attempt, word int
	_, _ = fmt.Sscanf(text, "%d/%d", &attempt, &word)
	return attempt<<16 | word
}

// reports: in one process, a report is shown at once, and no older one after it.
func (c *checker) reports(name string, f *facts) {
	if f.kind == kindOutside {
		return // the model has them
	}
	for _, a := range f.seen {
		for _, b := range f.seen {
			if c.r.Shared && (a.State != "RUNNING" || b.State != "RUNNING" || a.View.Attempt != b.View.Attempt || c.disturbed(a.Event, b.Event)) {
				continue // what a process had not stored when it lost an attempt is gone
			}
			if a.Lived == b.Lived && a.Return > 0 && a.Return < b.Call && place(a.Text) > place(b.Text) {
				c.complain("%s showed the report %q, and then %q: %v", name, a.Text, b.Text, b.Event)
				return
			}
		}
		for _, r := range f.writes {
			if a.State == "RUNNING" && a.View.Attempt == r.Attempt && a.Lived == r.Lived && r.Return > 0 && r.Return < a.Call && place(a.Text) < place(r.Arg) &&
				!(c.r.Shared && c.disturbed(r, a.Event)) {
				c.complain("%s showed the report %q after %q was made: %v", name, a.Text, r.Arg, a.Event)
				return
			}
		}
	}
}

// expiry: an operation stays as long as it must, and goes then.
func (c *checker) expiry(name string, f *facts, end time.Duration) {
	retention := c.r.Pace.of(briefRetention)
	for _, e := range f.gone {
		if e.To == 0 || slices.ContainsFunc(f.deletes, func(d *oracle.Event) bool { return d.Call < e.Return }) {
			continue
		}
		if !c.expires(f) {
			c.complain("%s is gone, and no caller deleted it: %v", name, e)
			continue
		}
		for _, s := range f.seen {
			if !s.Done() && e.To < s.From+retention || end > 0 && e.To < end+retention {
				c.complain("%s is gone at %v, before its time; it was seen at %v: %+v", name, e.To, s.From, s.View)
				break
			}
		}
	}
	if !c.expires(f) || end == 0 {
		return
	}
	for _, s := range f.seen {
		if s.Call > c.r.Settled && s.From > end+retention+time.Minute && s.Event.Do == oracle.Get {
			c.complain("%s ended at %v, and is there at %v", name, end, s.From)
			break
		}
	}
}

// lease: an external operation ends when nothing was heard of it for so long,
// and not before.
func (c *checker) lease(name string, f *facts, end time.Duration, result string) {
	if f.kind != kindOutside || result != "err:ABORTED" {
		return
	}
	for _, e := range f.writes {
		if e.Out == oracle.OK && end < e.From+c.r.Pace.of(outsideLease) {
			c.complain("%s was given up at %v, and was heard of at %v: %v", name, end, e.From, e)
		}
	}
	if len(f.started) > 0 && c.oneStart(name) && end < f.started[0].From+c.r.Pace.of(outsideLease) {
		c.complain("%s was given up at %v, and was started at %v: %v", name, end, f.started[0].From, f.started[0])
	}
}

// settled: in the end everything has ended, and what was acknowledged is there.
func (c *checker) settled(name string, f *facts) {
	deleted := len(f.deletes) > 0
	read := false
	for _, s := range f.seen {
		if s.Event.Do != oracle.Get || s.Call < c.r.Settled {
			continue
		}
		read = true
		if !s.Done() {
			c.complain("%s has not ended when all is over: %v", name, s.Event)
		}
	}
	if !read && !deleted && !c.expires(f) && c.r.Settled > 0 {
		c.complain("%s cannot be read in the end", name)
	}
}
