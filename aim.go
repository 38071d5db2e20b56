package lro

import (
	"math"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// AimByProgress is a [Policy].Hint that reads progress from the metadata and
// aims the next poll at the predicted end, so that an operation with steady
// progress is found done sooner, with fewer polls. Where there is no
// progress, or it makes no sense, polls come by the plain schedule; when it slows
// down or sticks, the end is found no later than by that. An operation whose
// progress jumps to the end may be found later, within MaxInterval.
//
// It understands metadata, linked into the program, with a percentage
// (progress_percent, progress_percentage, percent_complete, percent_done, or a
// number named progress), or with done of total (done and total,
// completed_work and estimated_work, work_completed and work_estimated), at the
// top or in a message or list named progress.
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

	updated     time.Time     // the service's clock when it last told it
	updatedSeen time.Duration // and how long had been waited then
}

// reading is a percentage seen at a time, in seconds since the beginning.
type reading struct{ t, p float64 }

const (
	aimFrom     = 1.0  // percent below which speed is not known
	aimMinGap   = 0.75 // seconds
	aimReadings = 64   // kept; thinned out beyond
)

func (a *aim) next(s Raw, waited time.Duration) time.Duration {
	m := linkedMetadata(s)
	if m == nil {
		return 0
	}
	p, ok := percentOf(m.ProtoReflect(), true)
	if !ok {
		return 0
	}
	t := a.elapsed(m.ProtoReflect(), waited)
	return a.after(t.Seconds(), p, waited.Seconds())
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
		// Far from an end that is not known to within a gap and a half, look once more
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
	at := time.Duration(0)
	for {
		interval := a.policy.interval(at)
		if interval == a.policy.MaxInterval || a.policy.Multiplier == 1 { // and stays so
			steps := math.Ceil((t - at.Seconds()) / interval.Seconds())
			return at.Seconds() + max(steps, 1)*interval.Seconds()
		}
		if at += interval; at.Seconds() >= t {
			return at.Seconds()
		}
	}
}

func linkedMetadata(s Raw) proto.Message {
	src, ok := s.Metadata()
	if !ok {
		return nil
	}
	m, err := decodeAny[proto.Message](src)
	if err != nil {
		return nil
	}
	return m
}

// percentOf finds the percentage in a metadata message, at the top or, with
// deeper, one level below.
func percentOf(m protoreflect.Message, deeper bool) (float64, bool) {
	for _, name := range []protoreflect.Name{"progress_percent", "progress_percentage", "percent_complete", "percent_done", "progress"} {
		if p, ok := number(m, name); ok && p > 0 {
			return p, true
		}
	}
	for _, names := range [][2]protoreflect.Name{{"done", "total"}, {"completed_work", "estimated_work"}, {"work_completed", "work_estimated"}} {
		done, ok := number(m, names[0])
		total, known := number(m, names[1])
		if ok && known && total > 0 {
			return 100 * done / total, true
		}
	}
	if !deeper {
		return 0, false
	}
	return nestedPercent(m)
}

// nestedPercent looks into fields whose names begin with progress: a message,
// or a list of which the parts count the same.
func nestedPercent(m protoreflect.Message) (percent float64, ok bool) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if f.Message() == nil || f.IsMap() || !strings.HasPrefix(string(f.Name()), "progress") || !m.Has(f) {
			continue
		}
		if !f.IsList() {
			if p, ok := percentOf(m.Get(f).Message(), false); ok {
				return p, true
			}
			continue
		}
		sum, list := 0.0, m.Get(f).List()
		for j := range list.Len() {
			p, _ := percentOf(list.Get(j).Message(), false)
			sum += p
		}
		if list.Len() > 0 {
			return sum / float64(list.Len()), true
		}
	}
	return 0, false
}

func number(m protoreflect.Message, name protoreflect.Name) (float64, bool) {
	f := m.Descriptor().Fields().ByName(name)
	if f == nil || f.IsList() || f.IsMap() {
		return 0, false
	}
	switch f.Kind() {
	case protoreflect.Int32Kind, protoreflect.Int64Kind, protoreflect.Sint32Kind, protoreflect.Sint64Kind,
		protoreflect.Sfixed32Kind, protoreflect.Sfixed64Kind:
		return float64(m.Get(f).Int()), true
	case protoreflect.Uint32Kind, protoreflect.Uint64Kind, protoreflect.Fixed32Kind, protoreflect.Fixed64Kind:
		return float64(m.Get(f).Uint()), true
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return m.Get(f).Float(), true
	}
	return 0, false
}

// elapsed is how long the operation has been running: by the service's own
// clock where the metadata tells, since the operation may have been started
// long before anybody waited, else since waiting began.
func (a *aim) elapsed(m protoreflect.Message, waited time.Duration) time.Duration {
	begin, ok := timestamp(m, "start_time")
	if !ok {
		begin, ok = timestamp(m, "create_time")
	}
	updated, told := timestamp(m, "update_time")
	if !ok || !told || !updated.After(begin) {
		return waited
	}
	if !updated.Equal(a.updated) {
		a.updated, a.updatedSeen = updated, waited
	}
	return updated.Sub(begin) + waited - a.updatedSeen
}

func timestamp(m protoreflect.Message, name protoreflect.Name) (time.Time, bool) {
	f := m.Descriptor().Fields().ByName(name)
	if f == nil || f.IsList() || f.IsMap() || f.Message() == nil || f.Message().FullName() != "google.protobuf.Timestamp" || !m.Has(f) {
		return time.Time{}, false
	}
	ts := m.Get(f).Message()
	fields := ts.Descriptor().Fields()
	return time.Unix(ts.Get(fields.ByName("seconds")).Int(), ts.Get(fields.ByName("nanos")).Int()), true
}
