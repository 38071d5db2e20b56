package lro

import (
	"math"
	"time"

	"github.com/go-lro/lro/internal/progress"
)

// AimByProgress is a [Policy].NextPoll that reads progress from the metadata
// and aims the next poll at the predicted end, so that an operation with steady
// progress is found done sooner, with fewer polls. Where there is no progress,
// or it makes no sense, polls follow the plain schedule. When progress slows
// down or stalls, the end is found no later than with that schedule. An
// operation whose progress jumps to the end may be found later, within
// MaxInterval.
//
// Without it, the client uses progress only once it has proved accurate for a
// method, and makes at most two polls more than the plain schedule.
//
// It understands metadata with a percentage (progress_percent,
// progress_percentage, percent_complete, percent_done, completion_percentage and
// the like, or a number named progress, in percent or as a fraction), or with
// done of total (done and total, completed_work and estimated_work,
// work_completed and work_estimated and the like), at the top or in a message or
// list named progress. The metadata's type must be linked into the program,
// unless it was read from JSON by package lrohttp.
func AimByProgress(p Policy) func(Raw, time.Duration) time.Duration {
	a := &aim{policy: p}
	return a.next
}

// aim forecasts one operation. The rule was found by simulating operations of
// many shapes; docs/waiting.md has it with its figures.
type aim struct {
	policy    Policy
	readings  []reading
	unchanged int // readings in a row that brought nothing new

	updated     time.Time     // the latest update time, by the service's clock
	updatedSeen time.Duration // how long had been waited when it was seen first
}

// reading is a percentage seen at a time, in seconds since the beginning.
type reading struct{ t, p float64 }

const (
	aimFrom     = 1.0  // percent below which speed is not known
	aimMinGap   = 0.75 // seconds
	aimReadings = 64   // kept; thinned out beyond
)

func (a *aim) next(s Raw, waited time.Duration) time.Duration {
	src, ok := s.Metadata()
	if !ok {
		return 0
	}
	f := progress.OfAny(src, nil)
	if f.Percent < 0 {
		return 0
	}
	return a.after(a.elapsed(f, waited).Seconds(), f.Percent, waited.Seconds())
}

// after takes a reading p at the time t of the operation's life, and returns
// the time until the next poll; 0 leaves it to the schedule.
func (a *aim) after(t, p, waited float64) time.Duration {
	if math.IsNaN(p) || p < 0 || p > 100 || t <= 0 {
		return 0
	}
	if n := len(a.readings); n > 0 && a.readings[n-1].p == p {
		a.unchanged++
	} else {
		a.unchanged = 0
	}
	defer a.keep(reading{t, p})
	if p < aimFrom {
		return 0
	}
	speed, fastest := (p+0.5)/t, (p+1)/t // percent a second; p is rounded
	doubt := false
	if from, ok := a.window(t); ok {
		dt, dp, tolerance := t-from.t, p-from.p, 1+0.05*p
		if math.Abs(dp-speed*dt) > tolerance {
			doubt = true
			speed = max(dp/dt, 0.25/dt)
		}
		fastest = max(fastest, (dp-tolerance)/dt)
	}
	gap := max(aimMinGap, 0.01*t)
	early := t // before which the end is not to be expected
	target := t + max(gap*math.Pow(1.3, float64(a.unchanged)), (99.5-p)/speed+0.5*gap)
	if !doubt {
		early = t + (99-p)/(1.1*fastest)
		// Far from an end that is not known to within a gap and a half, poll once more
		// before it.
		soonest := t + (99-p)/fastest
		if early-t > max(3*gap, 0.05*t) && target-soonest > 1.5*gap {
			target = early
		}
	}
	begin := t - waited // of waiting, from which the plain schedule counts
	plain := begin + a.plainAfter(max(early-begin, math.Nextafter(waited, math.Inf(1))))
	next := min(target, t+a.policy.MaxInterval.Seconds(), plain)
	return max(time.Duration((next-t)*float64(time.Second)), time.Millisecond)
}

// window returns the latest reading that is old enough to tell the recent
// speed.
func (a *aim) window(t float64) (reading, bool) {
	for i := len(a.readings) - 1; i >= 0; i-- {
		if r := a.readings[i]; r.t <= 0.9*t && r.p >= aimFrom {
			return r, true
		}
	}
	return reading{}, false
}

func (a *aim) keep(r reading) {
	if len(a.readings) == aimReadings {
		half := a.readings[:0]
		for i := 1; i < aimReadings; i += 2 {
			half = append(half, a.readings[i])
		}
		a.readings = half
	}
	a.readings = append(a.readings, r)
}

// plainAfter returns the first instant, at or after t, at which the plain
// schedule would poll.
func (a *aim) plainAfter(t float64) float64 {
	n := a.policy.plainPolls(time.Duration(t * float64(time.Second)))
	if at := a.policy.plainAt(n).Seconds(); n > 0 && at >= t {
		return at
	}
	return a.policy.plainAt(n + 1).Seconds()
}

// elapsed is how long the operation has been running: by the service's own
// clock if the metadata has it, since the operation may have been started long
// before the wait, else since waiting began.
func (a *aim) elapsed(f progress.Facts, waited time.Duration) time.Duration {
	begin := f.Started
	if begin.IsZero() {
		begin = f.Created
	}
	if begin.IsZero() || !f.Updated.After(begin) {
		return waited
	}
	if !f.Updated.Equal(a.updated) {
		a.updated, a.updatedSeen = f.Updated, waited
	}
	return f.Updated.Sub(begin) + waited - a.updatedSeen
}

// aims is the record of how well progress predicted the ends of a method's
// operations. It decides whether polls are aimed by progress.
type aims struct {
	right, wrong float32 // operations whose end it predicted, and did not; earlier ones count less
	mute, open   int     // operations in a row without progress, and those under way that are observed
}

const (
	aimsDecay    = 0.9
	aimsExact    = 0.1 // of its duration, by which progress may be wrong about an operation
	aimsTrust    = 3   // right predictions before progress is trusted
	aimsObserved = 16  // operations at a time whose progress is read before it is trusted
	aimsMute     = 8   // operations in a row without progress before it is no longer read
)

// trusted reports whether polls are aimed by progress.
func (a *aims) trusted() bool { return a.right >= aimsTrust && a.wrong < a.right/8 }

// forecast observes the progress of one operation.
type forecast struct {
	aim         aim
	least, most float64 // durations that it predicted, in seconds; 0 for none
}

// forecast begins to observe an operation's progress. It returns nil if it need not
// be observed.
func (d *durations) forecast(p *Policy) *forecast {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.aims.trusted() && d.aims.open >= aimsObserved || d.aims.mute >= aimsMute {
		return nil
	}
	d.aims.open++
	return &forecast{aim: aim{policy: *p}}
}

// aimed takes a state of the running operation and returns the pause until the
// next poll: the learned one, or the one to which trusted progress aims.
func (d *durations) aimed(f *forecast, s Raw, elapsed, learned time.Duration) time.Duration {
	if f == nil {
		return learned
	}
	return d.choose(f, f.aim.next(s, elapsed), learned)
}

func (d *durations) choose(f *forecast, aimed, learned time.Duration) time.Duration {
	n := len(f.aim.readings)
	if n == 0 {
		return learned
	}
	r := f.aim.readings[n-1]
	if duration := r.t * 100 / r.p; r.p >= 20 && r.p <= 80 {
		if f.least == 0 {
			f.least, f.most = duration, duration
		}
		f.least, f.most = min(f.least, duration), max(f.most, duration)
	}
	d.mu.Lock()
	trusted := d.aims.trusted()
	d.mu.Unlock()
	if !trusted || aimed == 0 {
		return learned
	}
	return aimed
}

// score ends a forecast, which may be nil, and records whether it was right. took is
// how long after its start the operation was found done; 0 if that is not known.
func (d *durations) score(f *forecast, took time.Duration) {
	if f == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	a := &d.aims
	a.open--
	n := len(f.aim.readings)
	switch {
	case took == 0:
		return
	case n == 0:
		a.mute++
		return
	case f.least == 0:
		return
	}
	a.mute = 0
	a.right, a.wrong = a.right*aimsDecay, a.wrong*aimsDecay
	// It ended between the last reading and when that was found out.
	if last := f.aim.readings[n-1].t; f.least > last*(1-aimsExact) && f.most < took.Seconds()*(1+aimsExact) {
		a.right++
	} else {
		a.wrong++
	}
}
