package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

func TestOpenTwice(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "operations.db")
	e := mustOpen(t, path, nil)
	link := filepath.Join(dir, "link.db")
	paths := []string{path}
	if err := os.Symlink(path, link); err == nil { // Windows may refuse to
		paths = append(paths, link)
	}
	for _, p := range paths {
		_, err := Open(t.Context(), p, nil)
		if err == nil || !strings.Contains(err.Error(), p) || !strings.Contains(err.Error(), "another engine of this process") {
			t.Errorf("second Open(%q) = %v, want an error that names file and owner", p, err)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatalf("Close() = %v", err)
	}
	mustOpen(t, link, nil)
}

func TestOpenInTwoProcesses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "operations.db")
	c := startChild(t, "run", path)
	if line := <-c.lines; line != "open" {
		t.Errorf("the process wrote %q, want %q", line, "open")
	}
	_, err := Open(t.Context(), path, nil)
	want := fmt.Sprintf("process %d", c.cmd.Process.Pid)
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), want) {
		t.Errorf("Open() = %v, want an error that names the file and %s", err, want)
	}
	c.kill(t, func(string) {})
	mustOpen(t, path, nil)
}

// TestOpenRefuses opens what is not a database of ours, which must be named in
// the error and left as it is.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	database := func(statements string) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			c, err := openConn(t.Context(), path, "", readerCache)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.db.Exec(statements); err != nil {
				t.Fatal(err)
			}
			if err := c.close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	file := func(content string) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, tt := range []struct {
		name string
		make func(*testing.T, string)
		want string
	}{
		{"text", file(strings.Repeat("not a database\n", 1000)), "not a SQLite database"},
		{"short text", file("hello"), "not a SQLite database"},
		{"torn header", file("SQLite format 3\x00" + strings.Repeat("\xff", 2000)), "not a SQLite database"},
		{"another application", database("CREATE TABLE t (x); INSERT INTO t VALUES (1)"), "another application"},
		{"another application ID", database("PRAGMA application_id = 7"), "another application"},
		{"newer", database(fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = 99", applicationID)), "schema 99"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "operations.db")
			tt.make(t, path)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			e, err := Open(t.Context(), path, nil)
			if err == nil {
				e.Close()
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("Open() = %v, want an error with the path and %q", err, tt.want)
			}
			after, err := os.ReadFile(path)
			if err != nil || !bytes.Equal(before, after) {
				t.Errorf("the file has changed (read again: %v)", err)
			}
			if names := namesIn(t, filepath.Dir(path)); len(names) != 1 {
				t.Errorf("after an Open that was refused the folder has %q, want the file alone", names)
			}
		})
	}
}

// namesIn returns what is in a folder.
func namesIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if runtime.GOOS == "windows" && strings.HasSuffix(e.Name(), ".lock") {
			continue // it cannot be removed while it is open
		}
		names = append(names, e.Name())
	}
	return names
}

func TestOpenWhereNothingCanBe(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	dir := filepath.Join(parent, "dir")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, filepath.Join(dir, "no", "folder", "operations.db"), ""} {
		if e, err := Open(t.Context(), path, nil); err == nil {
			e.Close()
			t.Errorf("Open(%q) = nil, want an error", path)
		}
	}
	if names := namesIn(t, parent); len(names) != 1 {
		t.Errorf("Open of a folder has left %q beside it, want nothing", names)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, filepath.Join(dir, "operations.db"), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Open(ended ctx) = %v, want %v", err, context.Canceled)
	}
}

// TestOpenOddNames: paths are not URIs.
func TestOpenOddNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a b.db", "a%20b.db", "a#b.db", "ü.db", "a&mode=memory.db", "file:x.db"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), name)
			if f, err := os.Create(path); err != nil {
				t.Skipf("the operating system has no such names: %v", err)
			} else {
				f.Close()
			}
			e := mustOpen(t, path, nil)
			rec, err := e.Start(t.Context(), engine.Spec{Kind: "k"})
			if err != nil {
				t.Fatalf("Start() = %v", err)
			}
			if err := e.Close(); err != nil {
				t.Fatalf("Close() = %v", err)
			}
			if info, err := os.Stat(path); err != nil || info.Size() == 0 {
				t.Errorf("Stat(%q) = %v, %v; want the database there", path, info, err)
			}
			e = mustOpen(t, path, nil)
			if _, err := e.Get(t.Context(), rec.Name); err != nil {
				t.Errorf("Get() = %v", err)
			}
		})
	}
}

// TestOpenReadOnly opens a database that the process may not write.
func TestOpenReadOnly(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "operations.db")
	if err := mustOpen(t, path, nil).Close(); err != nil {
		t.Fatalf("Close() = %v", err)
	}
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	if f, err := os.OpenFile(path, os.O_RDWR, 0); err == nil {
		f.Close()
		t.Skip("this user may write everything")
	}
	e, err := Open(t.Context(), path, nil)
	if err == nil {
		e.Close()
	}
	if err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("Open() = %v, want an error that names the file", err)
	}
}

// TestDamaged has the file overwritten under a running engine: it answers with
// errors, and its process goes on.
func TestDamaged(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "operations.db")
	e := mustOpen(t, path, &Options{CacheBytes: -1})
	var names []string
	for range 200 {
		rec, err := e.Start(t.Context(), engine.Spec{Kind: "k", Request: textAny(strings.Repeat("x", 1000))})
		if err != nil {
			t.Fatalf("Start() = %v", err)
		}
		names = append(names, rec.Name)
	}
	if err := e.Close(); err != nil {
		t.Fatalf("Close() = %v", err)
	}
	e, err := Open(t.Context(), path, &Options{CacheBytes: -1})
	if err != nil {
		t.Fatalf("Open() = %v", err)
	}
	// It may refuse to close what is damaged.
	defer e.Close()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(bytes.Repeat([]byte{0xa5}, int(info.Size())-8192), 8192); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	wantDamaged := func(call string, err error) {
		t.Helper()
		if errors.Is(err, engine.ErrUnavailable) || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%s = %v, want an error that says the file is damaged, and not that it may pass", call, err)
		}
	}
	failed := 0
	for _, name := range names {
		if _, err := e.Get(t.Context(), name); err != nil {
			failed++
			wantDamaged("Get()", err)
		}
	}
	if failed == 0 {
		t.Error("no Get of a damaged file failed")
	}
	if _, err := e.List(t.Context(), engine.Query{AnyParent: true, Limit: 1000}); err == nil {
		t.Error("List() of a damaged file = nil, want an error")
	} else {
		wantDamaged("List()", err)
	}
}

// TestNumbersDoNotComeAgain: an operation that is started after a restart is newer than
// all before, also by its name, though the newest was deleted.
func TestNumbersDoNotComeAgain(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "operations.db")
	var last int64
	for range 3 {
		e := mustOpen(t, path, nil)
		rec := mustStart(t, e, engine.Spec{})
		seq, _ := enginekit.ParseSeqName(rec.Name)
		if seq <= last {
			t.Errorf("number %d comes after %d", seq, last)
		}
		last = seq
		if _, err := e.Cancel(t.Context(), rec.Name); err != nil { // it is PENDING, so it ends
			t.Fatal(err)
		}
		if err := e.Delete(t.Context(), rec.Name); err != nil {
			t.Fatal(err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
