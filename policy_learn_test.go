package lro

import (
	"container/heap"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// learner plays the lives of operations of one method, polled by the client's
// own decisions on a clock of its own.
type learner struct {
	policy    Policy
	durations *durations // nil for the plain schedule
	frozen    bool       // it learns nothing more

	progress shape // of its operations; nil for none
	rnd      *rand.Rand
	now      time.Duration
	due      lifeHeap
}

// life is an operation, and what became of it.
type life struct {
	takes time.Duration
	start time.Duration // by the learner's clock

	at, last time.Duration // since start: the next poll, and the last before it
	state    pollState
	polls    []time.Duration // since start
	over     int             // most polls beyond those of the plain schedule
	gap      time.Duration   // longest pause
	learned  bool            // a pause was learned
	foretold *forecast
}

type lifeHeap []*life

func (h lifeHeap) Len() int           { return len(h) }
func (h lifeHeap) Less(i, j int) bool { return h[i].start+h[i].at < h[j].start+h[j].at }
func (h lifeHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *lifeHeap) Push(x any)        { *h = append(*h, x.(*life)) }
func (h *lifeHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

func newLearner(p Policy, seed uint64) *learner {
	p, err := p.withDefaults()
	if err != nil {
		panic(err)
	}
	return &learner{policy: p, durations: &durations{}, rnd: rand.New(rand.NewPCG(seed, 5))}
}

// forgetful returns a learner that keeps to the plain schedule.
func forgetful(p Policy, seed uint64) *learner {
	l := newLearner(p, seed)
	l.durations = nil
	return l
}

// observe takes an observation through the decision, and reports whether that
// was the end.
func (l *learner) observe(x *life, o observation) bool {
	o.elapsed, o.jitter = x.at, 2*l.rnd.Float64()-1
	if l.durations != nil {
		if !l.frozen {
			l.durations.record(x.last, x.at, o.done)
		}
		if !o.done {
			o.polls = len(x.polls)
			o.learned = l.durations.pause(&l.policy, x.at, x.at, o.polls)
			l.aim(x, &o)
			x.learned = x.learned || o.learned > 0
		}
	}
	if o.done && x.foretold != nil {
		l.durations.score(x.foretold, x.at)
	}
	var d decision
	x.state, d = l.policy.next(x.state, o)
	if d.action == doFinish {
		return true
	}
	x.gap = max(x.gap, d.after)
	x.last, x.at = x.at, x.at+d.after
	heap.Push(&l.due, x)
	return false
}

// aim reads progress, as a wait does.
func (l *learner) aim(x *life, o *observation) {
	if l.progress == nil || x.at == 0 {
		return
	}
	if x.foretold == nil {
		if x.foretold = l.durations.forecast(&l.policy); x.foretold == nil {
			return
		}
	}
	percent := math.Floor(l.progress(float64(x.at)/float64(x.takes), l.rnd))
	after := x.foretold.aim.after(x.at.Seconds(), percent, x.at.Seconds())
	o.learned = l.durations.choose(x.foretold, after, o.learned)
}

// atOnce plays lives that overlap, each from its start on.
func (l *learner) atOnce(lives []*life) { l.play(lives, nil) }

// inTurn plays each life when the one before was found to have ended.
func (l *learner) inTurn(lives []*life) { l.play(lives[:1], lives[1:]) }

func (l *learner) play(lives, next []*life) {
	for _, x := range lives {
		heap.Push(&l.due, x)
	}
	for len(l.due) > 0 {
		x := heap.Pop(&l.due).(*life)
		l.now = x.start + x.at
		if x.at == 0 {
			l.observe(x, observation{call: beginOfWait})
			continue
		}
		x.polls = append(x.polls, x.at)
		x.over = max(x.over, len(x.polls)-l.policy.plainPolls(x.at))
		if l.observe(x, observation{call: calledGet, done: x.at >= x.takes, decodes: true}) && len(next) > 0 {
			next[0].start = l.now
			heap.Push(&l.due, next[0])
			next = next[1:]
		}
	}
}

// seconds draws a duration; i counts the operations.
type seconds func(r *rand.Rand, i int) float64

func around(mid float64) seconds {
	return func(r *rand.Rand, _ int) float64 { return mid * (0.7 + 0.6*r.Float64()) }
}

func anything(r *rand.Rand, _ int) float64 { return 0.2 * math.Pow(18000, r.Float64()) }

// lives returns n operations whose starts are spread over a time.
func lives(n int, seed uint64, spread time.Duration, takes seconds) []*life {
	r := rand.New(rand.NewPCG(seed, 99))
	all := make([]*life, n)
	for i := range all {
		all[i] = &life{takes: time.Duration(takes(r, i) * float64(time.Second)), start: spread * time.Duration(i) / time.Duration(n)}
	}
	return all
}

// found is what waiting came to, on average.
type found struct{ polls, late float64 }

func (f *found) add(all []*life) {
	for _, x := range all {
		f.polls += float64(len(x.polls))
		f.late += (x.at - x.takes).Seconds()
	}
}

func (f found) of(n int) found { return found{f.polls / float64(n), f.late / float64(n)} }

// What is learned from 400 operations while they are waited for.
func TestLearnedFigures(t *testing.T) {
	t.Parallel()
	const seeds, n = 6, 400
	for _, tt := range []struct {
		mid    float64
		atOnce bool
		most   found
	}{
		{0.2, false, found{3, 0.0205}},
		{2, false, found{6, 0.12}},
		{10, false, found{8, 0.3}},
		{60, false, found{10, 1.7}},
		{60, true, found{9, 7}},
		{600, false, found{48, 7}},
		{600, true, found{48, 7}},
	} {
		t.Run(fmt.Sprintf("%vs at once %v", tt.mid, tt.atOnce), func(t *testing.T) {
			t.Parallel()
			var learned, plain found
			for seed := range uint64(seeds) {
				spread := time.Duration(tt.mid / 6 * float64(time.Second))
				for _, l := range []*learner{newLearner(Policy{}, seed), forgetful(Policy{}, seed)} {
					all := lives(n, 11+seed, spread, around(tt.mid))
					if tt.atOnce {
						l.atOnce(all)
					} else {
						l.inTurn(all)
					}
					if l.durations != nil {
						learned.add(all)
					} else {
						plain.add(all)
					}
				}
			}
			learned, plain = learned.of(seeds*n), plain.of(seeds*n)
			t.Logf("%.1f polls, %.3f s late; plain %.1f, %.3f", learned.polls, learned.late, plain.polls, plain.late)
			if learned.polls > tt.most.polls || learned.late > tt.most.late {
				t.Errorf("%.2f polls and %.4f s late, want at most %v", learned.polls, learned.late, tt.most)
			}
			if learned.late > plain.late {
				t.Errorf("%.4f s late, want no more than by the plain schedule: %.4f", learned.late, plain.late)
			}
		})
	}
}

// Operations become six times as fast: the twenty after that.
func TestLearnedAfterJump(t *testing.T) {
	t.Parallel()
	var after found
	const seeds = 8
	for seed := range uint64(seeds) {
		all := lives(520, seed, 0, func(r *rand.Rand, i int) float64 {
			if i < 500 {
				return around(60)(r, i)
			}
			return around(10)(r, i)
		})
		newLearner(Policy{}, seed).inTurn(all)
		after.add(all[500:])
	}
	after = after.of(seeds * 20)
	t.Logf("%.1f polls, %.2f s late", after.polls, after.late)
	if after.late > 3 {
		t.Errorf("%.2f s late, want at most 3", after.late)
	}
}

// Of operations that take anything there is nothing to learn, and no harm done.
func TestLearnedFromAnything(t *testing.T) {
	t.Parallel()
	for name, play := range map[string]func(*learner, []*life){"in turn": (*learner).inTurn, "at once": (*learner).atOnce} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var learned, plain found
			for seed := range uint64(4) {
				all := func() []*life { return lives(1500, 100+seed, time.Hour, anything) }
				a, b := all(), all()
				play(newLearner(Policy{}, seed), a)
				play(forgetful(Policy{}, seed), b)
				learned.add(a)
				plain.add(b)
			}
			polls, late := 100*(learned.polls/plain.polls-1), 100*(learned.late/plain.late-1)
			t.Logf("polls %+.1f %%, late %+.1f %%", polls, late)
			if polls > 3 || late > 3 {
				t.Errorf("polls %+.1f %% and late %+.1f %%, want at most 3 %% more than by the plain schedule", polls, late)
			}
		})
	}
}

// Whatever was learned, and however long the operation takes, it is not polled
// more often than by the plain schedule, with the two polls of the budget, and
// no pause is longer than MaxInterval.
func TestLearnedKeepsToBudget(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		p := Policy{}
		if seed%3 > 0 {
			p.FirstPoll = time.Duration(math.Exp(math.Log(1e6) + r.Float64()*math.Log(1e4)))
			p.Multiplier = 1 + r.Float64()
			p.MaxInterval = p.FirstPoll + time.Duration(r.Float64()*30*float64(time.Second))
			p.Jitter = r.Float64() - 0.1
		}
		l := newLearner(p, seed)
		mid := 0.05 * math.Pow(20_000, r.Float64())
		l.atOnce(lives(1+r.IntN(100), seed, time.Duration(mid*float64(time.Second)), around(mid)))
		later := lives(20, seed+1, time.Minute, around(mid*math.Exp(2*r.NormFloat64())))
		l.atOnce(later)
		for _, x := range later {
			if x.over > learnSlack && x.learned {
				t.Fatalf("seed %d: %d polls more than by the plain schedule, want at most %d", seed, x.over, learnSlack)
			}
			if x.gap > l.policy.MaxInterval {
				t.Fatalf("seed %d: a pause of %v, longer than MaxInterval %v", seed, x.gap, l.policy.MaxInterval)
			}
		}
	}
}

// 10,000 operations that start together in as many processes, each of which
// has loaded that they end at a certain second, are in no second polled more
// often than the plain schedule polls them in its busiest.
func TestLearnedSpread(t *testing.T) {
	t.Parallel()
	const n = 10_000
	for _, taught := range []float64{0.3, 0.9, 1.5, 10, 60} {
		for _, late := range []float64{1, 1.3, 4} {
			t.Run(fmt.Sprintf("%vs taught, %v times as long", taught, late), func(t *testing.T) {
				t.Parallel()
				l := newLearner(Policy{}, 1)
				l.inTurn(lives(200, 1, 0, func(r *rand.Rand, _ int) float64 { return taught * (1 + 0.001*r.Float64()) }))
				l.frozen = true
				all := lives(n, 2, 0, func(*rand.Rand, int) float64 { return taught * late })
				l.atOnce(all)
				polls := map[time.Duration]int{}
				for _, x := range all {
					for _, at := range x.polls {
						polls[at.Truncate(time.Second)]++
					}
				}
				want := n * l.policy.plainPolls(time.Second) // its first second is its busiest
				for second, got := range polls {
					if got > want {
						t.Errorf("%d polls in the second from %v on, by the plain schedule at most %d", got, second, want)
					}
				}
			})
		}
	}
}

// While no other operation of the method is known, the schedule is the plain
// one to the nanosecond.
func TestLearnedNothingIsPlain(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		a, b := lives(1, seed, 0, anything), lives(1, seed, 0, anything)
		newLearner(Policy{}, seed).inTurn(a)
		forgetful(Policy{}, seed).inTurn(b)
		if a[0].at != b[0].at || len(a[0].polls) != len(b[0].polls) {
			t.Errorf("seed %d: found at %v with %d polls, by the plain schedule at %v with %d", seed, a[0].at, len(a[0].polls), b[0].at, len(b[0].polls))
		}
	}
}

// plainPolls and plainAt are the plain schedule without its jitter.
func TestPlainSchedule(t *testing.T) {
	t.Parallel()
	for _, p := range []Policy{
		{}, {Multiplier: 1}, {FirstPoll: time.Second, Multiplier: 2}, {FirstPoll: time.Minute, MaxInterval: time.Minute},
		{FirstPoll: 5 * time.Second, Multiplier: 1.5, MaxInterval: 45 * time.Second}, {FirstPoll: time.Millisecond, Multiplier: 1.01},
	} {
		p, err := p.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		at := time.Duration(0)
		for n := 1; n < 400; n++ {
			at += p.interval(at)
			slack := time.Duration(n) * time.Microsecond
			if got := p.plainAt(n); got < at-slack || got > at+slack {
				t.Fatalf("%+v: poll %d at %v, want %v", p, n, got, at)
			}
			if got := p.plainPolls(p.plainAt(n)); got != n {
				t.Fatalf("%+v: %d polls at %v, want %d", p, got, p.plainAt(n), n)
			}
			if got := p.plainPolls(at - slack); got != n-1 {
				t.Fatalf("%+v: %d polls before %v, want %d", p, got, at, n-1)
			}
		}
	}
}

func BenchmarkLearned(b *testing.B) {
	l := newLearner(Policy{}, 1)
	l.inTurn(lives(300, 1, 0, around(600)))
	for _, elapsed := range []time.Duration{0, 500 * time.Second} {
		b.Run(fmt.Sprint("pause after ", elapsed), func(b *testing.B) {
			for b.Loop() {
				l.durations.pause(&l.policy, elapsed, elapsed, 0)
			}
		})
	}
	for _, ended := range []bool{false, true} {
		b.Run(fmt.Sprint("ended ", ended), func(b *testing.B) {
			for b.Loop() {
				l.durations.record(500*time.Second, 510*time.Second, ended)
			}
		})
	}
}

// A state that is older than the operation's start, by a clock that was set,
// counts from the start.
func TestSawBeforeTheStart(t *testing.T) {
	t.Parallel()
	var a, b durations
	a.record(-time.Minute, time.Second, false)
	b.record(0, time.Second, false)
	if a.risk != b.risk || a.risk[0] != 1 {
		t.Errorf("%v operations are at risk in the first bin, want 1", a.risk[0])
	}
}
