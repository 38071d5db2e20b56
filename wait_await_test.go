package lro

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime/pprof"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// No goroutine waits for the end of an operation for a channel or a function.
func TestAwaitTakesNoGoroutine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n = 100
		op := wrap(t, (&fakeService{get: endsAt(time.Minute)}).pollOnly())
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var ended []<-chan Outcome[stringValue]
		returned := make(chan error, 2*n)
		pprof.Do(t.Context(), pprof.Labels("test", t.Name()), func(context.Context) {
			for i := range n {
				ended = append(ended, op.Await(t.Context()))
				by := t.Context()
				if i%2 == 1 {
					by = ctx
				}
				op.OnDone(by, func(out Outcome[stringValue]) { returned <- out.Err })
			}
		})
		time.Sleep(10 * time.Second) // sleep: in a bubble
		synctest.Wait()
		if got := labelled(t, t.Name()); got != 1 {
			t.Errorf("%d goroutines wait, want that of the client alone", got)
		}
		cancel()
		synctest.Wait()
		if len(returned) != n/2 {
			t.Errorf("%d functions were called when ctx ended, want the %d that have it", len(returned), n/2)
		}
		for range len(returned) {
			if err := <-returned; !errors.Is(err, context.Canceled) {
				t.Errorf("OnDone: %v, want the end of ctx", err)
			}
		}
		for _, c := range ended {
			if out := <-c; out.Err != nil || out.Result.GetValue() != "done" {
				t.Errorf("Await: got (%v, %v), want done", out.Result, out.Err)
			}
		}
		synctest.Wait()
		if len(returned) != n/2 {
			t.Errorf("%d functions were called at the end of the operation, want %d", len(returned), n/2)
		}
	})
}

// labelled counts the goroutines that were started under a label, and by those.
func labelled(t *testing.T, test string) (n int) {
	t.Helper()
	var profile bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		t.Fatal(err)
	}
	for part := range strings.SplitSeq(profile.String(), "\n\n") {
		var count int
		if strings.Contains(part, fmt.Sprintf("%q:%q", "test", test)) {
			fmt.Sscanf(part, "%d @", &count)
			n += count
		}
	}
	return n
}

// If ctx has ended, the goroutine of OnDone's function may leave before OnDone has
// joined. This test is for the race detector.
func TestOnDoneLeavesBeforeItJoins(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		op := wrap(t, (&fakeService{}).pollOnly())
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		k := newCaller(ctx, op.untyped())
		k.then, k.stop = func() {}, func() bool { return false }
		left := make(chan error, 1)
		go func() { left <- k.leave() }()
		time.Sleep(time.Second) // sleep: in a bubble, and orders nothing for the race detector
		k.join(&k.only)
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("leave: %v, want the end of ctx", err)
		}
	})
}
