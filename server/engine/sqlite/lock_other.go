//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd || windows)

package sqlite

import (
	"errors"
	"os"
)

func tryLock(*os.File) error { return errors.ErrUnsupported }

func lockDatabase(*os.File) error { return errors.ErrUnsupported }

func unlockDatabase(*os.File) error { return nil }

func countLinks(*os.File) (uint64, error) { return 1, nil }

func syncDir(string) error { return nil }

func release(*os.File) error { return nil }
