//go:build !windows

package term

import "os"

// prepare makes a terminal understand escape sequences, and reports whether it
// does.
func prepare(*os.File) bool { return true }
