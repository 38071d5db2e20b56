package main

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// attemptLimit is how long an attempt may take, where a system has such a limit.
// Each job that does not hang takes less.
const attemptLimit = 10 * time.Second

// deafFor is how long a handler ignores its context that hangs and is deaf.
const deafFor = 25 * time.Second

// program is what one seed has every system do.
type program struct {
	Seed   uint64
	Jobs   []job
	Faults []fault
}

// job is what its starter and its handler do. Every step writes an effect that no
// system can take back, and saves a checkpoint.
type job struct {
	Key    string        // unique
	At     time.Duration // its start, after the begin of the program
	Again  time.Duration // a second start with the same key, after At; 0 for none
	Cut    time.Duration // the starter's connections are cut, after the first try of the start is sent; 0 for never
	Cancel time.Duration // after the first acknowledged start; 0 for none
	Steps  int
	Step   time.Duration // of each step, before its effect
	Saves  bool          // a step saves its checkpoint before its effect, not after it
	Hang   int           // the step at which the first attempt hangs; 0 for none
	Deaf   bool          // the first attempt ignores its context, and hangs for deafFor
	Tx     bool          // its last effect is written in the transaction of its end, where a system has that
}

// fault is what happens to a worker, or to the store.
type fault struct {
	At     time.Duration
	What   faultKind
	Worker int
}

type faultKind string

const (
	kill    faultKind = "kill"    // kill -9; another process replaces it 500 ms later
	stop    faultKind = "stop"    // SIGSTOP, until another worker must have taken over, then SIGCONT
	restart faultKind = "restart" // the store crashes, and serves again a second later
)

var faultKinds = []faultKind{kill, stop, restart}

// newProgram returns that of a seed. short is for tests: few jobs, one kill.
func newProgram(seed uint64, short bool) program {
	rng := rand.New(rand.NewPCG(seed, 0x51de))
	between := func(from, to time.Duration) time.Duration {
		return (from + time.Duration(rng.Int64N(int64(to-from)))).Round(100 * time.Microsecond)
	}
	oneIn := func(n int) bool { return rng.IntN(n) == 0 }
	p := program{Seed: seed}
	jobs := 12
	if short {
		jobs = 5
	}
	for i := range jobs {
		j := job{
			Key: fmt.Sprintf("s%d-j%d", seed, i), At: between(0, 6*time.Second),
			Steps: 2 + rng.IntN(3), Step: between(300*time.Millisecond, 1500*time.Millisecond),
			Saves: oneIn(4), Tx: oneIn(2),
		}
		if oneIn(4) {
			j.Again = between(0, 8*time.Second)
		}
		if oneIn(4) {
			j.Cut = between(100*time.Microsecond, 4*time.Millisecond)
		}
		switch {
		case oneIn(5):
			j.Cancel = between(200*time.Millisecond, 3*time.Second)
		case oneIn(6):
			j.Hang, j.Deaf = 1+rng.IntN(j.Steps), oneIn(2)
		}
		p.Jobs = append(p.Jobs, j)
	}
	// Each kind is the first fault of a third of the seeds.
	p.Faults = append(p.Faults, fault{between(2*time.Second, 5*time.Second), faultKinds[seed%3], rng.IntN(2)})
	if oneIn(2) {
		first := p.Faults[0]
		p.Faults = append(p.Faults, fault{first.At + between(500*time.Millisecond, 3*time.Second), faultKinds[rng.IntN(3)], 1 - first.Worker})
	}
	if !short {
		return p
	}
	p.Faults = []fault{{2 * time.Second, kill, rng.IntN(2)}}
	for i := range p.Jobs {
		j := &p.Jobs[i]
		j.At, j.Again, j.Hang, j.Deaf = j.At/4, j.Again/8, 0, false
	}
	return p
}

// steps returns the steps of a job.
func (p program) steps(key string) int {
	for _, j := range p.Jobs {
		if j.Key == key {
			return j.Steps
		}
	}
	return 0
}
