package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/go-lro/lro/internal/child"
	"github.com/go-lro/lro/temporal/internal/backend"
	"github.com/go-lro/lro/temporal/internal/observe"
)

const namespace = "default"

// cluster is the processes of the demonstration.
type cluster struct {
	begin    time.Time
	temporal *backend.Temporal
	client   client.Client // of Temporal
	servers  []*server
	workers  []*worker
}

type server struct {
	name    string
	process *child.Process
	conn    *grpc.ClientConn
}

type worker struct {
	name    string
	process *child.Process
}

func startCluster(ctx context.Context, lease time.Duration) (_ *cluster, err error) {
	root, err := backend.Root()
	if err != nil {
		return nil, err
	}
	fmt.Println("building the Temporal server, which takes minutes the first time, and lro-temporal")
	binary, err := backend.Build(ctx, root)
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
	if c.temporal, err = backend.StartTemporal(ctx, backend.Config{Binary: binary, Namespaces: []string{namespace}}); err != nil {
		return nil, err
	}
	c.client, err = client.DialContext(ctx, client.Options{
		HostPort: c.temporal.HostPort(), Namespace: namespace, Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	if err != nil {
		return nil, err
	}
	fmt.Printf("Temporal at %s\n", c.temporal.HostPort())
	serve := func(match func(string) (string, bool), flags ...string) (*child.Process, string, error) {
		return child.Start(ctx, exec.Command(command, append([]string{"serve",
			"--temporal", c.temporal.HostPort(), "--lease", lease.String()}, flags...)...), match)
	}
	for _, name := range []string{"s1", "s2"} {
		process, rest, err := serve(child.Prefix("serving operations on "), "--role", "server", "--listen", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		address, _, _ := strings.Cut(rest, ",")
		s := &server{name: name, process: process}
		c.servers = append(c.servers, s)
		if s.conn, err = grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
			return nil, err
		}
		fmt.Printf("server %s at %s\n", name, address)
	}
	for _, name := range []string{"w1", "w2", "w3"} {
		process, _, err := serve(child.Prefix("running operations"), "--role", "worker", "--concurrency", "20")
		if err != nil {
			return nil, err
		}
		c.workers = append(c.workers, &worker{name, process})
		fmt.Printf("worker %s is process %d\n", name, process.PID())
	}
	c.begin = time.Now()
	return c, nil
}

func (c *cluster) close() {
	for _, w := range c.workers {
		w.process.Kill()
	}
	for _, s := range c.servers {
		if s.conn != nil {
			s.conn.Close()
		}
		s.process.Kill()
	}
	if c.client != nil {
		c.client.Close()
	}
	if c.temporal != nil {
		c.temporal.Kill()
	}
}

// workerName returns the name of the worker with an identity.
func (c *cluster) workerName(identity string) string {
	for _, w := range c.workers {
		if observe.Identity(w.process.PID()) == identity {
			return w.name
		}
	}
	return identity
}
