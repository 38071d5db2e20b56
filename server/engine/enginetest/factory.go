package enginetest

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-lro/lro/server/engine"
)

// Factory makes engines to test.
type Factory struct {
	// New makes an empty store. It is called once for each test, from tests
	// that run in parallel.
	New func(t *testing.T) Store
	// Delay is how long leases, retries and the like last in tests that wait
	// for them, outside a bubble. 0 means 50 ms. Engines that are reached over
	// a network need more.
	Delay time.Duration
	Traits
}

// Store is what survives an engine: a file, a server.
type Store interface {
	// Open opens an engine on the store and has it closed when the test ends,
	// also when it was closed before.
	Open(t *testing.T) engine.Engine
	// Crash has the process of the engine opened last die, as far as the store
	// can tell: what was acknowledged is there, and nothing that the engine
	// does from now on reaches what the next Open opens. The engine itself
	// need not stop. A store in memory can continue with a copy of its state.
	Crash(t *testing.T)
}

// Traits are the differences between engines.
type Traits struct {
	// DeleteNeedsEnd: Delete of an operation that has not ended is refused
	// with engine.ErrNotTerminal.
	DeleteNeedsEnd bool
	// FixedRetention: Spec.Retention is not obeyed, ended operations stay as
	// long as the store likes.
	FixedRetention bool
	// LooseOrder: Work claims the oldest operations first by and large, but not
	// one by one.
	LooseOrder bool
	// ListLags: List may miss the latest changes for a while.
	ListLags bool
	// MaxParent is the longest parent that Start takes, in bytes. 0 means
	// engine.MaxParent.
	MaxParent int
	// Subscribe, Stats, History: the engine has the capability.
	Subscribe, Stats, History bool
	// Bubble: all the engine's goroutines and timers are in its process and
	// wait for nothing outside, so that it can run in a bubble of
	// testing/synctest.
	Bubble bool
}

type test struct {
	name  string
	run   func(*env)
	timed bool // is about time, runs in a bubble where it can
}

// Run runs the suite as subtests of t.
func Run(t *testing.T, f Factory) {
	t.Helper()
	for _, group := range []struct {
		name  string
		tests []test
	}{
		{"Start", startTests},
		{"RequestID", requestIDTests},
		{"Limit", limitTests},
		{"Get", getTests},
		{"List", listTests},
		{"Cancel", cancelTests},
		{"Delete", deleteTests},
		{"Wait", waitTests},
		{"Work", workTests},
		{"Attempt", attemptTests},
		{"Outcome", outcomeTests},
		{"Drain", drainTests},
		{"Crash", crashTests},
		{"Fence", fenceTests},
		{"Lease", leaseTests},
		{"Expiry", expiryTests},
		{"Close", closeTests},
		{"Race", raceTests},
		{"Property", propertyTests},
		{"Subscribe", subscribeTests},
		{"Stats", statsTests},
		{"History", historyTests},
	} {
		t.Run(group.name, func(t *testing.T) {
			t.Parallel()
			for _, tt := range group.tests {
				t.Run(tt.name, func(t *testing.T) {
					t.Parallel()
					if tt.timed && f.Bubble {
						synctest.Test(t, func(t *testing.T) { tt.run(newEnv(t, f)) })
						return
					}
					tt.run(newEnv(t, f))
				})
			}
		})
	}
}
