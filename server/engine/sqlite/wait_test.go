package sqlite

import (
	"context"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-lro/lro/server/engine"
)

// TestWaitMissesNoEnd ends an operation while a caller that begins to wait for it
// reads its state: no end falls between the read and the wait.
func TestWaitMissesNoEnd(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "operations.db")
	synctest.Test(t, func(t *testing.T) {
		e := mustOpen(t, path, &Options{CacheBytes: -1})
		rec, err := e.Start(t.Context(), engine.Spec{Kind: "k"})
		if err != nil {
			t.Fatal(err)
		}
		before, err := e.find(t.Context(), rec.Name)
		if err != nil {
			t.Fatal(err)
		}
		// The wait shares a read that another caller has begun.
		reading := &load{done: make(chan struct{}), row: before}
		e.mu.Lock()
		e.cache.loads[before.seq] = reading
		e.mu.Unlock()
		ended := make(chan *engine.Record, 1)
		go func() {
			ctx, stop := context.WithTimeout(t.Context(), time.Hour)
			defer stop()
			rec, err := e.Wait(ctx, rec.Name)
			if err != nil {
				t.Error(err)
			}
			ended <- rec
		}()
		synctest.Wait()
		if _, err := e.Cancel(t.Context(), rec.Name); err != nil {
			t.Fatal(err)
		}
		e.mu.Lock()
		delete(e.cache.loads, before.seq)
		e.mu.Unlock()
		close(reading.done)
		if got := <-ended; got.State != engine.Cancelled {
			t.Errorf("Wait() = %+v, want the end", got)
		}
	})
}
