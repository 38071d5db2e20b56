// Command demo shows operations on more than one process: a Temporal service, two
// servers, three workers and 50 operations, in the middle of which one worker is
// killed. It ends with a table of what each operation went through. "make
// demo-temporal" runs it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	operations int
	takes      time.Duration
	lease      time.Duration
	kill       time.Duration
}

func main() {
	var o options
	flag.IntVar(&o.operations, "operations", 50, "start `N` operations")
	flag.DurationVar(&o.takes, "takes", 6*time.Second, "each takes `DURATION`")
	flag.DurationVar(&o.lease, "lease", 3*time.Second, "give an operation to another worker when its own was not heard of for `DURATION`")
	flag.DurationVar(&o.kill, "kill", 4*time.Second, "kill a worker after `DURATION`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "demo: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	c, err := startCluster(ctx, o.lease)
	if err != nil {
		return err
	}
	defer c.close()
	operations, err := c.startOperations(ctx, o)
	if err != nil {
		return err
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	watched := make(chan error, 1)
	go func() { watched <- c.watch(watching, operations) }()

	killed := make(chan struct{})
	go func() {
		defer close(killed)
		select {
		case <-time.After(o.kill):
			fmt.Printf("%5.1fs  kill -9 of worker %s\n", time.Since(c.begin).Seconds(), c.workers[1].name)
			c.workers[1].process.Kill()
		case <-watching.Done():
		}
	}()
	err = c.await(ctx, operations)
	if err == nil {
		fmt.Printf("%5.1fs  all have ended\n\n", time.Since(c.begin).Seconds())
		err = ctx.Err()
	}
	stop()
	<-killed
	if err = errors.Join(err, <-watched); err != nil {
		return err
	}
	return print(os.Stdout, operations)
}
