package sqlite

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-lro/lro/server/engine"
)

// TestWaitMissesNoEnd ends operations that are read from the file while others
// begin to wait for them: no end falls between the read and the wait.
func TestWaitMissesNoEnd(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "operations.db")
	synctest.Test(t, func(t *testing.T) {
		e := mustOpen(t, path, &Options{CacheBytes: -1})
		const n = 300
		var names [n]string
		var all sync.WaitGroup
		for i := range names {
			all.Go(func() {
				rec, err := e.Start(t.Context(), engine.Spec{Kind: "k"})
				if err != nil {
					t.Error(err)
					return
				}
				names[i] = rec.Name
			})
		}
		all.Wait()
		ctx, stop := context.WithTimeout(t.Context(), time.Hour)
		defer stop()
		for _, name := range names {
			all.Go(func() {
				if rec, err := e.Wait(ctx, name); err != nil || rec.State != engine.Cancelled {
					t.Errorf("Wait(%q) = %+v, %v, want its end", name, rec, err)
				}
			})
			all.Go(func() {
				if _, err := e.Cancel(ctx, name); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	})
}
