package lro

import (
	"cmp"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/go-lro/lro/internal/progress"
)

// The startAge of an operation that was resumed: before its first state, and if that
// does not say when the operation was started.
const (
	unknownAge = time.Duration(-1)
	noAge      = time.Duration(-2)
)

// identifyMethod finds what was learned of a new operation's method: by its name, its
// types, or its metadata.
func (c *core) identifyMethod(name, response, metadata string) {
	switch {
	case c.policy.PlainSchedule:
	case name != "":
		c.durations = c.client.learned.of(name)
	case openType(response) != "" && openType(metadata) != "":
		c.durations = c.client.learned.of(response + " " + metadata)
	default:
		c.identifyLocked(c.view)
	}
}

// identifyLocked reads from a state of the operation which method it is of, if neither
// the method's name nor its types say so, and how long an operation that was resumed
// has been running.
func (c *core) identifyLocked(v view) {
	w := &c.wait
	if c.policy.PlainSchedule || w.begun == 0 {
		return
	}
	src, ok := Raw{c.name, v}.Metadata()
	if !ok {
		return
	}
	f := progress.OfAny(src, nil)
	if c.durations == nil {
		c.durations = c.client.learned.of(f.Type + " " + f.Kind)
	}
	if w.startAge != unknownAge {
		return
	}
	w.startAge = noAge
	if started := cmp.Or(f.Created, f.Started); !started.IsZero() {
		since := elapsedSince(w.begun, clock())
		w.startAge = max(time.Since(started), f.Updated.Sub(started), since) - since
	}
}

// ageLocked returns how long the operation has been running, and whether that is
// known.
func (c *core) ageLocked(now time.Duration) (time.Duration, bool) {
	w := &c.wait
	return w.startAge + elapsedSince(w.begun, now), c.durations != nil && w.begun != 0 && w.startAge >= 0
}

// recordStateLocked records until when the operation was running, or when it ended,
// in what was learned of its method. It is called for every state, with and without
// callers that wait. A cancelled operation teaches nothing about its duration.
func (c *core) recordStateLocked(v view) {
	if c.wait.startAge == unknownAge {
		c.identifyLocked(v)
	}
	age, ok := c.ageLocked(clock())
	if !ok || v.done && v.code == codes.Canceled {
		return
	}
	from := age
	if c.view.at != 0 {
		from -= time.Duration(v.at - c.view.at)
	}
	c.durations.record(from, age, v.done)
}

// learnedLocked returns the pause that was learned for the time after an answer; 0
// for none.
func (c *core) learnedLocked(o observation, a answer, now time.Duration) time.Duration {
	age, ok := c.ageLocked(now)
	if !ok || o.done || o.err != nil || o.longPoll {
		return 0
	}
	since := max(o.age, 0)
	after := c.durations.pause(c.policy, age-since, o.elapsed-since, o.polls)
	if o.call != calledGet || c.wait.lane == nil {
		return after
	}
	x := c.wait.ensureExtra()
	if x.forecast == nil {
		x.forecast = c.durations.forecast(c.policy)
	}
	return c.durations.aimed(x.forecast, Raw{c.name, a.view}, age, after)
}

// scoreForecastLocked ends the forecast of a wait that ends, which may be nil.
func (c *core) scoreForecastLocked(f *forecast) {
	took, _ := c.ageLocked(clock())
	if !c.view.done || c.view.code == codes.Canceled {
		took = 0
	}
	c.durations.score(f, took)
}
