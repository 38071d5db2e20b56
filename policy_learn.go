package lro

import (
	"iter"
	"math"
	"slices"
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

// learnEnds are the ends of the bins and learnWidths their widths, in seconds. The
// last has no end; its width is that of a bin.
var learnEnds, learnWidths = func() (ends, widths [learnBins]float64) {
	ends[0], widths[0] = learnFirst, learnFirst
	for i := 1; i < learnBins; i++ {
		ends[i], widths[i] = ends[i-1]*learnRatio, ends[i-1]*(learnRatio-1)
	}
	ends[learnBins-1] = math.Inf(1)
	return ends, widths
}()

// durations is what is known of the durations of a method's operations: their
// hazard, in bins that are log-spaced. It is safe for concurrent use.
type durations struct {
	mu   sync.Mutex
	ends [learnBins]float32 // operations that ended in the bin
	risk [learnBins]float32 // operations known to be running in it, by the part of its width
	aims aims
}

// record records that an operation was running when from had passed since its start,
// and that it was still running, or had ended, when to had passed.
func (d *durations) record(from, to time.Duration, ended bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t0, t1 := max(from, 0).Seconds(), to.Seconds()
	hazard := 0.0 // between the two
	if ended && t0 < t1 {
		for i := range d.ends {
			d.ends[i] *= learnDecay
			d.risk[i] *= learnDecay
		}
		for i, w := range bins(t0, t1) {
			hazard += d.hazard(i) * w
		}
	}
	running, left := 1.0, 1.0
	for i, w := range bins(t0, t1) {
		part := 0.0
		if ended { // where between the two is as likely as it is for the others
			after := running * math.Exp(-d.hazard(i)*w)
			part, running = (after-running)/math.Expm1(-hazard), after
		}
		d.ends[i] += float32(part)
		d.risk[i] += float32(w / learnWidths[i] * max(left-part/2, 0))
		left -= part
	}
}

// pause returns the time from elapsed to the next poll of an operation that
// has been polled so often, before jitter; 0 while no other operation of the
// method is known. The operation's age is since its start, elapsed since the
// beginning of its schedule.
func (d *durations) pause(p *Policy, age, elapsed time.Duration, polls int) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.risk[0] < 1.5 && slices.Max(d.ends[:]) == 0 {
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
	running, after := 1.0, 0.0 // the probability that it is, so long after t
	for i, w := range bins(t, t+longest) {
		h := d.hazard(i)
		still := running * math.Exp(-h*w)
		if late := w - (running-still)/h; late < price {
			running, after, price = still, after+w, price-late
			continue
		}
		// Newton's method, from where the Taylor series has it.
		x := (math.Sqrt((1-running)*(1-running)+2*running*h*price) - (1 - running)) / (running * h)
		for range 3 {
			still = running * math.Exp(-h*x)
			x -= (x - (running-still)/h - price) / (1 - still)
		}
		return after + min(max(x, 0), w)
	}
	return longest
}

// hazard returns the rate, per second, at which operations end in a bin.
func (d *durations) hazard(i int) float64 {
	prior := 2 * (learnRatio - 1) / (learnRatio + 1) / learnSpan // ends of an operation of which nothing is known
	if i == 0 {
		prior = 2 / learnSpan
	}
	return (float64(d.ends[i]) + learnPrior*prior) / ((float64(d.risk[i]) + learnPrior) * learnWidths[i])
}

// bins yields the bins between two times, and how much of the time is in each.
func bins(t0, t1 float64) iter.Seq2[int, float64] {
	return func(yield func(int, float64) bool) {
		i, _ := slices.BinarySearch(learnEnds[:], t0)
		for from := t0; from < t1; i++ {
			to := min(learnEnds[i], t1)
			if to > from && !yield(i, to-from) {
				return
			}
			from = to
		}
	}
}
