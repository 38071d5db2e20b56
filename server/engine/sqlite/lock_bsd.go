//go:build dragonfly || freebsd || netbsd || openbsd

package sqlite

import "os"

// lockDatabase does nothing, see [ownership].
func lockDatabase(*os.File) error { return nil }

func unlockDatabase(*os.File) error { return nil }
