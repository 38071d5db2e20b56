package lro

import (
	"iter"
	"math"
	"sync"
	"time"
)

// This file is what a client learns of how long the operations of a method
// take, and the pauses that follow from it. docs/waiting.md has the rule.

const (
	learnBins  = 330  // the last begins at 5.3 hours and has no end
	learnFirst = 0.05 // seconds, the end of the first bin
	learnRatio = 1.04 // of the ends of adjacent bins

	// learnSpan is ln(1 h / 0.2 s): while nothing is known, operations are as
	// likely to take 0.2 to 0.4 s as half an hour to an hour.
	learnSpan   = 9.8
	learnPrior  = 0.7  // weight of that assumption, in operations
	learnDecay  = 0.99 // of the weight of what was learned before, with each operation that ends
	learnSlack  = 2    // polls beyond those of the plain schedule by the same time
	learnPrice  = 0.93 // of a poll, in what the plain schedule pays
	learnThrift = 3    // polls left in that budget below which the price of one rises, at least
)

// durations is what is known of the durations of a method's operations: their
// hazard, in bins that are log-spaced. It is safe for concurrent use.
type durations struct {
	mu   sync.Mutex
	ends [learnBins]float32 // operations that ended in the bin
	risk [learnBins]float32 // seconds for which operations were known to be running in the bin
	seen float32            // operations that ended, all in all
	aims aims
}

// saw takes in that an operation was running when from had passed since its
// start, and that it was still running, or had ended, when to had passed.
func (d *durations) saw(from, to time.Duration, ended bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t0, t1 := max(from, 0).Seconds(), to.Seconds()
	if !(t0 < t1) {
		return
	}
	if !ended {
		for b, w := range d.bins(t0, t1) {
			*b.risk += float32(w)
		}
		return
	}
	for i := range d.ends {
		d.ends[i] *= learnDecay
		d.risk[i] *= learnDecay
	}
	d.seen = d.seen*learnDecay + 1
	// Where between the two it ended is likely as it is for the others.
	hazard := 0.0
	for b, w := range d.bins(t0, t1) {
		hazard += b.hazard() * w
	}
	all, _ := exponential(hazard)
	running, left := 1.0, 1.0
	for b, w := range d.bins(t0, t1) {
		ended, _ := exponential(b.hazard() * w)
		after := running * (1 - ended)
		part := (running - after) / all
		*b.ends += float32(part)
		*b.risk += float32(w * max(left-part/2, 0))
		running, left = after, left-part
	}
}

// pause returns the time from elapsed to the next poll of an operation that
// has been polled so often, before jitter; 0 while no other operation of the
// method is known. The operation's age is since its start, elapsed since the
// beginning of its schedule.
func (d *durations) pause(p *Policy, age, elapsed time.Duration, polls int) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.seen == 0 && d.risk[0] < 1.5*learnFirst {
		return 0
	}
	// A poll costs the lateness that the plain schedule accepts for one where
	// any duration is likely. It costs more when fewer are left than the plain
	// schedule will make until twice the time.
	interval := p.interval(elapsed).Seconds()
	price := learnPrice * interval * interval / (2 * (elapsed + p.FirstPoll).Seconds() * learnSpan)
	plain := p.plainPolls(elapsed)
	left := float64(plain + learnSlack - polls)
	ahead := float64(max(learnThrift, p.plainPolls(2*elapsed)-plain))
	price *= max(1, ahead/max(left, 0.5))
	return time.Duration(d.next(age.Seconds(), price, p.MaxInterval.Seconds()) * float64(time.Second))
}

// next returns the time from t to the next poll: when the lateness to be
// expected of an operation that is running at t has come to price.
func (d *durations) next(t, price, longest float64) float64 {
	running, spent := 1.0, 0.0 // the probability that it is, and the lateness
	for b, w := range d.bins(t, t+longest) {
		h := b.hazard()
		ended, late := exponential(h * w)
		if add := w * (1 - running + running*late); spent+add < price {
			spent, running = spent+add, running*(1-ended)
			continue
		}
		// Newton's method, from where the Taylor series has it.
		curve, slope := running*h/2, 1-running
		x := (math.Sqrt(slope*slope+4*curve*(price-spent)) - slope) / (2 * curve)
		for range 3 {
			ended, late := exponential(h * x)
			x -= (x*(1-running+running*late) - (price - spent)) / (1 - running*(1-ended))
		}
		return b.from + min(max(x, 0), w) - t
	}
	return longest
}

// exponential returns how much of an exponential distribution has ended after
// the time x, in means, and for which part of x that has been so on average.
func exponential(x float64) (ended, late float64) {
	if x < 0.01 {
		return x * (1 - x/2*(1-x/3)), x / 2 * (1 - x/3*(1-x/4))
	}
	ended = -math.Expm1(-x)
	return ended, 1 - ended/x
}

// bin is a part of the time since the start of operations.
type bin struct {
	ends, risk   *float32
	prior, width float64 // of an operation of which nothing is known: ends, and seconds at risk
	from         float64 // where the requested span begins in it
}

// hazard returns the rate, per second, at which operations end in the bin.
func (b bin) hazard() float64 {
	return (float64(*b.ends) + learnPrior*b.prior) / (float64(*b.risk) + learnPrior*b.width)
}

// bins yields the bins between two times, and how much of the time is in each.
func (d *durations) bins(t0, t1 float64) iter.Seq2[bin, float64] {
	return func(yield func(bin, float64) bool) {
		i, end := 0, learnFirst
		if t0 >= learnFirst {
			i = min(1+int(math.Log(t0/learnFirst)/math.Log(learnRatio)), learnBins-1)
			end = learnFirst * math.Pow(learnRatio, float64(i))
		}
		for from := t0; from < t1; i++ {
			b := bin{ends: &d.ends[i], risk: &d.risk[i], from: from}
			b.prior, b.width = 2*(learnRatio-1)/(learnRatio+1)/learnSpan, end*(1-1/learnRatio)
			if i == 0 {
				b.prior, b.width = 2/learnSpan, learnFirst
			}
			to := min(end, t1)
			if i == learnBins-1 {
				to = t1
			}
			if to > from && !yield(b, to-from) {
				return
			}
			from, end = max(from, to), end*learnRatio
		}
	}
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
