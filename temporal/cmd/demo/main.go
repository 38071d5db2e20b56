// Command demo shows operations on more than one process: a Temporal service, two
// servers, three workers and 50 operations, in the middle of which one worker is
// killed. It ends with a table of what each operation went through. "make
// demo-temporal" runs it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-lro/lro/internal/killdemo"
)

func main() {
	var o killdemo.Options
	o.AddFlags(flag.CommandLine)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "demo: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o killdemo.Options) error {
	c, err := startCluster(ctx, o.Lease)
	if err != nil {
		return err
	}
	defer c.close()
	return c.Run(ctx, o)
}
