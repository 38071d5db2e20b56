package lro

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Policy controls how often an operation is polled and which poll errors are
// retried. The zero value of each field means its default, and the zero Policy is
// the default one. A Policy must not be modified once a client or method has it.
//
// When the service asks to be called again later, by RetryInfo, retry-after or
// grpc-retry-pushback-ms, that wins over the schedule, up to 10 minutes.
//
// There is no limit on the whole wait: that is what ctx is for. Tests need no
// Policy of their own: in a bubble of testing/synctest waiting takes no time.
type Policy struct {
	// FirstPoll is the delay of the first poll after an operation was
	// started. Default 100 ms. An operation resumed by name is polled at once.
	FirstPoll time.Duration
	// Multiplier is the ratio of each interval to the one before, if no other
	// poll is made: the interval after a poll is FirstPoll plus (Multiplier-1)
	// times the time since the operation was started, or first waited for.
	// Default 1.3, so that a result is found late by at most about 0.1 s plus
	// 30 % of the elapsed time. At least 1.
	Multiplier float64
	// MaxInterval is the longest interval between two polls. Default 20 s.
	MaxInterval time.Duration
	// Jitter spreads each interval by up to this part of it in both
	// directions. Default 0.1; negative means none. At most 1.
	Jitter float64

	// AttemptTimeout bounds each poll, whatever deadline ctx has. Default
	// 20 s. Over gRPC, GetOperation does not send it as its deadline: the service
	// learns of the end when the call is cancelled.
	AttemptTimeout time.Duration
	// LongPoll is how long one WaitOperation asks the service to wait, if it has
	// that method. Default 30 s; negative means never to use it.
	LongPoll time.Duration

	// NextPoll, if set, is called when a wait begins, with the whole policy, and
	// returns a function. That function is called after each GetOperation that
	// finds the operation still running, with how long the wait has lasted, and
	// returns the delay before the next poll; 0 keeps the schedule. A delay of
	// more than MaxInterval counts as MaxInterval, and what the service asks for
	// wins over it. [AimByProgress] is one. Default nil.
	NextPoll func(p Policy) func(s Raw, waited time.Duration) time.Duration

	// PlainSchedule keeps to the schedule of the fields above: nothing is
	// learned from the operations, and nothing that was learned is used.
	// Default false: the client polls an operation at the age at which earlier
	// operations of its method ended. It makes at most two polls more than by
	// the fields above, and no pause is longer than MaxInterval.
	PlainSchedule bool

	// SoftErrors is how many polls in a row may fail with INTERNAL, UNKNOWN,
	// ABORTED or CANCELLED (by the service), or with an answer that is not the
	// service's, such as the page of a proxy. Waiting ends with the next one,
	// unless they have lasted less than SoftErrorTime. Default 5; negative means
	// that the first ends the wait.
	//
	// UNAVAILABLE, DEADLINE_EXCEEDED and RESOURCE_EXHAUSTED of a poll are
	// retried as long as ctx lasts. After RESOURCE_EXHAUSTED the client makes
	// fewer polls a second, for all of its operations, until they succeed again.
	// All other codes but NOT_FOUND (see NotFoundGrace) end the wait at once.
	SoftErrors int
	// SoftErrorTime is how long such errors are tolerated at least, however
	// many polls fail: a restart behind a proxy takes seconds, and an operation
	// is polled five or six times in its first second. Default 30 s; negative
	// means that SoftErrors alone counts.
	SoftErrorTime time.Duration
	// NotFoundGrace is how long polls may fail with NOT_FOUND before the
	// operation was seen once, for services whose replicas lag; then the wait
	// ends with [ErrNotFound]. At least one poll is repeated. Default 3 s;
	// negative means that the first NOT_FOUND ends the wait. Once the operation
	// has been seen, NOT_FOUND ends the wait with [ErrGone]; in the first 30 s,
	// only the second in a row does.
	NotFoundGrace time.Duration
}

// maxPolicyDuration is what longer durations count as, so that sums of them do
// not overflow.
const maxPolicyDuration = 1 << 61

// maxHint is the longest that a service may ask to stay away with RetryInfo,
// retry-after or grpc-retry-pushback-ms; a longer hint counts as this.
const maxHint = 10 * time.Minute

var defaultPolicy = Policy{
	FirstPoll:      100 * time.Millisecond,
	Multiplier:     1.3,
	MaxInterval:    20 * time.Second,
	Jitter:         0.1,
	AttemptTimeout: 20 * time.Second,
	LongPoll:       30 * time.Second,
	SoftErrors:     5,
	SoftErrorTime:  30 * time.Second,
	NotFoundGrace:  3 * time.Second,
}

// withDefaults fills in what is zero. It fails on what makes no sense.
func (p Policy) withDefaults() (Policy, error) {
	d := defaultPolicy
	switch {
	case p.FirstPoll < 0:
		return p, fmt.Errorf("policy: FirstPoll is negative (%v)", p.FirstPoll)
	case p.MaxInterval < 0:
		return p, fmt.Errorf("policy: MaxInterval is negative (%v)", p.MaxInterval)
	case p.AttemptTimeout < 0:
		return p, fmt.Errorf("policy: AttemptTimeout is negative (%v)", p.AttemptTimeout)
	case p.Multiplier != 0 && !(p.Multiplier >= 1) || math.IsInf(p.Multiplier, 0):
		return p, fmt.Errorf("policy: Multiplier is %v, want a number of at least 1", p.Multiplier)
	case !(p.Jitter <= 1):
		return p, errors.New("policy: Jitter is over 1")
	case 0 < p.NotFoundGrace && p.NotFoundGrace < time.Microsecond:
		return p, fmt.Errorf("policy: NotFoundGrace is %v, want a duration, not a number of polls", p.NotFoundGrace)
	}
	setDefault(&p.FirstPoll, d.FirstPoll)
	setDefault(&p.Multiplier, d.Multiplier)
	setDefault(&p.MaxInterval, d.MaxInterval)
	setDefault(&p.Jitter, d.Jitter)
	setDefault(&p.AttemptTimeout, d.AttemptTimeout)
	setDefault(&p.LongPoll, d.LongPoll)
	setDefault(&p.SoftErrors, d.SoftErrors)
	setDefault(&p.SoftErrorTime, d.SoftErrorTime)
	setDefault(&p.NotFoundGrace, d.NotFoundGrace)
	for _, v := range []*time.Duration{&p.FirstPoll, &p.MaxInterval, &p.AttemptTimeout, &p.LongPoll, &p.SoftErrorTime, &p.NotFoundGrace} {
		*v = min(*v, maxPolicyDuration)
	}
	p.FirstPoll = min(p.FirstPoll, p.MaxInterval)
	p.Jitter = max(p.Jitter, 0)
	return p, nil
}

func setDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// nextPoll returns NextPoll's function for a wait that begins at begun, by clock.
func (p *Policy) nextPoll(begun time.Duration) func(Raw) time.Duration {
	next := p.NextPoll(*p)
	return func(s Raw) time.Duration {
		return min(max(next(s, elapsedSince(begun, clock())), 0), p.MaxInterval)
	}
}

// interval returns the plain interval that follows a poll made when elapsed has
// passed since the schedule began, before jitter. At the polls of the schedule
// itself that is the geometric series of FirstPoll and Multiplier. It depends on
// time alone, so that polls beside the schedule, failed ones, and waiters that
// come and go do not lengthen it.
func (p *Policy) interval(elapsed time.Duration) time.Duration {
	next := float64(p.FirstPoll) + float64(max(elapsed, 0))*(p.Multiplier-1)
	if next >= float64(p.MaxInterval) {
		return p.MaxInterval
	}
	return time.Duration(math.Round(next))
}

// jittered spreads d by the random number r in [-1, 1), within MaxInterval.
func (p *Policy) jittered(d time.Duration, r float64) time.Duration {
	return time.Duration(min(float64(d)*(1+p.Jitter*r), float64(p.MaxInterval)))
}

// plainPolls returns how many polls the plain schedule has made when elapsed
// has passed, without jitter.
func (p *Policy) plainPolls(elapsed time.Duration) int {
	first, growth, t := p.FirstPoll.Seconds(), p.Multiplier-1, elapsed.Seconds()+1e-9 // plainAt rounds up by less
	n, at := p.growing()
	if t >= at {
		return n + int((t-at)/p.MaxInterval.Seconds())
	}
	if growth == 0 {
		return int(t / first)
	}
	return int(math.Log1p(t*growth/first) / math.Log(p.Multiplier))
}

// plainAt returns when the plain schedule makes its nth poll, without jitter.
func (p *Policy) plainAt(n int) time.Duration {
	first, growth := p.FirstPoll.Seconds(), p.Multiplier-1
	m, at := p.growing()
	switch {
	case n <= 0:
		return 0
	case n > m:
		at += float64(n-m) * p.MaxInterval.Seconds()
	case growth == 0:
		at = float64(n) * first
	default:
		at = first / growth * (math.Pow(p.Multiplier, float64(n)) - 1)
	}
	return time.Duration(math.Ceil(at * float64(time.Second)))
}

// growing returns how many polls the plain schedule makes before its interval
// is MaxInterval, and when it makes the last of these, in seconds.
func (p *Policy) growing() (int, float64) {
	first, growth, longest := p.FirstPoll.Seconds(), p.Multiplier-1, p.MaxInterval.Seconds()
	if first >= longest {
		return 0, 0
	}
	if growth == 0 {
		return math.MaxInt32, math.Inf(1)
	}
	n := math.Ceil(math.Log(longest/first) / math.Log(p.Multiplier))
	return int(n), first / growth * (math.Pow(p.Multiplier, n) - 1)
}
