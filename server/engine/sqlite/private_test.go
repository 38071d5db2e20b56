package sqlite

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/go-lro/lro/server/engine"
)

func TestOpenKeepsFilesPrivate(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("windows has no permission bits: skipped")
	}
	path := filepath.Join(t.TempDir(), "operations.db")
	e, err := Open(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if _, err := e.Start(t.Context(), engine.Spec{Kind: "k"}); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(file)
		if err != nil {
			t.Errorf("%v: an open database has this file", err)
			continue
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has mode %v, want 0600", filepath.Base(file), mode)
		}
	}
}

func TestOpenRefusesWhatIsNoFile(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"", ":memory:"} {
		if e, err := Open(t.Context(), path, nil); !errors.Is(err, engine.ErrInvalid) {
			t.Errorf("Open(%q) = %v, %v, want ErrInvalid", path, e, err)
		}
	}
}

// What is refused is left as it is, and nothing is left beside it.
func TestOpenRefusedLeavesNoFiles(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "notes.txt")
	if err := os.WriteFile(path, []byte("this is no database, but longer than the header of one would be, which has a hundred bytes in all"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), path, nil); err == nil {
		t.Fatal("Open took a text file")
	}
	for _, suffix := range []string{"-wal", "-shm"} {
		if _, err := os.Stat(path + suffix); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", suffix, err)
		}
	}
}
