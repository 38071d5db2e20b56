package sqlite

import (
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-lro/lro/server/engine"
)

// TestReadBesideSlowRead: a read that begins after a change was acknowledged
// does not get what a slower read found before it.
func TestReadBesideSlowRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		fs := newFaultFS(t, 1)
		e := mustOpen(t, filepath.Join(dir, "operations.db"), &Options{vfs: fs.name, syncDir: fs.syncDir, CacheBytes: -1})
		start := func() string {
			rec, err := e.Start(t.Context(), engine.Spec{Kind: "k"})
			if err != nil {
				t.Fatalf("Start() = %v", err)
			}
			return rec.Name
		}
		name := start()
		reads := 0
		fs.pause = func() time.Duration { reads++; return 0 }
		for range 2 { // the first opens a connection
			reads = 0
			if _, err := e.Get(t.Context(), start()); err != nil {
				t.Fatalf("Get() = %v", err)
			}
		}
		start() // so that the next read finds nothing in its cache of pages either

		first := make(chan error, 1)
		fs.pause = func() time.Duration {
			if reads--; reads > 0 {
				return 0
			}
			fs.pause = nil
			return time.Minute
		}
		go func() {
			_, err := e.Get(t.Context(), name)
			first <- err
		}()
		synctest.Wait()
		if fs.pause != nil {
			t.Fatal("Get() read less from the disk than before")
		}
		if err := e.Delete(t.Context(), name); err != nil {
			t.Fatalf("Delete() = %v", err)
		}
		began := time.Now()
		rec, err := e.Get(t.Context(), name)
		if !errors.Is(err, engine.ErrNotFound) || time.Since(began) > 0 {
			t.Errorf("Get() after Delete = %v, %v after %v; want %v at once", rec, err, time.Since(began), engine.ErrNotFound)
		}
		if err := <-first; err != nil {
			t.Errorf("Get() before Delete = %v", err)
		}
		if rec, err := e.Get(t.Context(), name); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("Get() after both = %v, %v; want %v", rec, err, engine.ErrNotFound)
		}
	})
}
