//go:build unix

package faulttest

import (
	"errors"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/go-lro/lro/internal/pgtest"
	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

func isNotFound(err error) bool { return errors.Is(err, engine.ErrNotFound) }

// heldBy returns the operations whose last attempt a process has begun and not
// ended.
func (w *world) heldBy(pid int) []string {
	w.t.Helper()
	return query(w, pgx.RowTo[string], `SELECT a.name FROM `+w.table("attempt")+` a JOIN `+w.table("op")+` o USING (seq)
		WHERE a.pid = $1 AND o.state IS NULL
		AND NOT EXISTS (SELECT 1 FROM `+w.table("attempt")+` b WHERE b.seq = a.seq AND b.attempt > a.attempt)`, pid)
}

// TestKill kills one of three workers under load (kill -9), again and again: what
// it ran runs elsewhere when its lease has ended, from the checkpoints.
func TestKill(t *testing.T) {
	t.Parallel()
	n := rounds(t)
	w := newWorld(t, pgtest.URL(t), workerConfig{Lease: 3 * time.Second})
	workers := w.workers(3)
	stop := w.load(12, 400*time.Millisecond)
	var worst time.Duration
	taken := 0
	for range n {
		i := rand.IntN(len(workers))
		victim := workers[i]
		eventually(t, "the worker runs operations", func() bool { return len(w.heldBy(victim.PID())) > 0 })
		enginekit.Pause(t.Context(), rand.N(500*time.Millisecond))
		victim.Kill()
		killed := time.Now()
		lost := w.heldBy(victim.PID())
		workers[i] = w.worker()
		taken += len(lost)
		eventually(t, "all that the worker ran is run by others", func() bool { return len(w.heldBy(victim.PID())) == 0 })
		for _, at := range query(w, pgx.RowTo[time.Time], `SELECT min(b.at) FROM `+w.table("attempt")+` a JOIN `+w.table("attempt")+` b
			ON b.name = a.name AND b.attempt > a.attempt WHERE a.pid = $1 AND a.name = ANY($2) GROUP BY a.name`, victim.PID(), lost) {
			worst = max(worst, at.Sub(killed)) // one clock: one machine
		}
	}
	stop()
	w.check()
	if taken == 0 {
		t.Errorf("none of %d workers that were killed ran anything", n)
	}
	t.Logf("%d workers killed with %d operations; the last began elsewhere %v later, with a lease of %v", n, taken, worst, w.config.Lease)
	// The lease and 2 s on a machine that is not busy.
	if most := 3*w.config.Lease + 2*time.Second; worst > most {
		t.Errorf("an operation began again %v after its worker was killed, want %v at most", worst, most)
	}
}

// TestStop stops a worker (SIGSTOP) past its lease and continues it: what its
// handler writes then is refused.
func TestStop(t *testing.T) {
	t.Parallel()
	n := rounds(t)
	w := newWorld(t, pgtest.URL(t), workerConfig{Lease: 3 * time.Second, URL: pgtest.URL(t) + idle})
	for i := range n {
		for _, how := range []string{deaf, holds} {
			first := w.worker()
			echo := how + "/" + string(rune('a'+i))
			name := w.start(echo, 10, time.Second)
			eventually(t, "the operation has run for some steps", func() bool {
				if how == holds {
					return len(query(w, pgx.RowTo[string], "SELECT name FROM "+w.table("holding")+" WHERE name = $1", name)) > 0
				}
				return len(query(w, pgx.RowTo[int], "SELECT step FROM "+w.table("effect")+" WHERE name = $1", name)) > 2
			})
			if err := first.Signal(syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			second := w.worker()
			eventually(t, "another worker runs the operation", func() bool { return len(w.heldBy(second.PID())) > 0 })
			if err := first.Signal(syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			w.check()
			if how == deaf {
				w.checkRefused(name)
			}
			// It is a worker like any other again.
			second.Kill()
			after := w.start("after/"+echo, 2, 0)
			eventually(t, "the first worker runs another operation", func() bool {
				rec, err := w.engine.Get(t.Context(), after)
				return err == nil && rec.State.Terminal()
			})
			first.Kill()
		}
	}
	w.check()
}

// checkRefused fails unless the late writes of the first attempt were refused,
// the end among them, since it had lost its lease.
func (w *world) checkRefused(name string) {
	w.t.Helper()
	const steps = 10
	type late struct {
		Attempt, Step int
		Fenced        bool
		Error         string
	}
	var refused []late
	eventually(w.t, "the end of the first attempt was refused", func() bool {
		refused = query(w, pgx.RowToStructByPos[late], "SELECT attempt, step, fenced, error FROM "+w.table("refused")+" WHERE name = $1 ORDER BY step", name)
		return len(refused) > 0 && refused[len(refused)-1].Step == steps+1
	})
	fenced := 0
	for _, r := range refused {
		if r.Attempt != 1 {
			w.t.Errorf("a write of attempt %d was refused: %v", r.Attempt, r.Error)
		}
		if r.Fenced {
			fenced++
		}
	}
	if fenced < 2 || !refused[len(refused)-1].Fenced {
		w.t.Errorf("late writes were refused with %+v; want most of them because the lease was lost", refused)
	}
}
