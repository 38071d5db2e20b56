//go:build unix

package postgres

import (
	"syscall"
	"testing"
)

// stop keeps a process of the server from doing anything until the test ends, as
// a network would that swallows what it sends.
func stop(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
}
