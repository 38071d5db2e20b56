package future

import (
	"cmp"
	"math"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/go-lro/lro"
)

// rules is a policy as its documentation has it.
type rules struct{ lro.Policy }

func rulesOf(p lro.Policy) rules {
	p.FirstPoll = cmp.Or(p.FirstPoll, 100*time.Millisecond)
	p.Multiplier = cmp.Or(p.Multiplier, 1.3)
	p.MaxInterval = cmp.Or(p.MaxInterval, 20*time.Second)
	p.FirstPoll = min(p.FirstPoll, p.MaxInterval)
	p.Jitter = max(0, cmp.Or(p.Jitter, 0.1))
	p.AttemptTimeout = cmp.Or(p.AttemptTimeout, 20*time.Second)
	p.LongPoll = cmp.Or(p.LongPoll, 30*time.Second)
	p.SoftErrors = cmp.Or(p.SoftErrors, 5)
	p.SoftErrorTime = cmp.Or(p.SoftErrorTime, 30*time.Second)
	p.NotFoundGrace = cmp.Or(p.NotFoundGrace, 3*time.Second)
	return rules{p}
}

// window is when the next call may begin.
type window struct{ from, to time.Duration }

const never = time.Duration(math.MaxInt64)

func (w window) plus(d time.Duration) window {
	w.from += d
	if w.to != never {
		w.to += d
	}
	return w
}

// atLeast puts off what comes before d.
func (w window) atLeast(d time.Duration) window { return window{max(w.from, d), max(w.to, d)} }

// interval is the plain one after so much time, and spread the pauses that
// jitter makes of it.
func (r rules) interval(elapsed time.Duration) time.Duration {
	next := float64(r.FirstPoll) + float64(max(elapsed, 0))*(r.Multiplier-1)
	return time.Duration(min(next, float64(r.MaxInterval)))
}

func (r rules) spread(d time.Duration) window {
	return window{
		time.Duration(min(float64(d)*(1-r.Jitter), float64(r.MaxInterval))),
		time.Duration(min(float64(d)*(1+r.Jitter), float64(r.MaxInterval))),
	}
}

// counter counts the polls of the plain schedule, with all its intervals
// shortened to a part.
type counter struct {
	part float64
	next float64
	n    int
}

// until returns how many there are by then. Times must not fall.
func (c *counter) until(r rules, elapsed time.Duration) int {
	for {
		next := c.next + max(1, c.part*float64(r.interval(time.Duration(c.next))))
		if next > float64(elapsed)+1000 {
			return c.n
		}
		c.next, c.n = next, c.n+1
	}
}

// weight is how an error of GetOperation counts.
type weight int

const (
	passing weight = iota
	soft
	missing
	final
)

func weightOf(a answer) weight {
	switch {
	case a.final:
		return final
	case a.code == codes.Unavailable, a.code == codes.DeadlineExceeded, a.code == codes.ResourceExhausted:
		return passing
	case a.code == codes.Internal, a.code == codes.Unknown, a.code == codes.Aborted, a.code == codes.Canceled:
		return soft
	case a.code == codes.NotFound:
		return missing
	}
	return final
}
