package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"

	"github.com/go-lro/lro/internal/killdemo"
	"github.com/go-lro/lro/internal/temporalserver"
	"github.com/go-lro/lro/temporal/internal/observe"
)

const namespace = "default"

// cluster is the processes of the demonstration.
type cluster struct {
	killdemo.Cluster
	temporal *temporalserver.Server
	client   client.Client // of Temporal
}

func startCluster(ctx context.Context, lease time.Duration) (_ *cluster, err error) {
	root, err := temporalserver.Root()
	if err != nil {
		return nil, err
	}
	fmt.Println("building the Temporal server, which takes minutes the first time, and lro-temporal")
	binary, err := temporalserver.Build(ctx, root)
	if err != nil {
		return nil, err
	}
	command := filepath.Join(root, ".cache", "lro-temporal")
	build := exec.CommandContext(ctx, "go", "build", "-o", command, "./cmd/lro-temporal")
	build.Dir, build.Stderr = filepath.Join(root, "temporal"), os.Stderr
	if err := build.Run(); err != nil {
		return nil, fmt.Errorf("build lro-temporal: %w", err)
	}

	c := &cluster{}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	if c.temporal, err = temporalserver.Start(ctx, temporalserver.Config{Binary: binary, Namespaces: []string{namespace}}); err != nil {
		return nil, err
	}
	c.client, err = client.DialContext(ctx, client.Options{
		HostPort: c.temporal.HostPort(), Namespace: namespace, Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	if err != nil {
		return nil, err
	}
	fmt.Printf("Temporal at %s\n", c.temporal.HostPort())
	c.Holders = c.holders
	return c, c.Start(ctx, func(flags ...string) *exec.Cmd {
		return exec.Command(command, append([]string{"serve", "--temporal", c.temporal.HostPort(), "--lease", lease.String()}, flags...)...)
	})
}

func (c *cluster) close() {
	c.Cluster.Close()
	if c.client != nil {
		c.client.Close()
	}
	if c.temporal != nil {
		c.temporal.Kill()
	}
}

// holders returns who runs which operation at the moment.
func (c *cluster) holders(ctx context.Context) (map[string]killdemo.Holder, error) {
	found, err := observe.Holders(ctx, c.client.WorkflowService(), namespace, "simulate")
	if err != nil {
		return nil, err
	}
	all := make(map[string]killdemo.Holder)
	for name, h := range found {
		if h.Worker == "" {
			continue
		}
		// An identity begins with the process.
		pid, err := strconv.Atoi(h.Worker[:max(strings.Index(h.Worker, "@"), 0)])
		if err != nil {
			return nil, fmt.Errorf("identity %q of a worker: %w", h.Worker, err)
		}
		all[name] = killdemo.Holder{PID: pid, Attempt: h.Attempt}
	}
	return all, nil
}
