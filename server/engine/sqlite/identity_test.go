package sqlite

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-lro/lro/server/engine"
)

// wantLost expects that the engine acknowledges nothing any more.
func wantLost(t *testing.T, e *Engine, word string) {
	t.Helper()
	_, err := e.Start(t.Context(), engine.Spec{Kind: "k"})
	if !errors.Is(err, engine.ErrUnavailable) || !strings.Contains(err.Error(), word) {
		t.Errorf("Start() = %v, want ErrUnavailable with %q", err, word)
	}
	// It stays so, for every call.
	for call, do := range map[string]func() error{
		"Start": func() error { _, err := e.Start(t.Context(), engine.Spec{Kind: "k"}); return err },
		"List": func() error {
			_, err := e.List(t.Context(), engine.Query{AnyParent: true, Limit: 1})
			return err
		},
		"Stats": func() error { _, err := e.Stats(t.Context()); return err },
	} {
		if err := do(); !errors.Is(err, errNotOwner) {
			t.Errorf("%s() = %v, want the error of a lost file", call, err)
		}
	}
}

// removals is what happens to the files of a running engine, and a word of the
// error.
var removals = map[string]struct {
	do   func(path string) error
	word string
}{
	"database removed": {func(path string) error { return os.Remove(path) }, `"operations.db" was removed`},
	"database renamed": {func(path string) error { return os.Rename(path, path+".old") }, `"operations.db" was removed or renamed`},
	"database replaced": {func(path string) error {
		if err := copyFile(path+".copy", path); err != nil {
			return err
		}
		return os.Rename(path+".copy", path)
	}, `"operations.db" was replaced`},
	"log removed":          {func(path string) error { return os.Remove(path + "-wal") }, `"operations.db-wal" was removed`},
	"index of log removed": {func(path string) error { return os.Remove(path + "-shm") }, `"operations.db-shm" was removed`},
	"folder removed":       {func(path string) error { return os.RemoveAll(filepath.Dir(path)) }, `"operations.db" was removed`},
}

// TestFileIsLost takes files away from a running engine: nothing is
// acknowledged after that, and all that runs or waits ends.
func TestFileIsLost(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("windows removes no open file: skipped")
	}
	for name, tt := range removals {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "d", "operations.db")
			if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			e, err := Open(t.Context(), path, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			rec, err := e.Start(t.Context(), engine.Spec{Kind: "k"})
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			running, cause := make(chan struct{}, 1), make(chan error, 1)
			worked, waited := make(chan error, 1), make(chan error, 1)
			go func() {
				worked <- e.Work(ctx, engine.Worker{Kinds: map[string]int{"k": 0}, Run: func(ctx context.Context, _ engine.Attempt) engine.Outcome {
					running <- struct{}{}
					<-ctx.Done()
					cause <- context.Cause(ctx)
					return engine.Outcome{Release: true}
				}})
			}()
			<-running
			go func() { _, err := e.Wait(t.Context(), rec.Name); waited <- err }()
			if err := tt.do(path); err != nil {
				t.Fatal(err)
			}
			wantLost(t, e, tt.word)
			if err := <-cause; !errors.Is(err, engine.ErrLeaseLost) {
				t.Errorf("the attempt ended by %v, want %v", err, engine.ErrLeaseLost)
			}
			if err := <-waited; !errors.Is(err, engine.ErrUnavailable) {
				t.Errorf("Wait() = %v, want %v", err, engine.ErrUnavailable)
			}
			stop()
			if err := <-worked; err != nil {
				t.Errorf("Work() = %v", err)
			}
			if err := e.Close(); err != nil {
				t.Errorf("Close() = %v", err)
			}
		})
	}
}

// TestIdleFileIsLost: also an engine without changes notices, soon after the last
// one and later within maintainIdle.
func TestIdleFileIsLost(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("windows removes no open file: skipped")
	}
	for name, tt := range map[string]struct{ idle, within time.Duration }{
		"at once":     {0, maintainEvery},
		"after a day": {24 * time.Hour, maintainIdle},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "operations.db")
			synctest.Test(t, func(t *testing.T) {
				e := mustOpen(t, path, nil)
				time.Sleep(tt.idle)
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
				if err := e.Check(t.Context()); !errors.Is(err, errNotOwner) {
					t.Errorf("Check() = %v at once, want the error of a lost file", err)
				}
				time.Sleep(tt.within)
				synctest.Wait()
				if err := e.isDown(); !errors.Is(err, errNotOwner) {
					t.Errorf("after %v the engine is down with %v, want the error of a lost file", tt.within, err)
				}
			})
		})
	}
}

// TestReadersNeverCreate: a read of a removed database makes no new one.
func TestReadersNeverCreate(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("windows removes no open file: skipped")
	}
	path := filepath.Join(t.TempDir(), "operations.db")
	e, err := Open(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	log, err := os.Stat(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	_, err = e.List(t.Context(), engine.Query{AnyParent: true, Limit: 1})
	if !errors.Is(err, engine.ErrUnavailable) {
		t.Errorf("List() = %v, want %v", err, engine.ErrUnavailable)
	}
	if info, err := os.Stat(path); err == nil {
		t.Errorf("a reader has made the database anew: %v", info)
	}
	if now, err := os.Stat(path + "-wal"); err != nil || now.Size() != log.Size() {
		t.Errorf("the log has %v, %v, want it as it was: %d bytes", now, err, log.Size())
	}
}

// wantSecondRefused opens a database that another engine has.
func wantSecondRefused(t *testing.T, path string) {
	t.Helper()
	e, err := Open(t.Context(), path, nil)
	if err == nil {
		e.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("second Open(%q) = %v, want an error that says it is in use", path, err)
	}
}

// TestSecondOwner: neither another name of the file nor the removal of the lock
// file lets a second engine in.
func TestSecondOwner(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "operations.db")
	e := mustOpen(t, path, nil)
	link := filepath.Join(dir, "link.db")
	if err := os.Link(path, link); err != nil {
		t.Skipf("no hard links: %v", err)
	}
	if runtime.GOOS != "windows" {
		if err := os.Remove(path + ".lock"); err != nil {
			t.Fatal(err)
		}
		wantSecondRefused(t, path)
	}
	switch runtime.GOOS {
	case "darwin", "linux", "windows":
		wantSecondRefused(t, link)
	}
	// The first is not disturbed, and has its lock file again for versions that
	// know no other lock.
	if _, err := e.Start(t.Context(), engine.Spec{Kind: "k"}); err != nil {
		t.Errorf("Start() = %v", err)
	}
	if l, err := lock(path); err == nil {
		_ = l.unlock()
		t.Error("an earlier version could take the lock beside the database")
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	// The log of a killed process would be found under one name alone.
	if e, err := Open(t.Context(), link, nil); err == nil || !strings.Contains(err.Error(), "hard links") {
		t.Errorf("Open() of a file with two names = %v, %v, want an error that says so", e, err)
	}
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, path, nil)
}

// TestSecondOwnerInAnotherProcess is the same across processes.
func TestSecondOwnerInAnotherProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "operations.db")
	c := startChild(t, "run", path)
	defer c.kill(t, func(string) {})
	if line := <-c.lines; line != "open" {
		t.Fatalf("the process wrote %q, want %q", line, "open")
	}
	if runtime.GOOS == "windows" {
		t.Skip("windows removes no open file: skipped")
	}
	if err := os.Remove(path + ".lock"); err != nil {
		t.Fatal(err)
	}
	wantSecondRefused(t, path)
}

// TestOwnerInTheDatabase: where no lock keeps a second owner out, what the first
// one writes after that is refused.
func TestOwnerInTheDatabase(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "operations.db")
	e := mustOpen(t, path, nil)
	first, err := e.Start(t.Context(), engine.Spec{Kind: "k"})
	if err != nil {
		t.Fatal(err)
	}
	// The next owner has no need of locks here.
	if err := unlockDatabase(e.owned.db); err != nil {
		t.Fatal(err)
	}
	if err := release(e.owned.beside.f); err != nil {
		t.Fatal(err)
	}
	next := mustOpen(t, path, nil)
	wantLost(t, e, "another process has opened it")
	if _, err := next.Get(t.Context(), first.Name); err != nil {
		t.Errorf("Get() of what the first owner has acknowledged = %v", err)
	}
	if _, err := next.Start(t.Context(), engine.Spec{Kind: "k"}); err != nil {
		t.Errorf("Start() = %v", err)
	}
}
