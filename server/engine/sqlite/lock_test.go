package sqlite

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// TestLockIsExclusive: one has the lock at a time, also while others remove the
// file that they have made.
func TestLockIsExclusive(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "operations.db")
	var owners, taken atomic.Int64
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for round := range 500 {
				l, err := lock(path)
				if err != nil {
					continue
				}
				taken.Add(1)
				if n := owners.Add(1); n != 1 {
					t.Errorf("lock(%q) has %d owners", path, n)
				}
				for range 20 {
					runtime.Gosched() // others open and lock the file meanwhile
				}
				owners.Add(-1)
				giveBack := l.unlock
				if (i+round)%2 == 0 {
					l.made = true // so that one of the owners always removes it
					giveBack = l.abandon
				}
				if err := giveBack(); err != nil {
					t.Errorf("give the lock back: %v", err)
				}
			}
		})
	}
	all.Wait()
	if taken.Load() == 0 {
		t.Errorf("lock(%q) was never taken", path)
	}
}

// A name that can neither be made nor opened ends in an error, not in a loop.
func TestLockOfADanglingLink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "operations.db")
	if err := os.Symlink(filepath.Join(dir, "nowhere"), path+".lock"); err != nil {
		t.Skipf("no links: %v", err)
	}
	if l, err := lock(path); err == nil || !strings.Contains(err.Error(), path+".lock") {
		t.Errorf("lock over a dangling link = %v, %v, want an error that names it", l, err)
	}
}
