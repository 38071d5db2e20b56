//go:build darwin || linux

package sqlite

import (
	"errors"
	"io"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// lockDatabase locks the owner's byte of a database, or returns errLocked.
func lockDatabase(f *os.File) error {
	err := setOwnerLock(f, unix.F_WRLCK)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return errLocked
	}
	return err
}

// unlockDatabase is needed before f is closed; see release.
func unlockDatabase(f *os.File) error { return setOwnerLock(f, unix.F_UNLCK) }

func setOwnerLock(f *os.File, typ int16) error {
	cmd := 37 // F_OFD_SETLK of Linux, on every architecture
	if runtime.GOOS == "darwin" {
		cmd = 90 // F_OFD_SETLK of XNU, which package unix does not have
	}
	for {
		err := unix.FcntlFlock(f.Fd(), cmd, &unix.Flock_t{Type: typ, Whence: io.SeekStart, Start: ownerByte, Len: 1})
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
