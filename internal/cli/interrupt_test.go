package cli

import (
	"errors"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-lro/lro/internal/cli/exit"
)

// TestSignals: timeout(1) sends its signal twice within milliseconds, which is
// no wish to leave at once.
func TestSignals(t *testing.T) {
	t.Parallel()
	type signal struct {
		after time.Duration
		what  os.Signal
	}
	for _, tt := range []struct {
		name    string
		signals []signal
		leaves  int
	}{
		{"one", []signal{{0, syscall.SIGTERM}}, 0},
		{"the same at once", []signal{{0, syscall.SIGTERM}, {5 * time.Millisecond, syscall.SIGTERM}, {5 * time.Millisecond, syscall.SIGTERM}}, 0},
		{"the same later", []signal{{0, os.Interrupt}, {sameSignal, os.Interrupt}}, 1},
		{"another at once", []signal{{0, os.Interrupt}, {time.Millisecond, syscall.SIGTERM}}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				signals, quit := make(chan os.Signal, 2), make(chan struct{})
				var causes []error
				leaves := 0
				go watchSignals(signals, quit, func(cause error) { causes = append(causes, cause) }, func() { leaves++ })
				for _, s := range tt.signals {
					time.Sleep(s.after)
					signals <- s.what
					synctest.Wait()
				}
				if len(causes) != 1 || !errors.Is(causes[0], exit.ErrInterrupted) || leaves != tt.leaves {
					t.Errorf("stopped with %v and left %d times, want stopped once and left %d times", causes, leaves, tt.leaves)
				}
				close(quit)
			})
		})
	}
}
