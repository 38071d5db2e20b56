package servers

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"cloud.google.com/go/spanner/spannertest"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro"
)

// childVariable makes the test binary a spannertest server.
const childVariable = "LRO_SPANNERTEST"

// serveSpanner prints the server's address and serves until standard input
// ends.
func serveSpanner() {
	srv, err := spannertest.NewServer("127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(srv.Addr)
	_, _ = io.Copy(io.Discard, os.Stdin)
	srv.Close()
}

// child is a server in a process of its own.
type child struct {
	addr   string
	log    bytes.Buffer
	cmd    *exec.Cmd
	exited chan struct{}
}

func startChild(t *testing.T) *child {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &child{cmd: exec.Command(self), exited: make(chan struct{})}
	c.cmd.Env = append(os.Environ(), childVariable+"=1")
	c.cmd.Stderr = &c.log
	in, err := c.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, readErr := bufio.NewReader(out).ReadString('\n')
	go func() {
		defer close(c.exited)
		_ = c.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = in.Close()
		_ = c.cmd.Process.Kill()
		<-c.exited
	})
	if readErr != nil {
		t.Fatalf("read the server's address: %v", readErr)
	}
	c.addr = strings.TrimSpace(line)
	return c
}

// died waits for the end of the process and returns what it has logged.
func (c *child) died(ctx context.Context) (string, error) {
	select {
	case <-c.exited:
		return c.log.String(), nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// The methods that spannertest lacks do not answer UNIMPLEMENTED: each call of
// one ends its process. That is why its users must switch WaitOperation off,
// with lro.WithLongPolls(0). The day it changes, this test says so.
func TestSpannerDiesOfWhatItLacks(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		method string
		call   func(context.Context, *lro.Client, longrunningpb.OperationsClient) error
	}{
		{"WaitOperation", func(ctx context.Context, _ *lro.Client, stub longrunningpb.OperationsClient) error {
			_, err := stub.WaitOperation(ctx, &longrunningpb.WaitOperationRequest{Name: "x"})
			return err
		}},
		{"CancelOperation", func(ctx context.Context, c *lro.Client, _ longrunningpb.OperationsClient) error {
			return c.Cancel(ctx, "x")
		}},
		{"DeleteOperation", func(ctx context.Context, c *lro.Client, _ longrunningpb.OperationsClient) error {
			return c.Delete(ctx, "x")
		}},
		{"ListOperations", func(ctx context.Context, c *lro.Client, _ longrunningpb.OperationsClient) error {
			for _, err := range c.List(ctx, &longrunningpb.ListOperationsRequest{Name: "x"}) {
				return err
			}
			return nil
		}},
	} {
		t.Run(tt.method, func(t *testing.T) {
			t.Parallel()
			server := startChild(t)
			conn := dial(t, server.addr)
			err := tt.call(long(t), lro.NewClientConn(conn), longrunningpb.NewOperationsClient(conn))
			if status.Code(err) != codes.Unavailable {
				t.Errorf("%s: %v, want UNAVAILABLE from a connection that broke", tt.method, err)
			}
			log, err := server.died(long(t))
			if err != nil || !strings.Contains(log, "nil pointer dereference") || !strings.Contains(log, tt.method) {
				t.Errorf("spannertest outlives %s now (%v); it died of a nil pointer: %s", tt.method, err, log)
			}
		})
	}
}

// A caller that waits while the server dies learns that it is away, and not that the
// operation failed.
func TestSpannerDiesWhileWaiting(t *testing.T) {
	t.Parallel()
	server := startChild(t)
	conn := dial(t, server.addr)
	op := update(t, conn, lro.NewClientConn(conn), createTable("Books")) // with WaitOperation
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	_, err := op.Wait(ctx)
	stopped, ok := errors.AsType[*lro.WaitError](err)
	if !ok || !errors.Is(err, context.DeadlineExceeded) || status.Code(stopped.PollErr) != codes.Unavailable {
		t.Errorf("Wait: %v, want the deadline, and UNAVAILABLE from the last poll", err)
	}
	if stopped != nil && (stopped.Polls < 2 || stopped.Last.Done()) {
		t.Errorf("Wait: %d polls, done %v, want that it kept asking", stopped.Polls, stopped.Last.Done())
	}
}
