package lro

import (
	"cmp"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/go-lro/lro/internal/progress"
)

// The age of an operation that was resumed, before its first state and where
// that does not say when the operation was started.
const (
	unknownAge = time.Duration(-1)
	noAge      = time.Duration(-2)
)

// knowMethod finds what is known of a new operation's method: by its name, or
// its types, or by its metadata.
func (c *core) knowMethod(name, response, metadata string) {
	switch {
	case c.policy.PlainSchedule:
	case name != "":
		c.learnt = c.client.learned.of(name)
	case openType(response) != "" && openType(metadata) != "":
		c.learnt = c.client.learned.of(response + " " + metadata)
	default:
		c.meetLocked(c.view)
	}
}

// meetLocked finds out, with a state of an operation, which method it is of, if
// neither the method's name nor its types say so, and for how long one that was
// resumed has been running.
func (c *core) meetLocked(v view) {
	w := &c.wait
	if c.policy.PlainSchedule || w.begun == 0 {
		return
	}
	src, ok := Raw{c.name, v}.Metadata()
	if !ok {
		return
	}
	f := progress.OfAny(src, nil)
	if c.learnt == nil {
		c.learnt = c.client.learned.of(f.Type + " " + f.Kind)
	}
	if w.older != unknownAge {
		return
	}
	w.older = noAge
	if started := cmp.Or(f.Created, f.Started); !started.IsZero() {
		since := elapsedSince(w.begun, clock())
		w.older = max(time.Since(started), f.Updated.Sub(started), since) - since
	}
}

// ageLocked is for how long the operation has been running, as far as is known.
func (c *core) ageLocked(now time.Duration) (time.Duration, bool) {
	w := &c.wait
	return w.older + elapsedSince(w.begun, now), c.learnt != nil && w.begun != 0 && w.older >= 0
}

// teachLocked takes a state into what is known of the method. Whether it came
// of a poll, a long poll or a single call, and with or without a caller that
// waits for the end, it says until when the operation was running. A cancelled
// operation says nothing of when it would have ended.
func (c *core) teachLocked(v view) {
	if c.wait.older == unknownAge {
		c.meetLocked(v)
	}
	age, ok := c.ageLocked(clock())
	if !ok || v.done && v.code == codes.Canceled {
		return
	}
	from := age
	if c.view.at != 0 {
		from -= time.Duration(v.at - c.view.at)
	}
	c.learnt.saw(from, age, v.done)
}

// learnedLocked returns the pause that what is known of the method suggests
// after an answer, 0 for none.
func (c *core) learnedLocked(o observation, a answer, now time.Duration) time.Duration {
	age, ok := c.ageLocked(now)
	if !ok || o.done || o.err != nil || o.longPoll {
		return 0
	}
	since := max(o.age, 0)
	after := c.learnt.pause(c.policy, age-since, o.elapsed-since, o.polls)
	if o.call != calledGet || c.wait.lane == nil {
		return after
	}
	x := c.wait.more()
	if x.forecast == nil {
		x.forecast = c.learnt.forecast(c.policy)
	}
	return c.learnt.aimed(x.forecast, Raw{c.name, a.view}, age, after)
}

// judgeLocked ends the forecast of a wait that ends.
func (c *core) judgeLocked(f *forecast) {
	took, _ := c.ageLocked(clock())
	if !c.view.done || c.view.code == codes.Canceled {
		took = 0
	}
	c.learnt.judge(f, took)
}
