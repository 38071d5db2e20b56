//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package sqlite

import (
	"errors"
	"os"
	"syscall"

	"github.com/ncruces/go-sqlite3"
	"golang.org/x/sys/unix"
)

// tryLock locks f, or returns errLocked. The lock belongs to the open file, so
// it holds against this process too, and ends with the file or the process.
func tryLock(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EWOULDBLOCK):
			return errLocked
		default:
			return err
		}
	}
}

// release gives the lock of f back. Closing f is not enough: a process that is
// just being started shares the open file, and with it the lock, until it runs
// its program.
func release(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_UN) }

// isFull reports whether there is no room for more. The driver knows that of
// some of its calls alone.
func isFull(err error) bool {
	return errors.Is(err, sqlite3.FULL) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
}

// countLinks returns how many names f has.
func countLinks(f *os.File) (uint64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 1, nil
	}
	return uint64(stat.Nlink), nil
}

// syncDir makes the names of files in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
