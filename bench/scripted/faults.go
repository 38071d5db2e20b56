package scripted

import (
	"errors"
	"flag"
	"math/rand/v2"
	"time"
)

// Faults are what is wrong with the service. The zero value is a good one.
// Probabilities are of each poll: of GetOperation and WaitOperation.
type Faults struct {
	Cut      float64 // its connection is reset, with all calls on it
	Lose     float64 // it is never answered
	Internal float64 // it is answered with INTERNAL, as by a proxy

	Outage time.Duration // so long all polls are answered with UNAVAILABLE

	// All of that begins so long after the first start of a label, for its
	// calls. By then a client should have started all operations, since a start
	// that fails is not what is tested.
	After time.Duration
}

// Flags makes f settable from a command line.
func (f *Faults) Flags(set *flag.FlagSet) {
	set.Float64Var(&f.Cut, "cut", 0, "probability that a poll's connection is reset")
	set.Float64Var(&f.Lose, "lose", 0, "probability that a poll is never answered")
	set.Float64Var(&f.Internal, "internal", 0, "probability that a poll is answered with INTERNAL")
	set.DurationVar(&f.Outage, "outage", 0, "for how long all polls are answered with UNAVAILABLE")
	set.DurationVar(&f.After, "after", 3*time.Second, "when all of that begins, after the first start of a label")
}

type fate int

const (
	answered fate = iota
	cut
	lost
	internal
)

// draw is the fate of one poll.
func (f Faults) draw() fate {
	p := rand.Float64()
	for _, c := range []struct {
		probability float64
		fate        fate
	}{{f.Cut, cut}, {f.Lose, lost}, {f.Internal, internal}} {
		if p < c.probability {
			return c.fate
		}
		p -= c.probability
	}
	return answered
}

var errCut = errors.New("connection was cut")
