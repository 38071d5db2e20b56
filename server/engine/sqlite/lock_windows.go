package sqlite

import (
	"errors"
	"os"

	"github.com/ncruces/go-sqlite3"
	"golang.org/x/sys/windows"
)

// lockOffset lies far behind the text in the lock file, because Windows
// refuses others to read what is locked.
const lockOffset = 1 << 30

// tryLock locks f, or returns errLocked. The lock belongs to the open file, so
// it holds against this process too, and ends with the file or the process.
func tryLock(f *os.File) error { return lockByte(f, lockOffset) }

func lockByte(f *os.File, at uint64) error {
	err := windows.LockFileEx(windows.Handle(f.Fd()),
		windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY,
		0, 1, 0, &windows.Overlapped{Offset: uint32(at & 0xffffffff), OffsetHigh: uint32(at >> 32)})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return errLocked
	}
	return err
}

// lockDatabase locks the owner's byte of a database, or returns errLocked.
// Windows locks are mandatory; nothing reads or writes that far behind the end.
func lockDatabase(f *os.File) error { return lockByte(f, ownerByte) }

// unlockDatabase does nothing: closing f gives its lock back.
func unlockDatabase(*os.File) error { return nil }

// isFull reports whether there is no room for more. The driver knows that of
// some of its calls alone.
func isFull(err error) bool {
	return errors.Is(err, sqlite3.FULL) || errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL)
}

// countLinks returns how many names f has.
func countLinks(f *os.File) (uint64, error) {
	var info windows.ByHandleFileInformation
	err := windows.GetFileInformationByHandle(windows.Handle(f.Fd()), &info)
	return uint64(info.NumberOfLinks), err
}

// release does nothing: closing f gives its lock back.
func release(*os.File) error { return nil }

// syncDir does nothing: NTFS keeps names in its own journal, and Windows has
// no call that syncs a directory.
func syncDir(string) error { return nil }
