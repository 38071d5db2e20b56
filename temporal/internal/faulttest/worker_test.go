package faulttest

import (
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/go-lro/lro/temporal/internal/observe"
	"github.com/go-lro/lro/temporal/internal/testserver"
)

// holders asks Temporal who runs each operation.
func (c *cluster) holders() map[string]observe.Holder {
	c.t.Helper()
	all, err := observe.Holders(c.t.Context(), c.client.WorkflowService(), testserver.Namespace, "simulate")
	if err != nil {
		c.t.Fatal(err)
	}
	return all
}

// heldBy returns the operations that a worker runs.
func heldBy(all map[string]observe.Holder, w *worker) []string {
	var names []string
	for name, h := range all {
		if h.Worker == observe.Identity(w.PID()) && !h.Ended {
			names = append(names, name)
		}
	}
	return names
}

// TestKill kills one of three workers: its operations run again elsewhere within
// the lease and 2 s, from their checkpoint.
func TestKill(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 5*time.Second, testserver.Options{})
	s := c.server()
	workers := []*worker{c.worker(), c.worker(), c.worker()}

	const took = 20 * time.Second
	names := make(map[string]string) // by echo
	for i := range 12 {
		echo := fmt.Sprint("kill-", i)
		names[echo] = s.start(echo, took)
	}
	eventually(t, "each operation has run for two seconds", func() bool {
		for _, name := range names {
			if s.metadata(name).GetProgress().GetDone() < 20 {
				return false
			}
		}
		return true
	})
	all := c.holders()
	victim := slices.MaxFunc(workers, func(a, b *worker) int { return len(heldBy(all, a)) - len(heldBy(all, b)) })
	lost := heldBy(all, victim)
	victim.Kill()
	killed := time.Now()
	// What had ended before is not lost.
	all = c.holders()
	lost = slices.DeleteFunc(lost, func(name string) bool { return all[name].Ended && all[name].Attempt == 1 })
	if len(lost) == 0 {
		t.Fatal("the worker that was killed ran nothing")
	}
	t.Logf("killed a worker with %d of %d operations", len(lost), len(names))

	var worst, slowest time.Duration
	eventually(t, "all its operations run elsewhere", func() bool {
		begin := time.Now()
		all := c.holders()
		slowest = max(slowest, time.Since(begin))
		worst = 0
		for _, name := range lost {
			h := all[name]
			if h.Attempt < 2 || h.Worker == observe.Identity(victim.PID()) {
				return false
			}
			worst = max(worst, h.Since.Sub(killed)) // one clock: one machine
		}
		return true
	})
	t.Logf("the last of them began %v after the kill, with a lease of %v", worst, c.lease)
	// A dozen calls take some milliseconds, but seconds on a machine that is busy
	// with something else.
	if most := c.lease + 2*time.Second + slowest; worst > most {
		t.Errorf("an operation began again %v after its worker was killed, want %v at most", worst, most)
	}
	again := make(map[string]bool)
	for _, name := range lost {
		again[name] = true
	}
	for echo, name := range names {
		resp := s.succeeds(name, echo)
		m := s.metadata(name)
		if !again[name] {
			continue
		}
		var from, steps int
		if n, _ := fmt.Sscanf(m.GetStatusMessage(), "resumed after step %d of %d", &from, &steps); n != 2 || from < 10 {
			t.Errorf("operation %q: status message %q, want that it was resumed at step 10 or later", echo, m.GetStatusMessage())
		}
		if resp.GetAttempts() != 2 {
			t.Logf("operation %q took %d attempts", echo, resp.GetAttempts())
		}
	}
}

// TestStop stops a worker (SIGSTOP) past its lease and continues it: what it
// makes of its operation then does not count.
func TestStop(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3*time.Second, testserver.Options{})
	s := c.server()
	first := c.worker()
	name := s.start("stop", 8*time.Second)
	eventually(t, "the operation has run for a second", func() bool { return s.metadata(name).GetProgress().GetDone() >= 10 })
	if err := first.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	second := c.worker()
	eventually(t, "another worker runs the operation", func() bool { return s.metadata(name).GetAttempt() > 1 })
	if err := first.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the first worker knows that its attempt does not count", func() bool { return first.leaseLosses() == 1 })
	resp := s.succeeds(name, "stop")
	if resp.GetAttempts() != 2 {
		t.Errorf("response = %v, want that of attempt 2", resp)
	}
	if n := second.leaseLosses(); n != 0 {
		t.Errorf("the second worker lost %d operations, want 0", n)
	}
	again := s.succeeds(name, "stop")
	if again.GetAttempts() != resp.GetAttempts() {
		t.Errorf("the response has changed from %v to %v", resp, again)
	}
	// It is a worker like any other again.
	second.leave()
	s.succeeds(s.start("after", time.Second), "after")
}
