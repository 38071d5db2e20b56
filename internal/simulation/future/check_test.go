package future

import (
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/go-lro/lro"
)

// check is the oracle: everything that is wrong with what happened.
func check(w *world) []string {
	c := &checker{w: w}
	for _, s := range w.p.clients {
		c.clients = append(c.clients, &clientState{spec: s, rules: rulesOf(s.policy)})
	}
	for i, h := range w.p.handles {
		r := c.clients[h.client].rules
		s := &handleState{c: c, i: i, client: c.clients[h.client], spec: h, rules: r, begun: -1, heard: -1}
		s.fastest.part, s.plain.part = max(0.01, 1-r.Jitter), 1
		switch {
		case h.started:
			s.begun = w.startOf(i)
			s.heard = s.begun
		case !h.resumed:
			s.begun, s.heard = h.at, h.at
		}
		s.idle()
		s.client.handles++
		c.handles = append(c.handles, s)
	}
	c.pass()
	c.ends()
	c.limits()
	c.crowds()
	c.observed()
	slices.Sort(w.wrong)
	w.wrong = slices.Compact(w.wrong)
	return w.wrong
}

// startOf returns when a start has returned a handle; -1 for never.
func (w *world) startOf(handle int) time.Duration {
	for _, v := range w.visits {
		if v.Do == doStart && v.Handles[0] == handle && v.end.err == nil {
			return v.to.at
		}
	}
	return -1
}

type checker struct {
	w       *world
	clients []*clientState
	handles []*handleState
}

func (c *checker) complain(at moment, format string, args ...any) {
	c.w.wrong = append(c.w.wrong, fmt.Sprintf("%v: ", at.at)+fmt.Sprintf(format, args...))
}

// occurrence is something that happened, and what it means for the state.
type occurrence struct {
	moment
	do func(moment)
}

// pass goes through all that happened in its order.
func (c *checker) pass() {
	var all []occurrence
	add := func(m moment, do func(moment)) {
		if m.known() {
			all = append(all, occurrence{m, do})
		}
	}
	for _, v := range c.w.visits {
		for _, h := range v.Handles {
			s := c.handles[h]
			from, to := c.present(v, h)
			add(from, func(m moment) { s.join(v, m) })
			add(to, func(m moment) { s.leave(v, m) })
		}
	}
	for _, r := range c.w.left {
		for _, h := range r.by.Handles {
			s := c.handles[h]
			add(r.moment, func(m moment) { s.rejoin(r.by, m) })
		}
	}
	for _, k := range c.w.calls {
		s := c.handleOf(k)
		switch {
		case s == nil:
			c.complain(k.from, "a call for no caller: %v", k)
			continue
		case k.what == callStart || k.what == callDelete: // judged by themselves
		case k.what == callCancel:
			add(k.from, func(m moment) { s.client.cancels++ })
			add(k.to, func(m moment) { s.cancelEnds(k, m) })
		case !c.counts(k):
			add(k.to, func(m moment) { s.told(k, m) })
		default:
			add(k.from, func(m moment) { s.callBegins(k, m) })
			add(k.gaveUp, func(m moment) { s.givenUp(k, m) })
			add(k.to, func(m moment) { s.callEnds(k, m) })
		}
	}
	slices.SortFunc(all, func(a, b occurrence) int { return a.order - b.order })
	for _, o := range all {
		o.do(o.moment)
	}
}

// counts reports whether a call is part of waiting, and not one that its caller
// made by itself: without an observer, one right after a cancel that failed.
func (c *checker) counts(k *rpc) bool {
	if c.clients[k.client].spec.observed != noHooks {
		return k.poll > 0
	}
	return k.by.Do.waits() && !slices.ContainsFunc(c.w.calls, func(o *rpc) bool {
		return o.what == callCancel && o.by == k.by && o.failed && o.to.at == k.from.at
	})
}

func (c *checker) handleOf(k *rpc) *handleState {
	if k.by == nil {
		return nil
	}
	for _, h := range k.by.Handles {
		if s := c.handles[h].spec; s.client == k.client && s.op == k.op {
			return c.handles[h]
		}
	}
	return nil
}

// present returns from when to when a visit waits for a handle. A caller that
// cancels first waits when that was answered: it is loose, and counts from the
// beginning, but nothing is demanded for its sake.
func (c *checker) present(v *visit, handle int) (from, to moment) {
	if !v.Do.waits() {
		return moment{}, moment{}
	}
	to = v.to
	for _, y := range v.yields {
		if v.Do == doGroup && y.handle == handle {
			to = y.moment
		}
	}
	return v.fromOf(handle), to
}

// fromOf returns from when a visit waits for a handle.
func (v *visit) fromOf(handle int) moment {
	if v.added.known() && handle == v.Adds {
		return v.added
	}
	return v.from
}

// mustEnd reports whether a visit is over as soon as its operation is.
func (v *visit) mustEnd() bool { return !v.loose() && v.Do != doWaitAll && v.Do != doWaitAny }

func (v *visit) loose() bool {
	return v.Do == doCancelAndWait || v.Grace > 0 || v.Do == doGroup && v.After > 0
}

// clientState is what the oracle knows of a client.
type clientState struct {
	spec    clientSpec
	rules   rules
	handles int

	trusted     bool          // WaitOperation's word was confirmed
	noWait      time.Duration // before which WaitOperation is not used
	noWaitSince time.Duration // when that was learned
	quotaEnd    time.Duration // until when the client may be slower, after RESOURCE_EXHAUSTED
	cancels     int           // requests to cancel that are open
	waiting     int           // WaitOperation calls that are open
	unsure      bool          // the oracle does not know whether WaitOperation is used
}

// refuse keeps WaitOperation from being used until a time.
func (c *clientState) refuse(until time.Duration, m moment) {
	c.noWait, c.noWaitSince = max(c.noWait, until), m.at
}

// handleState is what the oracle knows of an operation of a client.
type handleState struct {
	c      *checker
	i      int
	client *clientState
	spec   handleSpec
	rules  rules

	present   []*visit        // that wait for it, in the order in which they came
	mixed     bool            // callers of this wait are loose
	lastWatch time.Duration   // when progress was watched last
	lastGone  *visit          // that left last
	deadlines []time.Duration // of those that have waited, for which no last poll was made
	margins   []time.Duration // of all that have waited
	begun     time.Duration   // when its schedule began; -1 before
	heard     time.Duration   // when its state was last heard; -1 for never
	unsure    bool            // of begun, by what a request to cancel took
	over      time.Duration   // when a call of its waits ended last
	seen      bool
	row       row
	missed    bool // WaitOperation does not know it
	suspect   bool // WaitOperation was refused
	held      *rpc // WaitOperation has said done, and GetOperation not yet
	done      moment
	outcome   string // once it is done

	open      *rpc   // the call of the wait
	next      window // when the next begins
	reason    string // why
	soon      bool   // it may begin at once
	again     bool   // one more is made when the open one has ended
	mustWait  bool   // it is a WaitOperation
	notBefore time.Duration
	polls     int // of this wait
	calls     int // that count for the budget
	extra     int // calls that it does not count
	failures  []failure
	plain     counter
	fastest   counter
}

// row is of failed calls.
type row struct {
	weight weight
	n      int
	since  time.Duration
}

// failure is an error of a call with which waiting ends.
type failure struct {
	moment
	code codes.Code
	of   *visit // that alone is concerned; nil for all
}

func (s *handleState) complain(m moment, format string, args ...any) {
	s.c.complain(m, "handle %d: %s", s.i, fmt.Sprintf(format, args...))
}

func (s *handleState) idle() {
	s.next, s.reason, s.soon, s.mustWait = window{0, never}, "", false, false
}

// surely reports whether a caller waits who is known to.
func (s *handleState) surely() bool {
	return slices.ContainsFunc(s.present, func(v *visit) bool { return !v.loose() })
}

func (s *handleState) watched(m moment) bool {
	return slices.ContainsFunc(s.present, func(v *visit) bool { return v.Do == doProgress && m.at <= v.ctxEnd })
}

// late complains when the next call should have begun before now.
func (s *handleState) late(m moment) {
	if s.open != nil || s.done.known() || !s.surely() || s.next.to == never {
		return
	}
	if limit := s.next.to + s.slack(); m.at > limit+time.Microsecond && m.at > s.client.quotaEnd {
		s.complain(m, "no call until now, and one was due at %v: %s", limit, s.reason)
		s.next.to = never
	}
}

// slack is how late the limits of groups may make a call. A wait that only groups
// share has those of one of them.
func (s *handleState) slack() time.Duration {
	slack := s.client.crowded()
	for _, v := range s.present {
		if v.loose() && !v.Do.many() {
			continue
		}
		if !v.Do.many() {
			return s.client.crowded()
		}
		qps := v.QPS
		if v.Do != doGroup || qps == 0 {
			qps = 500
		}
		switch {
		case v.Do == doGroup && v.InFlight > 0 && v.InFlight < len(v.Handles):
			slack = never / 2
		case qps > 0:
			slack = max(slack, time.Duration(float64(2*len(v.Handles)+2)*float64(time.Second)/qps))
		}
	}
	return slack
}

func (s *handleState) join(v *visit, m moment) {
	s.late(m)
	switch {
	case len(s.present) > 0 && !s.surely():
		s.next.to = never
	case s.slack() > 0 && s.next.to != never:
		s.next.to = max(s.next.to, m.at) // it leaves the limits of the groups
	}
	s.present = append(s.present, v)
	s.mixed = s.mixed && len(s.present) > 1 || v.loose()
	if v.Deadline > 0 {
		s.deadline(v.At + v.Deadline)
	}
	if v.Grace > 0 {
		s.deadline(v.ctxEnd + v.Grace)
	}
	if len(s.present) == 1 {
		s.begin(m)
	}
}

// deadline is one before which a last poll may come.
func (s *handleState) deadline(at time.Duration) {
	s.deadlines, s.margins = append(s.deadlines, at), append(s.margins, at)
}

// begin begins a wait.
func (s *handleState) begin(m moment) {
	s.idle()
	s.polls, s.missed, s.row = 0, false, row{}
	if s.done.known() {
		return
	}
	if s.begun < 0 {
		s.begun, s.unsure = m.at, s.present[0].Do == doCancelAndWait || s.present[0].Grace > 0
	}
	if s.heard < 0 {
		s.extra++
		s.expect(window{m.at, m.at}, "its state is not known")
		return
	}
	w := s.rules.spread(s.rules.interval(s.heard - s.begun)).plus(s.heard)
	if !s.rules.PlainSchedule {
		w = window{m.at, s.heard + s.rules.MaxInterval}
	}
	s.expect(w.atLeast(m.at), "it is waited for again")
	s.soon = s.client.waits(m.at)
}

// expect says when the next call begins.
func (s *handleState) expect(w window, reason string) {
	s.next, s.reason, s.soon, s.mustWait = w.atLeast(s.notBefore), reason, false, false
}

func (s *handleState) leave(v *visit, m moment) {
	s.late(m)
	if slices.Contains(s.present, v) {
		s.askedLast(v, m)
		if _, ok := v.end.err.(*lro.WaitError); ok && v.end.polls != s.polls && !s.mixed && !(s.open != nil && s.open.from.at == m.at) {
			s.complain(m, "%v says %d polls, and %d were made", v, v.end.polls, s.polls)
		}
	}
	if s.watched(m) {
		s.lastWatch = m.at
	}
	if s.slack() > 0 && s.next.to != never {
		s.next.to = max(s.next.to, m.at) // it leaves the limits of the groups
	}
	s.present = slices.DeleteFunc(s.present, func(o *visit) bool { return o == v })
	s.lastGone = v
	if s.held != nil && s.row.n > 0 {
		s.end(s.held.state, m) // it is known, and only the confirmation could not be had
	}
	if len(s.present) == 0 {
		s.stop()
	}
}

// stop ends a wait.
func (s *handleState) stop() {
	s.idle()
	if s.open != nil && s.open.what == callWait {
		s.client.waiting--
	}
	s.open, s.held, s.suspect, s.again = nil, nil, false, false
}

// rejoin is a group's that is waited for again at once.
func (s *handleState) rejoin(v *visit, m moment) {
	s.deadline(v.At + v.Deadline)
	if slices.Contains(s.present, v) && len(s.present) == 1 {
		s.late(m)
		s.stop()
		s.begin(m)
		s.next, s.soon = window{0, never}, true
	}
}

// waits reports whether WaitOperation is used.
func (c *clientState) waits(now time.Duration) bool { return c.spec.waits() && now >= c.noWait }
