package sqlite

import (
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/go-lro/lro/server/engine"
)

// everyFault has the tests below go through all changes. By default each kind
// of fault goes through its own part of them.
var everyFault = flag.Bool("every-fault", false, "inject each fault at each change, not at some")

// TestFaults fails every single write, truncation, sync and deletion of a
// scenario in every way, one run for each, and checks that all that was
// acknowledged is there, in the engine that goes on and in the next one, and
// nothing in part.
func TestFaults(t *testing.T) {
	t.Parallel()
	for _, f := range []fault{failBefore, failAfter, failTorn, diskFull, readOnly} {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			everyChange(t, f, 1, runFault)
		})
	}
	t.Run("outage", func(t *testing.T) {
		t.Parallel()
		everyChange(t, diskFull, 7, runFault)
	})
}

// TestPowerCut cuts the power before every single write, truncation, sync and
// deletion of a scenario, and opens what was left on the disk: what was
// synced, and of the rest nothing, everything, or any part of it.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	for _, f := range []fault{loseAll, keepAll, powerCut} {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			everyChange(t, f, 1, runCut)
		})
	}
	t.Run("other parts", func(t *testing.T) {
		t.Parallel()
		everyChange(t, powerCut, 1, func(t *testing.T, fs *faultFS, o *Options, path string) {
			fs.rand.Uint64() // another random part
			runCut(t, fs, o, path)
		})
	})
}

// everyChange runs a scenario once for each change that it makes, with the
// fault at that change, and at those that follow, length in all.
func everyChange(t *testing.T, f fault, length int, run func(t *testing.T, fs *faultFS, o *Options, path string)) {
	t.Helper()
	step := 29
	switch {
	case *everyFault:
		step = 1
	case testing.Short():
		step = 61
	}
	// Without a log that is moved now and then, there would be little to fail.
	for i, checkpoint := range []int{1000, 6} {
		for at := 1 + (int(f)+i)%step; ; at += step {
			total := 0
			name := fmt.Sprintf("change %d with checkpoints of %d pages", at, checkpoint)
			ok := t.Run(name, func(t *testing.T) {
				dir := t.TempDir()
				synctest.Test(t, func(t *testing.T) {
					fs := newFaultFS(t, uint64(at))
					fs.plan = func(n int, what string) fault {
						if n < at || n >= at+length {
							return none
						}
						if n == at {
							t.Logf("%v: %s", f, what)
						}
						return f
					}
					run(t, fs, &Options{vfs: fs.name, syncDir: fs.syncDir, checkpointPages: checkpoint, youngKeys: 2}, filepath.Join(dir, "operations.db"))
					total = fs.n
				})
			})
			if !ok || total < at {
				break
			}
		}
	}
}

func runFault(t *testing.T, fs *faultFS, o *Options, path string) {
	e, err := Open(t.Context(), path, o)
	if err != nil {
		wantStoreError(t, err)
		fs.revive()
		e = mustOpen(t, path, o)
	}
	known := scenario(e, "first ")
	fs.revive()
	checkMemory(t, e)
	known.check(t, e)
	// It goes on as if nothing had happened.
	after := scenario(e, "second ")
	if after.failed > 0 {
		t.Errorf("%d starts failed after the fault", after.failed)
	}
	known.failed += after.failed
	known.ops = append(known.ops, after.ops...)
	known.check(t, e)
	checkMemory(t, e)
	if err := e.Close(); err != nil {
		t.Errorf("Close() = %v", err)
	}
	checkSound(t, path)
	e = mustOpen(t, path, o)
	known.check(t, e)
}

// runCut runs the scenario, and closes the engine, in the hope that this
// comes to the change before which the power is cut.
func runCut(t *testing.T, fs *faultFS, o *Options, path string) {
	known := &facts{failed: 100}
	e, err := Open(t.Context(), path, o)
	if err == nil {
		known = scenario(e, "first ")
		_ = e.Close()
	}
	if !fs.dead {
		return
	}
	path, err = fs.restore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	e = mustOpen(t, path, nil)
	known.check(t, e)
	again := scenario(e, "second ")
	if again.failed > 0 {
		t.Errorf("%d starts failed after the power cut", again.failed)
	}
	if err := e.Close(); err != nil {
		t.Errorf("Close() = %v", err)
	}
	checkSound(t, path)
}

func wantStoreError(t *testing.T, err error) {
	t.Helper()
	if err == nil || errors.Is(err, engine.ErrNotFound) {
		t.Errorf("error is %v, want one of the store", err)
	}
}

// checkMemory compares what the engine has in memory with what is stored.
func checkMemory(t *testing.T, e *Engine) {
	t.Helper()
	c, err := openConn(t.Context(), e.path, "", readerCache)
	if err != nil {
		t.Fatalf("open database: %v", err)
	}
	defer c.close()
	if err := c.prepare(); err != nil {
		t.Fatalf("open database: %v", err)
	}
	// Between a commit and what it changes in memory they may differ.
	e.committing <- struct{}{}
	defer func() { <-e.committing }()
	e.mu.RLock()
	defer e.mu.RUnlock()
	for seq, en := range e.cache.entries {
		stored, err := c.load(seq)
		if err != nil || stored == nil {
			t.Errorf("%q is in memory, and stored as %v, %v", en.row.rec.Name, stored, err)
			continue
		}
		if diff := diffRecords(en.row.rec, stored.rec); diff != "" {
			t.Errorf("%q in memory is not what is stored (-stored +memory):\n%s", en.row.rec.Name, diff)
		}
	}
}
