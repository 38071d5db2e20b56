package lro

import (
	"math"
	"testing"
	"time"
)

// TestAimRule has what [AimByProgress] makes of some series of readings, by hand.
func TestAimRule(t *testing.T) {
	t.Parallel()
	far := Policy{FirstPoll: time.Hour, Multiplier: 1.3, MaxInterval: time.Hour} // the plain schedule, beyond all targets
	for _, test := range []struct {
		name     string
		policy   Policy
		readings []reading
		want     float64 // seconds until the next poll; 0 for the schedule's
	}{
		{"no speed below 1 %", far, []reading{{10, 0.9}}, 0},
		{"not a percentage", far, []reading{{10, 100.5}}, 0},
		{"not a number", far, []reading{{10, math.NaN()}}, 0},
		{"no time", far, []reading{{0, 50}}, 0},
		// 2.55 % a second, 2.6 at most: the end is between 28.46 and 29.22 s away, and
		// the poll before it comes 1/1.1 of the shortest way to 99 %.
		{"far from the end", far, []reading{{10, 25}}, 74 / (1.1 * 2.6)},
		// 9.05 % a second: the next poll is half a gap, of 0.75 s, after 99.5 %.
		{"near the end", far, []reading{{10, 90}}, 9.5/9.05 + 0.375},
		{"at the end", far, []reading{{10, 99.5}}, 0.75},
		// The gap is a hundredth of the time, and grows with each reading of the same.
		{"slow", far, []reading{{1000, 99.5}}, 10},
		{"nothing new", far, []reading{{998, 99.5}, {999, 99.5}, {1000, 99.5}}, 16.9},
		{"something new again", far, []reading{{998, 99}, {999, 99}, {1000, 99.5}}, 10},
		// The progress of the last 10 s, not of all 20, when they differ: 4.9 % a second
		// in place of 2.525. A reading counts from 1 % on.
		{"faster lately", far, []reading{{10, 1}, {20, 50}}, 49.5/4.9 + 0.375},
		{"slower lately", far, []reading{{10, 50}, {20, 55}}, 44.5/0.5 + 0.375},
		{"stuck", far, []reading{{10, 50}, {20, 50}}, 49.5/0.025 + 0.375},
		// A reading tells the recent speed from a tenth of the time before.
		{"long enough ago", far, []reading{{90, 10}, {100, 50}}, 49.5/4 + 0.5},
		{"too short ago", far, []reading{{90.1, 10}, {100, 50}}, 49 / (1.1 * 0.51)},
		// The plain schedule and its longest interval are limits.
		{"longest interval", Policy{FirstPoll: time.Hour, Multiplier: 1.3, MaxInterval: 20 * time.Second}, []reading{{10, 25}}, 20},
		{"plain schedule", Policy{FirstPoll: 4 * time.Second, Multiplier: 1, MaxInterval: time.Hour}, []reading{{10, 50}, {22, 50}}, 2},
		{"plain schedule, after the end is possible", Policy{FirstPoll: 36 * time.Second, Multiplier: 1, MaxInterval: time.Hour}, []reading{{10, 25}}, 74 / (1.1 * 2.6)},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := &aim{policy: test.policy}
			got := time.Duration(0)
			for _, r := range test.readings {
				got = a.after(r.t, r.p, r.t)
			}
			if want := time.Duration(test.want * float64(time.Second)); (got-want).Abs() > time.Millisecond || (want == 0) != (got == 0) {
				t.Errorf("next poll in %v, want %v", got, want)
			}
		})
	}
}

// TestForecastIsScored: progress was right about an operation when all that it predicted
// is within a tenth of when the operation ended: between the last reading and the poll
// that found it done.
func TestForecastIsScored(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		least, most float64 // seconds
		right       bool
	}{
		{95, 105, true}, {85, 105, true}, {80, 105, false}, {95, 115, false}, {95, 200, false}, {105, 109, true},
	} {
		var d durations
		f := &forecast{least: tt.least, most: tt.most, aim: aim{readings: []reading{{t: 90, p: 90}}}}
		d.score(f, 100*time.Second)
		if got := d.aims.right > 0; got != tt.right || (d.aims.wrong > 0) == got {
			t.Errorf("predictions from %v to %v s of one found done at 100 s: right %t, want %t", tt.least, tt.most, got, tt.right)
		}
	}
}
