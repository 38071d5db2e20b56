package host

import (
	"errors"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"
)

// checkEvery is how often files are looked at for changes, at most.
const checkEvery = time.Second

// fresh is a value that is read from files, and read again when they change. The
// last value that could be read stays, because a file may be missing or half
// written for a moment. It is safe for concurrent use.
type fresh[T any] struct {
	read   func() (T, error)
	paths  []string
	logger *slog.Logger

	mu      sync.Mutex
	value   T
	seen    []os.FileInfo // of paths, when they were read last; nil for a missing one
	checked time.Time
	failed  string // text of the last error, which is logged once
}

// newFresh reads the value for the first time.
func newFresh[T any](read func() (T, error), logger *slog.Logger, paths ...string) (*fresh[T], error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	f := &fresh[T]{read: read, paths: paths, logger: logger}
	f.seen, f.checked = f.look(), time.Now()
	var err error
	f.value, err = read()
	return f, err
}

// get returns the value, of the files as they were a second ago or later.
func (f *fresh[T]) get() T {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.checked) >= checkEvery {
		f.check(false)
	}
	return f.value
}

// reload reads the files, whether they changed or not.
func (f *fresh[T]) reload() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.check(true)
}

// check reads the files if they changed, or could not be read the last time.
func (f *fresh[T]) check(always bool) error {
	f.checked = time.Now()
	seen := f.look()
	if !always && f.failed == "" && slices.EqualFunc(seen, f.seen, sameFile) {
		return nil
	}
	value, err := f.read()
	if err != nil {
		if text := err.Error(); text != f.failed {
			f.failed = text
			f.logger.Error("read again: the last version stays in use", "files", f.paths, "error", err)
		}
		return err
	}
	f.value, f.seen, f.failed = value, seen, ""
	f.logger.Info("read again", "files", f.paths)
	return nil
}

func (f *fresh[T]) look() []os.FileInfo {
	infos := make([]os.FileInfo, len(f.paths))
	for i, path := range f.paths {
		if info, err := os.Stat(path); err == nil {
			infos[i] = info
		}
	}
	return infos
}

func sameFile(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

// Reload reads the files of certificates and tokens again. What cannot be read
// stays as it was, and is in the error.
func (c Config) Reload() error {
	var errs []error
	if c.TLS != nil {
		errs = append(errs, c.TLS.certs.reload())
	}
	if c.Tokens != nil {
		errs = append(errs, c.Tokens.file.reload())
	}
	return errors.Join(errs...)
}
