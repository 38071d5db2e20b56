package enginekit

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-lro/lro/server/engine"
)

func TestWaits(t *testing.T) {
	t.Parallel()
	var w Waits[string]
	ended, gone := &engine.Record{Name: "a"}, errors.New("gone")
	a, again, b, left := w.Join("a"), w.Join("a"), w.Join("b"), w.Join("a")
	left.Leave()
	if n := w.Len(); n != 3 {
		t.Errorf("Len() = %d, want 3", n)
	}
	w.End("a", ended, nil)
	// The next wait has an end of its own, though those before it have not left.
	late := w.Join("a")
	for _, waiter := range []Waiter[string]{a, again} {
		<-waiter.Done()
		if rec, err := waiter.Result(); rec != ended || err != nil {
			t.Errorf("Result() = %v, %v; want the record", rec, err)
		}
		waiter.Leave()
	}
	if IsClosed(late.Done()) || IsClosed(b.Done()) {
		t.Error("a wait for another end is over")
	}
	w.End("a", ended, nil)
	if !IsClosed(late.Done()) {
		t.Error("a wait was lost when those before it left")
	}
	last := w.Join("a")
	w.EndAll(gone)
	if _, err := b.Result(); !IsClosed(b.Done()) || !errors.Is(err, gone) {
		t.Errorf("Result() = %v, want %v", err, gone)
	}
	for _, waiter := range []Waiter[string]{late, last, b} {
		waiter.Leave()
	}
	if n := w.Len(); n != 0 || len(w.sets) != 0 {
		t.Errorf("%d callers wait in %d sets, want none", n, len(w.sets))
	}
}

// TestDrain: attempts end by themselves, are told, or are abandoned.
func TestDrain(t *testing.T) {
	t.Parallel()
	const limit = time.Minute
	for name, tt := range map[string]struct {
		ends          time.Duration // after the beginning
		told, abandon bool
		took          time.Duration
	}{
		"by itself": {limit / 2, false, false, limit / 2},
		"told":      {limit + AbandonAfter/2, true, false, limit + AbandonAfter/2},
		"never":     {time.Hour, true, true, limit + AbandonAfter},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				idle := make(chan struct{})
				time.AfterFunc(tt.ends, func() { close(idle) })
				told, abandoned, begin := false, false, time.Now()
				Drain{Idle: idle, For: limit, Tell: func() { told = true }, Abandon: func() { abandoned = true }}.Run()
				if took := time.Since(begin); told != tt.told || abandoned != tt.abandon || took != tt.took {
					t.Errorf("told %v, abandoned %v after %v; want %v, %v after %v", told, abandoned, took, tt.told, tt.abandon, tt.took)
				}
				<-idle
			})
		})
	}
}

func TestRetry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan struct{})
		tries, begin := 0, time.Now()
		Retry(stop, time.Second, 3*time.Second, func(time.Duration) bool {
			tries++
			return tries == 5
		})
		if took := time.Since(begin); tries != 5 || took != (1+2+3+3)*time.Second {
			t.Errorf("%d tries in %v, want 5 in 9s", tries, took)
		}
		close(stop)
		Retry(stop, time.Second, time.Second, func(time.Duration) bool {
			tries++
			return false
		})
		if tries != 6 {
			t.Errorf("%d tries after stop, want one", tries-5)
		}
	})
}
