package killdemo

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"
)

// Options are the flags of a demonstration.
type Options struct {
	Operations int
	Takes      time.Duration
	Lease      time.Duration
	Kill       time.Duration
}

// AddFlags adds the flags.
func (o *Options) AddFlags(f *flag.FlagSet) {
	f.IntVar(&o.Operations, "operations", 50, "start `N` operations")
	f.DurationVar(&o.Takes, "takes", 6*time.Second, "each takes `DURATION`")
	f.DurationVar(&o.Lease, "lease", 3*time.Second, "give an operation to another worker when its own has not been heard from for `DURATION`")
	f.DurationVar(&o.Kill, "kill", 4*time.Second, "kill a worker after `DURATION`")
}

// Run starts operations, kills a worker while they run, waits for all of them and
// prints a table of what each went through.
func (c *Cluster) Run(ctx context.Context, o Options) error {
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
		case <-time.After(o.Kill):
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
