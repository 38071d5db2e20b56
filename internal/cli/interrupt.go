package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/go-lro/lro/internal/cli/exit"
)

// interruptedBy names the signal where it is not what Ctrl-C sends.
func interruptedBy(s os.Signal) error {
	if s == syscall.SIGTERM {
		return fmt.Errorf("%w by SIGTERM", exit.ErrInterrupted)
	}
	return exit.ErrInterrupted
}

// sameSignal is how soon a signal that repeats the one before is the same one:
// timeout(1) and some shells signal a process and its group.
const sameSignal = 100 * time.Millisecond

// untilInterrupted returns a context that ends with the cause
// [exit.ErrInterrupted] at the first signal that asks the process to stop. The
// second one ends the process. stop releases what it holds.
func untilInterrupted(ctx context.Context) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	quit := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		watchSignals(signals, quit, cancel, func() {
			fmt.Fprintln(os.Stderr)
			os.Exit(exit.Interrupted)
		})
	})
	return ctx, func() {
		signal.Stop(signals)
		close(quit)
		watching.Wait()
		cancel(nil)
	}
}

// watchSignals calls stop at the first signal and leave at the second, until
// quit is closed.
func watchSignals(signals <-chan os.Signal, quit <-chan struct{}, stop context.CancelCauseFunc, leave func()) {
	var first os.Signal
	var at time.Time
	for {
		select {
		case s := <-signals:
			switch {
			case first == nil:
				first, at = s, time.Now()
				stop(interruptedBy(s))
			case s != first || time.Since(at) >= sameSignal:
				leave()
			}
		case <-quit:
			return
		}
	}
}
