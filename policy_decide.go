package lro

import (
	"math"
	"time"

	"google.golang.org/grpc/codes"
)

// This file is the whole waiting policy: a pure function from what is known
// and what was just observed to what is done next. Waits (wait.go) drive it;
// nothing in it blocks, reads a clock or draws a random number.

// action is what a driver does next.
type action uint8

const (
	doGet    action = iota // ask GetOperation
	doWait                 // ask WaitOperation
	doFinish               // publish the answer just seen, or held back, and end
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

// check is what the next answer of GetOperation tells beside the state.
type check uint8

const (
	nothing check = iota
	confirm       // WaitOperation said done: whether that is so
	suspect       // WaitOperation was refused: why
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
	asked time.Duration // what WaitOperation was asked to wait
	hint  time.Duration // when the service asked to be called again; 0 for no word

	aim     time.Duration // what Policy.NextPoll proposes; 0 for no word
	learned time.Duration // what earlier operations of the method propose; 0 for no word
	polls   int           // made since the schedule began; needed with learned

	done    bool // the answer is done
	decodes bool // and its result is what the caller expects

	elapsed  time.Duration // since the operation's schedule began, at the end of the call
	age      time.Duration // beginOfWait: since the state was learnt; negative when never
	longPoll bool          // WaitOperation may be used now
	trusted  bool          // WaitOperation's answers proved true before
	watched  bool          // somebody iterates over progress
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
	timeout time.Duration // for doWait: what to ask for
	err     error         // for doFail

	// noLongPoll tells the client that WaitOperation does not help, for this
	// long; forever where it will not change.
	noLongPoll time.Duration
	// doubt tells the client that WaitOperation does not know an operation that
	// GetOperation knows.
	doubt bool
}

const (
	forever = time.Duration(1<<63 - 1)
	// longPollPause is for how long a service whose WaitOperation is refused
	// (PERMISSION_DENIED and the like) is polled before it is tried again.
	longPollPause = 10 * time.Minute
	// longPollDoubts is how many operations in a row WaitOperation may not know
	// before it is taken for refused: that is also what a server without the
	// method may answer.
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
				// Not a reason to poll all others too: the replica that was asked
				// may lag.
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

// early reports whether WaitOperation returned clearly before it was asked to.
func early(o observation) bool { return o.took < o.asked/10*9 }

// longPoll decides for WaitOperation. Somebody who watches progress gets an
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
		// the state. That costs one more question, no delay.
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
	// Either the operation is the problem or the method is: GetOperation
	// tells.
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

// fail ends the wait, unless WaitOperation has already told how the operation
// ended and only the confirmation could not be had.
func (p *Policy) fail(s pollState, errs ...error) (pollState, decision) {
	if s.check == confirm {
		return s, decision{action: doFinish}
	}
	if len(errs) == 1 {
		return s, decision{action: doFail, err: errs[0]}
	}
	return s, decision{action: doFail, err: causes(errs)}
}

// delay is the time until the next poll: what the service asked for, else what
// the policy's hint proposes, else the schedule's next interval.
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
