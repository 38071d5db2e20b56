package lro

import (
	"math"
	"sync"
	"time"
)

// rate limits the polls a second of a client whose service has answered
// RESOURCE_EXHAUSTED: a quota is one for all operations, so that slowing down
// those that were refused would only let the others use it up. Without such an
// answer there is no limit.
//
// It is the additive-increase, multiplicative-decrease of TCP Cubic (RFC 9438),
// in calls a second, as the adaptive mode of the AWS SDKs has it: a refusal
// sets the limit to a part of the rate that was reached, and success raises it,
// slowly near that rate. Growth is relative to that rate, since quotas are of
// one call a second and of thousands.
type rate struct {
	mu      sync.Mutex
	limit   float64       // calls a second; 0 for none
	next    time.Duration // before which the limit allows no call
	cut     time.Duration // when the limit was lowered last
	reached float64       // calls a second at that time

	bucket  time.Duration // when the calls below began to be counted
	calls   int
	average float64 // calls a second before that
}

const (
	rateBucket = 500 * time.Millisecond
	// rateCut is the part of the reached rate that a refusal leaves.
	rateCut = 0.7
	// rateBack is how long after a refusal the limit is at the reached rate again.
	rateBack = 10 * time.Second
	// rateCutEvery is how often the limit may fall: calls that are refused
	// together count once.
	rateCutEvery = time.Second
	// rateLeast is the lowest limit, in calls a second.
	rateLeast = 0.5
	// rateForgiven is how long after the last refusal there is no limit any more.
	rateForgiven = 5 * time.Minute
)

// wait returns how long no call may be made; 0 when one may be made now. All
// times are by clock.
func (r *rate) wait(now time.Duration) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.limit == 0:
		return 0
	case now < r.cut, now-r.cut > rateForgiven: // before: in another bubble of testing/synctest
		r.limit, r.next = 0, 0
		return 0
	}
	return max(0, r.next-now)
}

// spend counts a call that is made now.
func (r *rate) spend(now time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if over := now - r.bucket; over >= rateBucket || over < 0 {
		r.average = r.measuredLocked(now)
		r.bucket, r.calls = now, 0
	}
	r.calls++
	if r.limit > 0 {
		r.next = now + time.Duration(float64(time.Second)/r.limit)
	}
}

// learn takes in whether a call was refused for its rate.
func (r *rate) learn(now time.Duration, refused bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case refused && (r.limit == 0 || now-r.cut >= rateCutEvery):
		r.reached = r.measuredLocked(now)
		if r.limit > 0 {
			r.reached = min(r.reached, r.limit)
		}
		r.cut = now
		r.limit = max(r.reached*rateCut, rateLeast)
		r.next = max(r.next, now+time.Duration(float64(time.Second)/r.limit))
	case !refused && r.limit > 0:
		t := (now - r.cut - rateBack).Seconds() / rateBack.Seconds()
		r.limit = max(r.limit, min(r.reached*(1+(1-rateCut)*t*t*t), 2*r.measuredLocked(now)))
	}
}

// measuredLocked is the rate of calls: of the current bucket and, the less the
// longer ago, of those before.
func (r *rate) measuredLocked(now time.Duration) float64 {
	over := max(now-r.bucket, rateBucket).Seconds()
	weight := math.Exp(-over)
	return r.average*weight + float64(r.calls)/over*(1-weight)
}
