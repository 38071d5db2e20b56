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
// opening the same database. It is a file beside the database, and stays there.
// The operating system gives the lock back when a process dies.
//
// It is removed only by who made it and could not open the database, while it
// holds the lock. Who opened the file before that and locks it after finds
// another file, or none, under the name, and begins again: two processes never
// hold the locks of different files of one name.
type lockFile struct {
	f    *os.File
	made bool // by this lock
}

var (
	errLocked  = errors.New("locked")
	errRemoved = errors.New("removed by another")
)

// lockTries bounds how often a lock file is looked for that others remove.
const lockTries = 100

// lock takes the lock of a database, or says who has it.
func lock(database string) (*lockFile, error) {
	path := database + ".lock"
	for range lockTries {
		l, err := openLock(path)
		if errors.Is(err, errRemoved) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("open lock file: %w", err)
		}
		if err := tryLock(l.f); err != nil {
			owner := readOwner(l.f)
			l.f.Close()
			if !errors.Is(err, errLocked) {
				return nil, fmt.Errorf("lock %q: %w", path, err)
			}
			return nil, fmt.Errorf("the database is in use by %s (lock file %q)", owner, path)
		}
		if !l.isAt(path) {
			l.f.Close()
			continue
		}
		// The owner is information for people; the lock holds without it.
		if err := l.f.Truncate(0); err == nil {
			_, _ = l.f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
		}
		return l, nil
	}
	return nil, fmt.Errorf("lock %q: no file stays under this name", path)
}

// openLock opens a lock file, or makes one.
func openLock(path string) (*lockFile, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		return &lockFile{f: f, made: true}, nil
	}
	if !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	f, err = os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil, errRemoved
	}
	if err != nil {
		return nil, err
	}
	return &lockFile{f: f}, nil
}

// isAt reports whether the file is the one that is called path.
func (l *lockFile) isAt(path string) bool {
	mine, err := l.f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(path)
	return err == nil && os.SameFile(mine, named)
}

// abandon gives the lock of a database back that could not be opened, and
// leaves nothing behind that was not there before.
func (l *lockFile) abandon() error {
	if l.made {
		_ = os.Remove(l.f.Name()) // Windows keeps a file that is open: it does no harm
	}
	return l.unlock()
}

func (l *lockFile) unlock() error {
	_ = l.f.Truncate(0)
	return errors.Join(release(l.f), l.f.Close())
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
