//go:build unix

package simulation

import (
	"syscall"
	"time"
)

// processorTime is what this process, and those it started that have ended, have
// computed until now.
func processorTime() (d time.Duration) {
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if syscall.Getrusage(who, &u) == nil {
			d += time.Duration(u.Utime.Nano() + u.Stime.Nano())
		}
	}
	return d
}
