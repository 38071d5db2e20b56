//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd || windows)

package sqlite

import (
	"errors"
	"os"

	"github.com/ncruces/go-sqlite3"
)

func tryLock(*os.File) error { return errors.ErrUnsupported }

func lockDatabase(*os.File) error { return errors.ErrUnsupported }

func unlockDatabase(*os.File) error { return nil }

func countLinks(*os.File) (uint64, error) { return 1, nil }

func isFull(err error) bool { return errors.Is(err, sqlite3.FULL) }

func syncDir(string) error { return nil }

func release(*os.File) error { return nil }
