//go:build unix

package faulttest

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/go-lro/lro/internal/pgserver"
	"github.com/go-lro/lro/internal/pgtest"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// TestServerRestart kills the server in the middle of 200 operations (immediate
// shutdown), while starts, checkpoints and ends commit, and starts it again. What
// was acknowledged is there. What was not is there once or not at all: half of it
// is started again, with the same request ID. All of it ends.
func TestServerRestart(t *testing.T) {
	t.Parallel()
	n := rounds(t)
	const operations, before = 200, 80
	s := pgtest.Start(t, &pgserver.Options{Durable: true})
	w := newWorld(t, s.URL("postgres"), workerConfig{Lease: 3 * time.Second})
	w.workers(3)
	for round := range n {
		var (
			callers sync.WaitGroup
			mu      sync.Mutex
			unknown []string
			numbers = make(chan int)
		)
		for range 16 {
			callers.Go(func() {
				for i := range numbers {
					echo := fmt.Sprintf("%d/%d", round, i)
					err := w.attempt(echo)
					for ; err != nil && i%2 == 0 && t.Context().Err() == nil; err = w.attempt(echo) {
						enginekit.Pause(t.Context(), 50*time.Millisecond)
					}
					if err != nil {
						mu.Lock()
						unknown = append(unknown, echo)
						mu.Unlock()
					}
				}
			})
		}
		for i := range before {
			numbers <- i
		}
		callers.Go(func() {
			defer close(numbers)
			for i := before; i < operations; i++ {
				numbers <- i
				enginekit.Pause(t.Context(), rand.N(10*time.Millisecond))
			}
		})
		enginekit.Pause(t.Context(), rand.N(200*time.Millisecond))
		if err := s.Crash(t.Context()); err != nil {
			t.Fatal(err)
		}
		enginekit.Pause(t.Context(), rand.N(time.Second))
		if err := s.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		callers.Wait()
		w.pool.Reset()
		w.adopt(unknown)
		w.check()
	}
	if w.errors == 0 {
		t.Error("no start met the server's death")
	}
}

// attempt is try with steps of a few milliseconds.
func (w *world) attempt(echo string) error {
	_, err := w.try(w.t.Context(), echo, 3, 30*time.Millisecond)
	return err
}

// adopt notes which of the starts that were not acknowledged have happened. No
// request ID has started two operations.
func (w *world) adopt(unknown []string) {
	w.t.Helper()
	type stored struct {
		Seq        int64
		Tail, Echo string
	}
	all := query(w, pgx.RowToStructByPos[stored], "SELECT seq, tail, request_id FROM "+w.table("op")+" ORDER BY seq")
	byEcho := make(map[string]string)
	for _, s := range all {
		name := enginekit.FormatName("", enginekit.FormatSeqID(s.Seq, s.Tail))
		if other := byEcho[s.Echo]; other != "" {
			w.t.Errorf("%q has started %q and %q", s.Echo, other, name)
		}
		byEcho[s.Echo] = name
	}
	found := 0
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, echo := range unknown {
		if name := byEcho[echo]; name != "" {
			w.ops[echo] = &op{name: name, steps: 3}
			found++
		}
	}
	if len(w.ops) != len(all) {
		w.t.Errorf("%d operations are stored, want %d", len(all), len(w.ops))
	}
	w.t.Logf("%d of %d starts without an answer have happened", found, len(unknown))
}

// TestRollingRestart restarts one worker after the other under load (SIGTERM): no
// start and no operation fails, and no attempt crashes.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	n := rounds(t)
	w := newWorld(t, pgtest.URL(t), workerConfig{Lease: 10 * time.Second})
	workers := w.workers(3)
	stop := w.load(12, 400*time.Millisecond)
	for range n {
		for i, old := range workers {
			eventually(t, "the worker runs operations", func() bool { return len(w.heldBy(old.PID())) > 0 })
			enginekit.Pause(t.Context(), rand.N(time.Second))
			w.leave(old)
			workers[i] = w.worker()
		}
	}
	stop()
	released := 0
	for echo, rec := range w.check() {
		released += rec.Releases
		if rec.Crashes > 0 {
			t.Errorf("%d attempts of %q crashed", rec.Crashes, echo)
		}
	}
	if w.errors > 0 {
		t.Errorf("%d starts failed", w.errors)
	}
	if released == 0 {
		t.Error("no operation was handed back")
	}
	t.Logf("%d attempts were handed back", released)
	for _, p := range workers {
		w.leave(p)
	}
}
