package lro

import (
	"math"
	"time"

	"google.golang.org/grpc/codes"
)

// This file decides what a wait does next. The decision is a pure function of the
// policy, the state of the wait and what was just observed; nothing here blocks, reads
// a clock or draws a random number. Waits (wait.go) call it.

// action is what a wait does next.
type action uint8

const (
	doGet    action = iota // call GetOperation
	doWait                 // call WaitOperation
	doFinish               // end with the answer just seen, or the one that was held
	doFail                 // end with an error
)

// pollState is what the policy remembers of one operation between polls.
type pollState struct {
	since  time.Duration // elapsed at the first of the failed polls
	failed int32         // polls in a row, all of one kind; any other outcome ends the row
	kind   failure       // of these
	seen   bool          // the service has answered for it
	check  check
	missed bool // WaitOperation said NOT_FOUND; it is not used for this operation again
}

// check is what the next answer of GetOperation decides beside the state.
type check uint8

const (
	nothing check = iota
	confirm       // whether the operation is done, as WaitOperation said
	suspect       // why WaitOperation was refused
)

// failure is how a failed call counts.
type failure uint8

const (
	transient failure = iota // says nothing about the operation; tolerated as long as ctx lasts
	soft                     // tolerated for a while
	missing                  // NOT_FOUND, of the service itself
	final
)

// fail counts a failed poll and returns how many there are in a row, over how
// long.
func (s *pollState) fail(kind failure, elapsed time.Duration) (count int, over time.Duration) {
	if s.kind != kind || s.failed == 0 {
		s.since, s.failed, s.kind = elapsed, 0, kind
	}
	s.failed++
	return int(s.failed), elapsed - s.since
}

// observation is what happened since the last decision.
type observation struct {
	call  callKind
	err   error         // of the call; nil when it was answered
	took  time.Duration // the call
	asked time.Duration // the timeout of WaitOperation
	hint  time.Duration // when the service asked to be called again; 0 for no hint

	aim     time.Duration // what Policy.NextPoll returned; 0 for nothing
	learned time.Duration // the pause learned from earlier operations of the method; 0 for none
	polls   int           // made since the schedule began; needed with learned

	done    bool // the answer is done
	decodes bool // and its result is what the caller expects

	elapsed  time.Duration // since the operation's schedule began, at the end of the call
	age      time.Duration // beginOfWait: since the last answer; negative for none
	longPoll bool          // WaitOperation may be used now
	trusted  bool          // WaitOperation's answers proved true before
	watched  bool          // a caller iterates over progress
	jitter   float64       // random, in [-1, 1)
}

type callKind uint8

const (
	beginOfWait callKind = iota // no call yet
	calledGet
	calledWait
	interrupted // a WaitOperation was given up to poll now
)

// decision is what to do, and when.
type decision struct {
	action  action
	after   time.Duration
	timeout time.Duration // of a WaitOperation
	err     error         // for doFail

	// noLongPoll makes the client stop using WaitOperation for this long; forever
	// for good.
	noLongPoll time.Duration
	// doubt is set if WaitOperation does not know an operation that GetOperation
	// knows.
	doubt bool
}

const (
	forever = time.Duration(1<<63 - 1)
	// longPollPause is for how long a service whose WaitOperation is refused
	// (PERMISSION_DENIED and the like) is polled before it is tried again.
	longPollPause = 10 * time.Minute
	// longPollDoubts is how many operations in a row WaitOperation may not know
	// before the client stops using it: a server without the method may answer
	// NOT_FOUND.
	longPollDoubts = 3
	// usefulWait is how long a WaitOperation that returns early must have
	// taken to be worth repeating without a pause.
	usefulWait = time.Second
	// earlyLife is for how long after the beginning of its schedule an operation
	// that was seen may be missing once: a replica that lags may answer after
	// one that does not.
	earlyLife = 30 * time.Second
)

// next decides what follows o.
func (p *Policy) next(s pollState, o observation) (pollState, decision) {
	o.longPoll = o.longPoll && !s.missed
	switch {
	case o.call == beginOfWait:
		return p.afterBegin(s, o)
	case o.call == interrupted:
		return s, decision{action: doGet}
	case o.call == calledWait && o.err != nil:
		return p.afterWaitError(s, o)
	case o.err != nil:
		return p.afterGetError(s, o)
	}
	s.failed, s.seen = 0, true
	if o.done {
		return p.afterDone(s, o)
	}
	return p.afterPending(s, o)
}

func (p *Policy) afterBegin(s pollState, o observation) (pollState, decision) {
	s.failed = 0 // of another wait, maybe long ago
	if o.age < 0 {
		return s, decision{action: doGet}
	}
	if o.longPoll {
		return p.longPoll(s, o, 0)
	}
	o.elapsed -= o.age // from when the state was learnt
	return s, decision{action: doGet, after: max(0, p.step(o)-o.age)}
}

func (p *Policy) afterDone(s pollState, o observation) (pollState, decision) {
	if o.call == calledWait && (!o.trusted || !o.decodes) {
		s.check = confirm
		return s, decision{action: doGet}
	}
	return s, decision{action: doFinish}
}

func (p *Policy) afterPending(s pollState, o observation) (pollState, decision) {
	if o.call == calledGet {
		if s.check == confirm {
			// WaitOperation said done and GetOperation denies it: believe the
			// method that the specification makes mandatory.
			s.check = nothing
			return s, decision{action: doGet, after: p.delay(o), noLongPoll: forever}
		}
		if s.check == suspect {
			s.check = nothing
			if s.missed {
				// No reason to poll all other operations too: the replica that
				// answered may lag.
				return s, decision{action: doGet, after: p.delay(o), doubt: true}
			}
			return s, decision{action: doGet, after: p.delay(o), noLongPoll: longPollPause}
		}
		if o.longPoll && o.hint == 0 {
			return p.longPoll(s, o, 0)
		}
		return s, decision{action: doGet, after: p.delay(o)}
	}
	if !o.longPoll {
		return s, decision{action: doGet, after: p.delay(o)}
	}
	var after time.Duration
	if o.hint > 0 {
		after = o.hint
	} else if early(o) && o.took < usefulWait {
		// The specification allows an answer at any time. A service that
		// answers at once, as a busy one may, must not be called in a tight
		// loop (kubernetes/autoscaler#6547).
		after = max(0, p.step(o)-o.took)
	}
	return p.longPoll(s, o, after)
}

// early reports whether WaitOperation returned clearly before its timeout.
func early(o observation) bool { return o.took < o.asked/10*9 }

// longPoll decides to call WaitOperation. A caller that watches progress gets an
// answer at least as often as by polling.
func (p *Policy) longPoll(s pollState, o observation, after time.Duration) (pollState, decision) {
	timeout := p.LongPoll
	if o.watched {
		timeout = min(timeout, p.step(o))
	}
	return s, decision{action: doWait, after: after, timeout: timeout}
}

func (p *Policy) afterWaitError(s pollState, o observation) (pollState, decision) {
	code := codeOf(o.err)
	switch {
	case (code == codes.DeadlineExceeded || code == codes.Canceled) && !early(o):
		// Some services answer the end of the wait with an error instead of
		// the state. That costs one more call and no delay.
		return s, decision{action: doGet}
	case permanent(o.err):
		return p.fail(s, o.err)
	case code == codes.Unimplemented && !o.trusted:
		return s, decision{action: doGet, noLongPoll: forever}
	}
	switch failureOf(o.err) {
	case transient, soft:
		return s, decision{action: doGet, after: p.delay(o)}
	}
	// The cause is the operation or the method. The answer of GetOperation tells
	// which.
	s.check, s.missed = suspect, code == codes.NotFound
	return s, decision{action: doGet}
}

func (p *Policy) afterGetError(s pollState, o observation) (pollState, decision) {
	kind := failureOf(o.err)
	count, over := s.fail(kind, o.elapsed)
	switch {
	case kind == final, kind == missing && s.check == confirm, kind == transient && s.check == confirm && p.softExceeded(count, over):
		return p.fail(s, o.err)
	case kind == soft && p.softExceeded(count, over):
		return p.fail(s, o.err)
	case kind == missing && !s.seen && (p.NotFoundGrace < 0 || count > 1 && over >= p.NotFoundGrace):
		return p.fail(s, ErrNotFound, o.err)
	case kind == missing && s.seen && (p.NotFoundGrace < 0 || count > 1 || o.elapsed > earlyLife):
		return p.fail(s, ErrGone, o.err)
	}
	return s, decision{action: doGet, after: p.delay(o)}
}

// softExceeded reports whether so many soft errors in a row, over such a time,
// are no longer tolerated.
func (p *Policy) softExceeded(count int, over time.Duration) bool {
	return count > p.SoftErrors && (p.SoftErrors <= 0 || over >= p.SoftErrorTime)
}

// fail ends the wait with errs. If WaitOperation has returned the outcome and
// GetOperation failed to confirm it, the wait ends with that outcome.
func (p *Policy) fail(s pollState, errs ...error) (pollState, decision) {
	if s.check == confirm {
		return s, decision{action: doFinish}
	}
	if len(errs) == 1 {
		return s, decision{action: doFail, err: errs[0]}
	}
	return s, decision{action: doFail, err: causes(errs)}
}

// delay returns the time until the next poll: what the service asked for, else what
// Policy.NextPoll returned, else the schedule's next interval.
func (p *Policy) delay(o observation) time.Duration {
	switch {
	case o.hint > 0:
		return o.hint
	case o.aim > 0:
		return o.aim
	case o.err != nil:
		// A call that failed late, as one that hung does, has used up its
		// interval: the next is not put off by what the call took.
		return max(p.step(o)-o.took, p.jittered(p.FirstPoll, o.jitter))
	}
	return p.step(o)
}

// step returns the schedule's next interval, with jitter: the learned one, if
// there is one, after a poll that was answered.
func (p *Policy) step(o observation) time.Duration {
	plain := p.jittered(p.interval(o.elapsed), o.jitter)
	switch {
	case o.learned == 0 || o.err != nil:
		return plain
	case o.watched: // progress is shown as often as by the plain schedule
		return min(p.paced(o), plain)
	}
	return p.paced(o)
}

// paced returns the time to the next poll, with jitter, where the pause was
// learned: long enough to keep to the budget, of which the polls are counted
// without jitter, and never more polls in a second than the plain schedule
// makes in its first, so that operations that started together do not add up.
func (p *Policy) paced(o observation) time.Duration {
	most := max(1, p.plainPolls(time.Second))
	soonest := p.plainAt(o.polls+1-learnSlack) - o.elapsed
	switch {
	case o.elapsed >= time.Second:
		soonest = max(soonest, time.Second/time.Duration(most))
	case o.polls >= most:
		soonest = max(soonest, time.Second-o.elapsed)
	}
	d := p.jittered(o.learned, o.jitter)
	if d < soonest {
		d = p.jittered(soonest, math.Abs(o.jitter))
	}
	return d
}
