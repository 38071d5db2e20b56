package sqlite

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// lockFile keeps other processes, and other engines of this process, from
// opening the same database. It is a file beside the database that is never
// removed, since removing it would let two processes lock different files of
// one name. The operating system gives the lock back when a process dies.
type lockFile struct {
	f *os.File
}

var errLocked = errors.New("locked")

// lock takes the lock of a database, or says who has it.
func lock(database string) (*lockFile, error) {
	path := database + ".lock"
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock file: %w", err)
	}
	if err := tryLock(f); err != nil {
		owner := readOwner(f)
		f.Close()
		if !errors.Is(err, errLocked) {
			return nil, fmt.Errorf("lock %q: %w", path, err)
		}
		return nil, fmt.Errorf("the database is in use by %s (lock file %q)", owner, path)
	}
	l := &lockFile{f: f}
	// The owner is information for people; the lock holds without it.
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return l, nil
}

func (l *lockFile) unlock() error {
	_ = l.f.Truncate(0)
	return l.f.Close()
}

// readOwner describes the process that holds the lock.
func readOwner(f *os.File) string {
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 32))
	pid, convErr := strconv.Atoi(strings.TrimSpace(string(b)))
	switch {
	case err != nil || convErr != nil:
		return "another process"
	case pid == os.Getpid():
		return "another engine of this process"
	default:
		return "process " + strconv.Itoa(pid)
	}
}
