package faulttest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/internal/child"
	"github.com/go-lro/lro/internal/leak"
	"github.com/go-lro/lro/internal/simulation"
	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/temporal/internal/command"
	"github.com/go-lro/lro/temporal/internal/testserver"
)

// commandEnv makes a copy of the test binary run the command lro-temporal.
const commandEnv = "LRO_FAULTTEST_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(commandEnv) != "" {
		os.Exit(command.Main())
	}
	if is, err := simulation.Member(openConnected); is {
		if err != nil {
			fmt.Fprintln(os.Stderr, "error", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	leak.Main(m)
}

// limit is how long anything may take that is not what a test is about.
const limit = 2 * time.Minute

// cluster is a Temporal service with servers and workers.
type cluster struct {
	t        *testing.T
	temporal *testserver.Server
	client   client.Client // of Temporal
	lease    time.Duration
}

func newCluster(t *testing.T, lease time.Duration, o testserver.Options) *cluster {
	temporal := testserver.Start(t, o)
	return &cluster{t: t, temporal: temporal, client: temporal.Client(t), lease: lease}
}

// run starts "lro-temporal serve" with flags, on the Temporal service at address.
func (c *cluster) run(address string, match func(string) (string, bool), flags ...string) (*child.Process, string) {
	c.t.Helper()
	cmd := exec.Command(os.Args[0], append([]string{"serve", "--temporal", address, "--lease", c.lease.String()}, flags...)...)
	cmd.Env = append(os.Environ(), commandEnv+"=1")
	ctx, cancel := context.WithTimeout(c.t.Context(), limit)
	defer cancel()
	p, text, err := child.Start(ctx, cmd, match)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		p.Kill()
		if c.t.Failed() {
			c.t.Logf("lro-temporal %d %q wrote:\n%s", p.PID(), flags, p.Output())
		}
	})
	return p, text
}

// server starts one that answers callers.
func (c *cluster) server() *server {
	c.t.Helper()
	p, address := c.run(c.temporal.HostPort(), func(line string) (string, bool) {
		rest, ok := strings.CutPrefix(line, "serving operations on ")
		address, _, _ := strings.Cut(rest, ",")
		return address, ok
	}, "--role", "server", "--listen", "127.0.0.1:0")
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { conn.Close() })
	return &server{
		t: c.t, Process: p,
		starter:    lropb.NewStarterClient(conn),
		operations: longrunningpb.NewOperationsClient(conn),
		client:     lro.NewClientConn(conn),
	}
}

// worker starts one that runs operations, and shows metrics.
func (c *cluster) worker(flags ...string) *worker {
	c.t.Helper()
	return c.workerAt(c.temporal.HostPort(), flags...)
}

func (c *cluster) workerAt(address string, flags ...string) *worker {
	c.t.Helper()
	p, metrics := c.run(address, child.Prefix("metrics: "),
		append([]string{"--role", "worker", "--metrics", "--listen", "127.0.0.1:0"}, flags...)...)
	return &worker{c.t, p, metrics}
}

// eventually waits until done reports true.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.After(limit)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-deadline:
			t.Fatalf("waited %v in vain until %s", limit, what)
		case <-tick.C:
		}
	}
}
