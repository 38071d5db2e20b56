package sqlite

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-lro/lro/internal/leak"
	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginetest"
)

func TestMain(m *testing.M) {
	if do := os.Getenv(childEnv); do != "" {
		childMain(do)
	}
	leak.Main(m)
}

func TestEngine(t *testing.T) {
	t.Parallel()
	enginetest.Run(t, enginetest.Factory{
		New:    func(t *testing.T) enginetest.Store { return newStore(t, nil) },
		Traits: traits,
	})
}

// TestEngineWithoutCache has everything that does not run read from disk.
func TestEngineWithoutCache(t *testing.T) {
	t.Parallel()
	enginetest.Run(t, enginetest.Factory{
		New:    func(t *testing.T) enginetest.Store { return newStore(t, &Options{CacheBytes: -1}) },
		Traits: traits,
	})
}

var traits = enginetest.Traits{Subscribe: true, Stats: true, History: true, Bubble: true}

// store is a database file that engines are opened on, one after another.
type store struct {
	opts *Options
	path string
	last *Engine
}

func newStore(t *testing.T, opts *Options) *store {
	return &store{opts: opts, path: filepath.Join(t.TempDir(), "operations.db")}
}

func (s *store) Open(t *testing.T) engine.Engine {
	t.Helper()
	s.last = mustOpen(t, s.path, s.opts)
	return s.last
}

// Crash leaves the last engine alone with its files, and goes on with a copy of
// them as they are at a moment within a transaction.
func (s *store) Crash(t *testing.T) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "operations.db")
	err := s.last.write(context.Background(), 0, func(*batch) error {
		if err := copyFile(path, s.path); err != nil {
			return err
		}
		return copyFile(path+"-wal", s.path+"-wal")
	})
	if err != nil {
		t.Fatalf("copy database: %v", err)
	}
	s.path = path
}

// mustOpen opens an engine that is closed with the test.
func mustOpen(t testing.TB, path string, opts *Options) *Engine {
	t.Helper()
	e, err := Open(t.Context(), path, opts)
	if err != nil {
		t.Fatalf("Open(%q) = %v", path, err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
	})
	return e
}

func copyFile(dst, src string) error {
	in, err := os.Open(src)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(dst)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}
