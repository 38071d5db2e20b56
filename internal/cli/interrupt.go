package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/go-lro/lro/internal/cli/exit"
)

// interruptedBy names the signal where it is not what Ctrl-C sends.
func interruptedBy(s os.Signal) error {
	if s == syscall.SIGTERM {
		return fmt.Errorf("%w by SIGTERM", exit.ErrInterrupted)
	}
	return exit.ErrInterrupted
}

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
		for range 2 {
			select {
			case s := <-signals:
				if ctx.Err() != nil {
					fmt.Fprintln(os.Stderr)
					os.Exit(exit.Interrupted)
				}
				cancel(interruptedBy(s))
			case <-quit:
				return
			}
		}
	})
	return ctx, func() {
		signal.Stop(signals)
		close(quit)
		watching.Wait()
		cancel(nil)
	}
}
