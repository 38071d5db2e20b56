package lro

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
)

// shape is the progress of an operation: its percentage when it has run for
// the given part, in [0, 1), of its life.
type shape func(part float64, rnd *rand.Rand) float64

var shapes = map[string]shape{
	"none":              nil,
	"linear":            func(part float64, _ *rand.Rand) float64 { return 100 * part },
	"linear, noisy":     func(part float64, rnd *rand.Rand) float64 { return 100*part + 2*rnd.NormFloat64() },
	"fast, then slow":   func(part float64, _ *rand.Rand) float64 { return min(180*part, 90+20*(part-0.5)) },
	"sticks at 90":      func(part float64, _ *rand.Rand) float64 { return min(200*part, 90) },
	"sticks at 99":      func(part float64, _ *rand.Rand) float64 { return min(300*part, 99) },
	"speeds up":         func(part float64, _ *rand.Rand) float64 { return 100 * part * part * part },
	"stalls, then fast": func(part float64, _ *rand.Rand) float64 { return max(min(80*part, 40), 40+600*(part-0.9)) },
	"jumps to the end":  func(part float64, _ *rand.Rand) float64 { return min(100*part/3, 20) },
	"runs backwards":    func(part float64, _ *rand.Rand) float64 { return 100 - 100*part },
	"nonsense":          func(_ float64, rnd *rand.Rand) float64 { return 300*rnd.Float64() - 100 },
	"not a number":      func(float64, *rand.Rand) float64 { return math.NaN() },
	"always a hundred":  func(float64, *rand.Rand) float64 { return 100 },
}

// simulate drives the policy through the life of one operation, by the same
// decisions as the loop but on a clock of its own. It returns when the end was
// found, how often was polled, and the longest pause.
func simulate(p *Policy, takes time.Duration, s shape, rnd *rand.Rand) (found time.Duration, polls int, gap time.Duration) {
	var a *aim
	if p.NextPoll != nil {
		a = &aim{policy: *p}
	}
	state, obs := pollState{}, observation{call: beginOfWait}
	var now time.Duration
	for {
		obs.jitter = 2*rnd.Float64() - 1
		var d decision
		state, d = p.next(state, obs)
		if d.action == doFinish {
			return now, polls, gap
		}
		gap = max(gap, d.after)
		now += d.after
		polls++
		obs = observation{call: calledGet, elapsed: now, done: now >= takes, decodes: true}
		if a != nil && s != nil && !obs.done {
			percent := math.Floor(s(float64(now)/float64(takes), rnd))
			obs.aim = min(a.after(now.Seconds(), percent, now.Seconds()), p.MaxInterval)
		}
	}
}

// simulateGoLongrunning does the same for the default of
// cloud.google.com/go/longrunning v1.5.0: polls at once, then after pauses of
// up to 1 s, 2 s, 4 s and so on to 60 s, each drawn between nothing and that.
func simulateGoLongrunning(_ *Policy, takes time.Duration, _ shape, rnd *rand.Rand) (found time.Duration, polls int, gap time.Duration) {
	longest := time.Second
	for now := time.Duration(0); ; longest = min(2*longest, time.Minute) {
		polls++
		if now >= takes {
			return now, polls, gap
		}
		pause := 1 + time.Duration(rnd.Int64N(int64(longest)))
		now, gap = now+pause, max(gap, pause)
	}
}

// simulation plays the life of one operation.
type simulation func(*Policy, time.Duration, shape, *rand.Rand) (found time.Duration, polls int, gap time.Duration)

// lateness is what waiting for many operations came to.
type lateness struct {
	mean, p95, worst, gap time.Duration
	polls                 float64
}

// measureLateness simulates n operations that take length ±10 %.
func measureLateness(simulate simulation, p Policy, n int, length time.Duration, s shape) lateness {
	p, err := p.withDefaults()
	if err != nil {
		panic(err)
	}
	var l lateness
	var sum time.Duration
	late := make([]time.Duration, 0, n)
	for i := range n {
		rnd := rand.New(rand.NewPCG(7, uint64(i)))
		takes := time.Duration(float64(length) * (0.9 + 0.2*rnd.Float64()))
		found, polls, gap := simulate(&p, takes, s, rnd)
		late = append(late, found-takes)
		sum += found - takes
		l.polls += float64(polls) / float64(n)
		l.gap = max(l.gap, gap)
	}
	slices.Sort(late)
	l.mean, l.p95, l.worst = sum/time.Duration(n), late[n*95/100], late[n-1]
	return l
}

// The simulation stands for the loop only if the loop does the same.
func TestSimulationIsTheLoop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n, length = 500, 60 * time.Second
		var mu sync.Mutex
		var sum time.Duration
		polls := 0
		var wg sync.WaitGroup
		begin := time.Now()
		for i := range n {
			takes := time.Duration(float64(length) * (0.9 + 0.2*float64(i)/n))
			service := GetFunc(func(context.Context, string) (*longrunningpb.Operation, error) {
				mu.Lock()
				defer mu.Unlock()
				polls++
				if time.Since(begin) < takes {
					return running(""), nil
				}
				return succeeded("done"), nil
			})
			op := wrap(t, service)
			wg.Go(func() {
				_, err := op.Wait(t.Context())
				mu.Lock()
				defer mu.Unlock()
				sum += time.Since(begin) - takes
				if err != nil {
					t.Errorf("Wait: %v", err)
				}
			})
		}
		wg.Wait()
		want := measureLateness(simulate, Policy{}, 20_000, length, nil)
		if got := (sum / n).Seconds(); math.Abs(got-want.mean.Seconds()) > 0.15*want.mean.Seconds() {
			t.Errorf("the loop is %.2fs late, the simulation %v", got, want.mean)
		}
		if got := float64(polls) / n; math.Abs(got-want.polls) > 0.05*want.polls {
			t.Errorf("the loop makes %.1f polls, the simulation %.1f", got, want.polls)
		}
	})
}

// What progress does must never make a pause longer than the schedule's
// longest, nor a wait much later than without.
func TestAimByProgressIsNeverWorse(t *testing.T) {
	t.Parallel()
	for name, s := range shapes {
		for _, length := range []time.Duration{2 * time.Second, 10 * time.Second, time.Minute, 10 * time.Minute} {
			l := measureLateness(simulate, Policy{NextPoll: AimByProgress}, 300, length, s)
			if l.gap > 20*time.Second || l.worst > 20*time.Second {
				t.Errorf("%s, %v: longest pause %v, worst lateness %v, want at most 20s", name, length, l.gap, l.worst)
			}
		}
	}
}

// An operation whose progress slows down or sticks is found by the instant at
// which the plain schedule would have found it.
func TestAimByProgressSlowingIsNotLater(t *testing.T) {
	t.Parallel()
	p, err := Policy{NextPoll: AimByProgress, Jitter: -1}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	plain := p
	plain.NextPoll = nil
	for _, name := range []string{"none", "linear", "fast, then slow", "sticks at 90", "sticks at 99"} {
		for i := range 300 {
			takes := time.Duration((54 + 0.04*float64(i)) * float64(time.Second))
			aimed, _, _ := simulate(&p, takes, shapes[name], rand.New(rand.NewPCG(1, 1)))
			want, _, _ := simulate(&plain, takes, nil, rand.New(rand.NewPCG(1, 1)))
			if aimed > want+time.Millisecond {
				t.Errorf("%s, %v: found at %v, by the plain schedule at %v", name, takes, aimed, want)
				break
			}
		}
	}
}

func BenchmarkLateness(b *testing.B) {
	for _, length := range []time.Duration{200 * time.Millisecond, 2 * time.Second, 10 * time.Second, time.Minute, 10 * time.Minute} {
		b.Run(fmt.Sprintf("plain/%v", length), func(b *testing.B) { benchLateness(b, simulate, Policy{}, length, nil) })
		b.Run(fmt.Sprintf("go-longrunning/%v", length), func(b *testing.B) {
			benchLateness(b, simulateGoLongrunning, Policy{}, length, nil)
		})
	}
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for name := range shapes {
			if !yield(name) {
				return
			}
		}
	}) {
		b.Run("aimed/"+name+"/1m0s", func(b *testing.B) {
			benchLateness(b, simulate, Policy{NextPoll: AimByProgress}, time.Minute, shapes[name])
		})
	}
}

func benchLateness(b *testing.B, play simulation, p Policy, length time.Duration, s shape) {
	var l lateness
	for b.Loop() {
		l = measureLateness(play, p, 20_000, length, s)
	}
	b.ReportMetric(l.mean.Seconds(), "s-late")
	b.ReportMetric(l.p95.Seconds(), "s-late-p95")
	b.ReportMetric(l.worst.Seconds(), "s-late-worst")
	b.ReportMetric(l.polls, "polls/op")
	b.ReportMetric(0, "ns/op")
}
