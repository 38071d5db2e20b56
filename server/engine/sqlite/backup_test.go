package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/go-lro/lro/server/engine"
)

// TestBackup copies a database while operations are started, again and again,
// and opens each copy: it has all that was acknowledged before.
func TestBackup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "operations.db")
	e := mustOpen(t, path, nil)
	var mu sync.Mutex
	var names []string
	ctx, stop := context.WithCancel(t.Context())
	var starting sync.WaitGroup
	for range 4 {
		starting.Go(func() {
			for ctx.Err() == nil {
				rec, err := e.Start(t.Context(), engine.Spec{Kind: "k", Request: textAny(strings.Repeat("x", 5000))})
				if err != nil {
					t.Errorf("Start() = %v", err)
					return
				}
				mu.Lock()
				names = append(names, rec.Name)
				mu.Unlock()
			}
		})
	}
	for i, backup := range []func(context.Context, string) error{
		e.Backup,
		func(ctx context.Context, to string) error { return Backup(ctx, path, to) },
		e.Backup,
	} {
		mu.Lock()
		want := names[:len(names):len(names)]
		mu.Unlock()
		to := filepath.Join(dir, fmt.Sprint("copy", i, ".db"))
		if err := backup(t.Context(), to); err != nil {
			t.Fatalf("Backup() = %v", err)
		}
		if info, err := os.Stat(to); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("the copy is %v, %v; want mode 0600", info, err)
		}
		checkSound(t, to)
		checkCopy(t, to, want)
	}
	stop()
	starting.Wait()
	if left, err := filepath.Glob(filepath.Join(dir, "*.partial*")); len(left) > 0 || err != nil {
		t.Errorf("there is %q, %v beside the copies", left, err)
	}
}

// TestBackupLeavesOriginal: a backup can be made of a database whose disk takes
// nothing any more.
func TestBackupLeavesOriginal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fs, e := openFaulty(t, dir, nil)
	name := mustStart(t, e, engine.Spec{Kind: "k"}).Name
	fs.mu.Lock()
	fs.plan = func(_ int, what string) fault {
		if strings.Contains(what, "operations.db") {
			return readOnly
		}
		return none
	}
	fs.mu.Unlock()
	to := filepath.Join(dir, "copy.db")
	if err := e.Backup(t.Context(), to); err != nil {
		t.Fatalf("Backup() = %v", err)
	}
	fs.revive()
	checkCopy(t, to, []string{name})
}

func checkCopy(t *testing.T, path string, want []string) {
	t.Helper()
	e := mustOpen(t, path, nil)
	for _, name := range want {
		if _, err := e.Get(t.Context(), name); err != nil {
			t.Errorf("Get(%q) of a copy = %v, and Start had acknowledged it before", name, err)
		}
	}
}

// TestBackupOfAKilledProcess: what is only in the log is copied too.
func TestBackupOfAKilledProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "operations.db")
	c := startChild(t, "start", path)
	l := &ledger{t: t, labels: map[string]string{}, ends: map[string]string{}, saved: map[string]int{}}
	for len(l.labels) < 20 {
		l.read(<-c.lines)
	}
	c.kill(t, l.read)
	var names []string
	for name := range l.labels {
		names = append(names, name)
	}
	to := path + ".copy"
	if err := Backup(t.Context(), path, to); err != nil {
		t.Fatalf("Backup() = %v", err)
	}
	checkCopy(t, to, names)
	checkCopy(t, path, names)
}

func TestBackupRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "operations.db")
	e := mustOpen(t, path, nil)
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte("keep me"), 0o600); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		name string
		err  error
		want error // nil for any
	}{
		{"over a file", e.Backup(t.Context(), text), fs.ErrExist},
		{"over itself", e.Backup(t.Context(), path), fs.ErrExist},
		{"to no folder", e.Backup(t.Context(), filepath.Join(dir, "no", "copy.db")), fs.ErrNotExist},
		{"with an ended ctx", e.Backup(ended, filepath.Join(dir, "ended.db")), context.Canceled},
		{"of nothing", Backup(t.Context(), filepath.Join(dir, "nothing.db"), filepath.Join(dir, "copy.db")), fs.ErrNotExist},
		{"of a text", Backup(t.Context(), text, filepath.Join(dir, "copy.db")), nil},
	} {
		if tt.err == nil || tt.want != nil && !errors.Is(tt.err, tt.want) {
			t.Errorf("Backup %s = %v, want %v", tt.name, tt.err, tt.want)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if err := e.Backup(t.Context(), filepath.Join(dir, "copy.db")); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("Backup() of a closed engine = %v, want %v", err, engine.ErrClosed)
	}
	if b, err := os.ReadFile(text); string(b) != "keep me" {
		t.Errorf("the file there was has %q, %v", b, err)
	}
	if names := namesIn(t, dir); len(names) > 3 { // the database, its lock file, the text
		t.Errorf("the folder has %q after backups that failed", names)
	}
}

// TestCompact makes a file of an earlier version smaller, and one that shrinks.
func TestCompact(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "operations.db")
	if err := copyFile(path, filepath.Join("testdata", "schema1.db")); err != nil {
		t.Fatal(err)
	}
	e := mustOpen(t, path, nil)
	kept, err := e.Start(t.Context(), engine.Spec{Kind: "k"})
	if err != nil {
		t.Fatal(err)
	}
	endMany(t, e, 50)
	p, err := e.List(t.Context(), engine.Query{AnyParent: true, Limit: 50})
	if err != nil {
		t.Fatal(err)
	}
	for _, rec := range p.Records {
		if rec.Name == kept.Name {
			continue
		}
		if err := e.Delete(t.Context(), rec.Name); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := Compact(t.Context(), path); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("Compact() of an open database = %v, want an error that says it is in use", err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	was := fileSize(t, path)
	before, after, err := Compact(t.Context(), path)
	if err != nil || before != was || after != fileSize(t, path) || after > was/4 {
		t.Errorf("Compact() = %d, %d, %v; the file had %d bytes and has %d", before, after, err, was, fileSize(t, path))
	}
	checkSound(t, path)
	e = mustOpen(t, path, nil)
	if !e.shrinks {
		t.Error("a compacted file does not give back what becomes free")
	}
	if _, err := e.Get(t.Context(), kept.Name); err != nil {
		t.Errorf("Get() = %v", err)
	}
}

// TestBackupIsInterrupted: SQLite copies no longer than the ctx lasts.
func TestBackupIsInterrupted(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "operations.db")
	if err := mustOpen(t, path, nil).Close(); err != nil {
		t.Fatal(err)
	}
	c, err := dial(t.Context(), path, "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.vacuumInto(ctx, path+".copy"); !interrupted(err) {
		t.Errorf("vacuumInto() = %v, want it interrupted", err)
	}
}
