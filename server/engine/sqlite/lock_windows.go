package sqlite

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// lockOffset lies far behind the text in the lock file, because Windows
// refuses others to read what is locked.
const lockOffset = 1 << 30

// tryLock locks f, or returns errLocked. The lock belongs to the open file, so
// it holds against this process too, and ends with the file or the process.
func tryLock(f *os.File) error {
	err := windows.LockFileEx(windows.Handle(f.Fd()),
		windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY,
		0, 1, 0, &windows.Overlapped{Offset: lockOffset})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return errLocked
	}
	return err
}

// release does nothing: closing f gives its lock back.
func release(*os.File) error { return nil }

// syncDir does nothing: NTFS keeps names in its own journal, and Windows has
// no call that syncs a directory.
func syncDir(string) error { return nil }
