package sqlite

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/go-lro/lro/server/engine"
)

func fileSize(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// TestLogIsCut has another process read the database in one transaction, so
// that the log grows, and leave.
func TestLogIsCut(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "operations.db")
	synctest.Test(t, func(t *testing.T) {
		e := mustOpen(t, path, nil)
		reader, err := openConn(t.Context(), path, "", readerCache)
		if err != nil {
			t.Fatal(err)
		}
		if err := reader.db.Exec("BEGIN; SELECT count(*) FROM op"); err != nil {
			t.Fatal(err)
		}
		payload := textAny(strings.Repeat("x", 1<<20))
		for range 20 {
			if _, err := e.Start(t.Context(), engine.Spec{Kind: "k", Request: payload}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * maintainEvery)
		grown := fileSize(t, path+"-wal")
		stats, err := e.Stats(t.Context())
		if err != nil || stats.Bytes["log"] != grown || stats.Bytes["database"] != fileSize(t, path) || grown <= logLimit {
			t.Errorf("Stats() = %v, %v; want a log of %d bytes, more than %d", stats.Bytes, err, grown, logLimit)
		}
		if err := reader.close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * maintainEvery)
		if size := fileSize(t, path+"-wal"); size > logLimit {
			t.Errorf("the log has %d bytes after its reader left, want at most %d", size, logLimit)
		}
	})
}

// endMany has n operations with large requests end, that expire after an hour.
func endMany(t *testing.T, e *Engine, n int) {
	t.Helper()
	for range n {
		rec, err := e.Start(t.Context(), engine.Spec{
			Kind: "k", External: true, Retention: time.Hour, Request: textAny(strings.Repeat("x", 64<<10)),
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Complete(t.Context(), rec.Lease(), engine.Completion{Response: textAny("")}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFileShrinks: what expired operations took is given back.
func TestFileShrinks(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "operations.db")
	synctest.Test(t, func(t *testing.T) {
		e := mustOpen(t, path, nil)
		kept, err := e.Start(t.Context(), engine.Spec{Kind: "k"})
		if err != nil {
			t.Fatal(err)
		}
		endMany(t, e, 100)
		time.Sleep(2 * maintainEvery)
		full := fileSize(t, path) + fileSize(t, path+"-wal")
		time.Sleep(2 * time.Hour)
		if size := fileSize(t, path); size > full/4 {
			t.Errorf("the file has %d bytes after all but one operation expired, and had %d with them", size, full)
		}
		if _, err := e.Get(t.Context(), kept.Name); err != nil {
			t.Errorf("Get() = %v", err)
		}
	})
	checkSound(t, path)
}

// TestFileShrinksUnderLoad is TestFileShrinks while changes never pause.
func TestFileShrinksUnderLoad(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "operations.db")
	synctest.Test(t, func(t *testing.T) {
		fs := newFaultFS(t, 1)
		e := mustOpen(t, path, &Options{vfs: fs.name, syncDir: fs.syncDir})
		endMany(t, e, 100)
		time.Sleep(2 * maintainEvery)
		full := fileSize(t, path) + fileSize(t, path+"-wal")
		var load sync.WaitGroup
		var over atomic.Bool
		start := func() {
			if _, err := e.Start(t.Context(), engine.Spec{Kind: "k"}); err != nil {
				t.Error(err)
			}
		}
		fs.mu.Lock()
		fs.plan = func(_ int, what string) fault {
			if strings.HasPrefix(what, "sync") && !over.Load() {
				fs.mu.Unlock() // the bubble's clock stands still while a mutex is waited for
				load.Go(start) // is queued before the commit under way ends
				time.Sleep(10 * time.Second)
				fs.mu.Lock()
			}
			return none
		}
		fs.mu.Unlock()
		start()
		time.Sleep(2 * time.Hour)
		if size := fileSize(t, path); size > full/4 {
			t.Errorf("the file has %d bytes after its operations expired under load, and had %d with them", size, full)
		}
		over.Store(true)
		load.Wait()
	})
	checkSound(t, path)
}

// TestDiskFull: a full disk is named in errors, in the log and by Check, and is
// over when there is room again. SQLite calls it an I/O error.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	fs := newFaultFS(t, 1)
	var log bytes.Buffer
	e := mustOpen(t, filepath.Join(t.TempDir(), "operations.db"), &Options{
		vfs: fs.name, syncDir: fs.syncDir,
		probe:  func(string) error { return &os.PathError{Op: "write", Path: "x", Err: sqlite3.FULL} },
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err := e.Check(t.Context()); err != nil {
		t.Errorf("Check() = %v", err)
	}
	fs.mu.Lock()
	fs.plan = func(int, string) fault { return failTorn }
	fs.mu.Unlock()
	_, err := e.Start(t.Context(), engine.Spec{Kind: "k"})
	for call, err := range map[string]error{"Start": err, "Check": e.Check(t.Context())} {
		if !errors.Is(err, engine.ErrUnavailable) || !strings.Contains(err.Error(), "the disk is full") {
			t.Errorf("%s() = %v, want ErrUnavailable that says the disk is full", call, err)
		}
	}
	fs.revive()
	if err := e.Check(t.Context()); err != nil {
		t.Errorf("Check() = %v once there was room", err)
	}
	if _, err := e.Start(t.Context(), engine.Spec{Kind: "k"}); err != nil {
		t.Errorf("Start() = %v once there was room", err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"the disk is full", "accepts changes again"} {
		if strings.Count(log.String(), want) != 1 {
			t.Errorf("the log is\n%s\nwant one line with %q", &log, want)
		}
	}
}
