package future

import (
	"slices"
	"time"

	"google.golang.org/grpc/codes"
)

const (
	// youngest is how old a state is for which a last poll is made, at least.
	youngest = 20 * time.Millisecond
	// lastPoll is how long before a deadline a last poll is made at most.
	lastPoll = time.Second
	// refusedFor is for how long a WaitOperation that is refused is not used.
	refusedFor = 10 * time.Minute
	// longestHint is what longer ones count as.
	longestHint = 10 * time.Minute
	// slower is for how long RESOURCE_EXHAUSTED is remembered.
	slower = 5 * time.Minute
	// youth is for how long an operation that was seen may be missing once.
	youth = 30 * time.Second
)

func (s *handleState) callBegins(k *rpc, m moment) {
	s.late(m)
	s.polls++
	s.calls++
	if s.unsure {
		s.begun, s.unsure = m.at, false
	}
	switch {
	case s.done.known() && m.at > s.done.at:
		s.complain(m, "a call after it was known to be done: %v", k)
	case s.open != nil && !s.open.gaveUp.known() && k.gaveUp.at != m.at:
		s.complain(m, "a call beside another: %v", k)
	case len(s.present) == 0 && !(s.lastGone != nil && s.lastGone.to.at == m.at):
		s.complain(m, "a call for no caller: %v", k)
	case !slices.Contains(s.present, k.by) && k.by.to.at != m.at:
		s.complain(m, "a call with the values of one that does not wait: %v", k)
	case m.at < s.notBefore-time.Microsecond:
		s.complain(m, "a call before %v, for which the service has asked: %v", s.notBefore, k)
	case k.limit != 0 && k.limit != s.limit(k):
		s.complain(m, "a call with a limit of %v: %v", k.limit, k)
	}
	if s.open != nil && s.open.what == callWait {
		s.client.waiting-- // it was given up
	}
	if k.what == callWait {
		s.waitBegins(k, m)
	} else if s.mustWait && !s.soon && s.surely() && !s.lastPoll(m) {
		s.complain(m, "a poll where WaitOperation would do: %v", k)
	}
	early := m.at < s.next.from-time.Microsecond
	if early && !s.soon && !s.lastPoll(m) {
		s.complain(m, "a call that is not due before %v (%s): %v", s.next.from, s.reason, k)
	}
	s.budget(m)
	s.open = k
	s.idle()
}

func (s *handleState) waitBegins(k *rpc, m moment) {
	s.client.waiting++
	switch {
	case !s.client.spec.waits():
		s.complain(m, "a WaitOperation, which is not to be used: %v", k)
	case m.at < s.client.noWait && s.over > s.client.noWaitSince: // it was not planned before
		s.complain(m, "a WaitOperation before %v, after it was refused or lied: %v", s.client.noWait, k)
	case s.missed && s.surely():
		s.complain(m, "a WaitOperation that does not know the operation: %v", k)
	case s.held != nil:
		s.complain(m, "a WaitOperation in place of a confirmation: %v", k)
	case s.client.waiting > s.client.spec.longPolls:
		s.complain(m, "%d long polls are open, of %d: %v", s.client.waiting, s.client.spec.longPolls, k)
	case k.timeout > s.rules.LongPoll, !s.watched(m) && k.timeout != s.rules.LongPoll && s.lastWatch < s.over:
		s.complain(m, "a WaitOperation with a timeout that is not the policy's: %v", k)
	}
}

// lastPoll reports whether a call may be one before the deadline of a caller,
// of which each has one.
func (s *handleState) lastPoll(m moment) bool {
	slices.Sort(s.deadlines)
	for i, d := range s.deadlines {
		if m.at-s.heard >= youngest && m.at >= d-lastPoll && m.at <= d+min(s.slack(), time.Minute) {
			s.deadlines = slices.Delete(s.deadlines, i, i+1)
			return true
		}
	}
	return false
}

// askedLast complains when a caller leaves at its deadline, and the state it
// knows is old.
func (s *handleState) askedLast(v *visit, m moment) {
	if d := v.At + v.Deadline; v.Deadline == 0 || m.at != d || v.loose() || s.done.known() || s.slack() > 0 || v.Do == doGroup && (v.InFlight > 0 || v.QPS > 0) ||
		m.at-v.fromOf(s.i).at < 3*lastPoll || s.heard >= d-2*lastPoll || s.over >= d-2*lastPoll || s.notBefore > d-lastPoll || m.at < s.client.quotaEnd {
		return
	}
	if s.open == nil || s.open.from.at == m.at {
		s.complain(m, "%v leaves at its deadline, and the state is from %v", v, s.heard)
	}
}

// budget: never more calls than by the plain schedule, and two.
func (s *handleState) budget(m moment) {
	if s.open != nil || s.client.spec.waits() || s.begun < 0 || s.rules.NextPoll != nil {
		return
	}
	elapsed := m.at - s.begun
	most := max(s.plain.until(s.rules, elapsed)+2, s.fastest.until(s.rules, elapsed)+1)
	extra := s.extra
	for _, d := range s.margins {
		if m.at >= d-lastPoll {
			extra++
		}
	}
	if s.calls > most+extra {
		s.complain(m, "%d calls, where the plain schedule makes %d, and %d came beside it", s.calls, most, extra)
	}
}

func (s *handleState) givenUp(k *rpc, m moment) {
	if s.open == k && k.what == callGet && m.at < k.from.at+s.limit(k) && !s.done.known() && slices.ContainsFunc(s.present, func(v *visit) bool { return v.to.at > m.at && !v.loose() }) {
		s.complain(m, "a call is given up while callers wait: %v", k)
	}
}

// limit is how long a call may take.
func (s *handleState) limit(k *rpc) time.Duration { return s.rules.AttemptTimeout + k.timeout }

// callEnds takes in what a call of a wait has brought.
func (s *handleState) callEnds(k *rpc, m moment) {
	if s.open != k {
		if !k.failed && !(k.what == callWait && k.done) {
			s.told(k, m)
		}
		return
	}
	s.open, s.over = nil, m.at
	if k.what == callWait {
		s.client.waiting--
	}
	if over := k.from.at + s.limit(k); m.at > over && (!k.gaveUp.known() || k.gaveUp.at > over) {
		s.complain(m, "a call was not given up at %v: %v", over, k)
	}
	cut := k.failed && k.gaveUp.known() && k.gaveUp.at < k.from.at+s.limit(k)
	switch {
	case k.failed && k.code == codes.ResourceExhausted && !k.final:
		s.client.quotaEnd = m.at + slower
	case cut && k.what == callWait:
		s.expect(window{m.at, m.at}, "a long poll gave way")
		s.again = false
		return
	case cut:
		s.idle() // with the wait
		s.soon = true
		return
	}
	if k.hint > 0 {
		s.notBefore = m.at + min(k.hint, longestHint)
	}
	took := m.at - k.from.at
	switch {
	case k.failed && k.what == callGet:
		s.getFailed(k, took, m)
	case k.failed:
		s.waitFailed(k, took, m)
	case k.what == callGet:
		s.got(k, m)
	default:
		s.waited(k, took, m)
	}
	if s.again && s.open == nil && !s.done.known() && len(s.present) > 0 {
		s.expect(window{m.at, m.at}, "it was cancelled during the call before")
	}
	s.again = false
}

func (s *handleState) answered(m moment) { s.seen, s.row, s.heard = true, row{}, m.at }

// pause is that of the schedule after an answer, hints included.
func (s *handleState) pause(k *rpc, m moment, took time.Duration) window {
	elapsed := m.at - s.begun
	w := s.rules.spread(s.rules.interval(elapsed))
	switch {
	case k.hint > 0:
		s.extra++ // the service asked for it
		h := min(k.hint, longestHint)
		return window{m.at + h, m.at + h}
	case k.failed:
		first := s.rules.spread(s.rules.FirstPoll)
		return window{max(w.from-took, first.from), max(w.to-took, first.to)}.plus(m.at)
	case s.rules.NextPoll != nil && k.what == callGet, !s.rules.PlainSchedule && !s.watched(m):
		w = window{0, s.rules.MaxInterval}
	case !s.rules.PlainSchedule:
		w.from = 0
	}
	return w.plus(m.at)
}

// shown complains about loops over progress that do not show an answer at once.
func (s *handleState) shown(k *rpc, m moment) {
	for _, v := range s.present {
		if v.Do != doProgress || m.at >= v.ctxEnd || v.to.at == m.at {
			continue
		}
		last, now := "", false
		for _, y := range v.yields {
			if y.at == m.at {
				now = true
			} else if y.before(m) {
				last = y.state
			}
		}
		if !now && last != k.wire {
			s.complain(m, "%v does not show %v", v, k)
		}
	}
}

func (s *handleState) got(k *rpc, m moment) {
	s.answered(m)
	s.shown(k, m)
	if k.done {
		if s.held != nil {
			s.client.trusted = true
		}
		s.end(k.state, m)
		return
	}
	clean := s.held == nil && !s.suspect && k.hint == 0
	switch {
	case s.held != nil:
		s.client.refuse(never, m)
	case s.suspect && !s.missed:
		s.client.refuse(m.at+refusedFor, m)
	case s.suspect:
		s.client.unsure = true
	}
	s.held, s.suspect = nil, false
	s.expect(s.pause(k, m, 0), "GetOperation said that it runs")
	if !clean || s.missed || !s.client.waits(m.at) {
		return
	}
	s.next.from = m.at
	s.mustWait = s.canWait(m)
}

// canWait reports whether a long poll is to be had for certain.
func (s *handleState) canWait(m moment) bool {
	return s.client.waits(m.at) && !s.missed && s.client.handles <= s.client.spec.longPolls && !s.client.unsure &&
		slices.ContainsFunc(s.present, func(v *visit) bool { return !v.loose() && !v.Do.many() })
}

func (s *handleState) waited(k *rpc, took time.Duration, m moment) {
	s.answered(m)
	if !k.done {
		s.shown(k, m)
	}
	s.client.unsure = false
	if k.done {
		if s.ended(m) {
			s.end(k.state, m)
			return
		}
		if s.client.trusted && readable(k.state) {
			if slices.ContainsFunc(s.present, (*visit).mustEnd) {
				s.complain(m, "an answer that counts did not end the wait: %v", k)
			}
			s.end(k.state, m)
			return
		}
		s.held = k
		s.expect(window{m.at, m.at}, "WaitOperation said done")
		return
	}
	w := s.pause(k, m, 0)
	switch {
	case k.hint > 0:
	case took >= time.Second || took >= k.timeout/10*9:
		w.from = m.at
		if s.canWait(m) {
			w.to = m.at
		}
	default:
		if w.from = m.at; s.rules.PlainSchedule {
			w.from += max(0, s.rules.spread(s.rules.interval(m.at-s.begun)).from-took)
		}
	}
	s.expect(w, "WaitOperation said that it runs")
}

func readable(state string) bool {
	return len(state) < 9 || state[:9] != "cannot be" && state != "no result"
}

// ended reports whether callers return now, with an outcome.
func (s *handleState) ended(m moment) bool {
	return slices.ContainsFunc(s.present, func(v *visit) bool {
		_, to := s.c.present(v, s.i)
		return to.at == m.at && v.outcomeOf(s.i) != ""
	})
}

func (s *handleState) waitFailed(k *rpc, took time.Duration, m moment) {
	switch {
	case (k.code == codes.DeadlineExceeded || k.code == codes.Canceled) && took >= k.timeout/10*9:
		s.expect(window{m.at, m.at}, "WaitOperation failed at its end")
		return
	case k.final:
		s.fail(k, m)
		return
	case k.code == codes.Unimplemented && !s.client.trusted:
		s.client.refuse(never, m)
		s.expect(window{m.at, m.at}, "there is no WaitOperation")
		return
	}
	if w := weightOf(k.answer); w == passing || w == soft {
		s.expect(s.pause(k, m, took), "WaitOperation failed")
		return
	}
	s.suspect, s.missed = true, k.code == codes.NotFound
	s.expect(window{m.at, m.at}, "WaitOperation was refused")
}

func (s *handleState) getFailed(k *rpc, took time.Duration, m moment) {
	w := weightOf(k.answer)
	if s.row.n == 0 || s.row.weight != w {
		s.row = row{w, 0, m.at}
	}
	s.row.n++
	over := m.at - s.row.since
	r := s.rules
	tooMany := s.row.n > r.SoftErrors && (r.SoftErrors <= 0 || over >= r.SoftErrorTime)
	fails := false
	switch w {
	case passing:
		fails = s.held != nil && tooMany
	case soft:
		fails = tooMany
	case missing:
		fails = s.held != nil || r.NotFoundGrace < 0
		if s.seen {
			fails = fails || s.row.n > 1 || m.at-s.begun > youth
		} else {
			fails = fails || s.row.n > 1 && over >= r.NotFoundGrace
		}
	case final:
		fails = true
	}
	if fails {
		s.fail(k, m)
		return
	}
	s.expect(s.pause(k, m, took), "GetOperation failed")
}

// fail ends the wait for an error of a call.
func (s *handleState) fail(k *rpc, m moment) {
	if s.held != nil {
		s.end(s.held.state, m)
		return
	}
	f := failure{moment: m, code: k.code}
	if k.code == codes.Unauthenticated || k.code == codes.PermissionDenied {
		f.of = k.by
		s.extra++
	}
	s.failures = append(s.failures, f)
	for _, v := range s.present {
		if _, to := s.c.present(v, s.i); to.at != m.at && (f.of == nil || f.of == v) && v.mustEnd() && !s.left(v, m) {
			s.complain(m, "%v does not end with an error that ends waiting: %v", v, k)
		}
	}
	s.present = slices.DeleteFunc(s.present, func(v *visit) bool {
		return (v.Do == doWaitAll || v.Do == doWaitAny) && (f.of == nil || f.of == v)
	})
	if len(s.present) == 0 {
		s.stop()
		return
	}
	s.expect(window{m.at, m.at}, "the other callers wait with their own credentials")
}

// left reports whether a group is left at a time, and so waits no more for those
// that ended then.
func (s *handleState) left(v *visit, m moment) bool { return v.left && v.to.at == m.at }

// told takes in an answer to a call that no wait made, or that a wait has given
// up.
func (s *handleState) told(k *rpc, m moment) {
	if k.failed && k.code == codes.ResourceExhausted && !k.final {
		s.client.quotaEnd = m.at + slower
	}
	if k.failed {
		return
	}
	s.late(m)
	s.calls++
	s.extra++
	if k.hint > 0 {
		s.notBefore = m.at + min(k.hint, longestHint)
	}
	held := s.held
	s.answered(m)
	switch {
	case k.done && held != nil:
		s.client.trusted = true
		s.end(k.state, m)
	case k.done:
		s.end(k.state, m)
	case s.open != nil || len(s.present) == 0:
		if held != nil {
			s.held = nil
			s.client.refuse(never, m)
		}
	default:
		s.got(k, m)
	}
}

// end is the answer by which it is known to be done.
func (s *handleState) end(outcome string, m moment) {
	if s.done.known() {
		return
	}
	s.done, s.outcome = m, outcome
	s.idle()
	for _, v := range s.present {
		if _, to := s.c.present(v, s.i); to.at != m.at && v.mustEnd() && !s.left(v, m) {
			s.complain(m, "%v does not end when it is done: %s", v, outcome)
		}
	}
}

func (s *handleState) cancelEnds(k *rpc, m moment) {
	s.client.cancels--
	if k.failed || s.done.known() {
		return
	}
	s.late(m)
	s.extra++
	if s.open != nil || len(s.present) == 0 {
		s.soon, s.again = true, s.open != nil && s.open.from.at < m.at
		return
	}
	s.expect(window{m.at, m.at}, "it was cancelled")
	if !s.surely() {
		s.idle()
		s.soon = true
	}
}
