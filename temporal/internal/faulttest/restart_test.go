package faulttest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro/temporal/internal/testserver"
)

// TestTemporalRestarts kills the Temporal service in the middle of 100
// operations and restarts it: none is lost, each has one terminal result.
func TestTemporalRestarts(t *testing.T) {
	t.Parallel()
	testserver.Required(t)
	stores := map[string]func(*testing.T) testserver.Options{
		"file":       func(*testing.T) testserver.Options { return testserver.Options{OnDisk: true} },
		"PostgreSQL": func(t *testing.T) testserver.Options { return testserver.Options{Postgres: testserver.Postgres(t)} },
	}
	for name, options := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			restartTemporal(t, newCluster(t, 10*time.Second, options(t)))
		})
	}
}

func restartTemporal(t *testing.T, c *cluster) {
	s := c.server()
	c.worker("--concurrency", "20")
	c.worker("--concurrency", "20")

	const n, early = 100, 60
	// Starts go on all the time; one that fails is repeated with its request ID.
	names := make([]string, n)
	var starts sync.WaitGroup
	slots := make(chan struct{}, 4)
	started := make(chan struct{}, n)
	for i := range n {
		starts.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			names[i] = startInTheEnd(t, s, echoOf(i), 2*time.Second)
			started <- struct{}{}
		})
	}
	for range early {
		<-started
	}
	c.temporal.Kill()
	c.temporal.Restart(t)
	starts.Wait()
	if t.Failed() {
		t.FailNow()
	}

	results := make([]string, n)
	var waits sync.WaitGroup
	for i, name := range names {
		waits.Go(func() { results[i] = s.succeeds(name, echoOf(i)).String() })
	}
	waits.Wait()
	seen := make(map[string]bool)
	for i, name := range names {
		if seen[name] {
			t.Errorf("operation %q was given to two starts", name)
		}
		seen[name] = true
		if again := s.succeeds(name, echoOf(i)).String(); again != results[i] {
			t.Errorf("the response of %q changed from %s to %s", name, results[i], again)
		}
	}
	eventually(t, "all operations are listed, once", func() bool { return listed(t, s) >= n })
	if got := listed(t, s); got != n {
		t.Errorf("%d operations are listed, want %d", got, n)
	}
}

func echoOf(i int) string { return fmt.Sprint("operation-", i) }

// startInTheEnd repeats a start until it is acknowledged. It returns "" after it
// has failed the test.
func startInTheEnd(t *testing.T, s *server, echo string, takes time.Duration) string {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for {
		name, err := s.try(ctx, echo, takes)
		if err == nil {
			return name
		}
		if status.Code(err) != codes.Unavailable {
			t.Errorf("start operation %q: %v, want success or %v", echo, err, codes.Unavailable)
			return ""
		}
		select {
		case <-ctx.Done():
			t.Errorf("start operation %q: %v after %v", echo, err, limit)
			return ""
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// listed counts the operations that a list has.
func listed(t *testing.T, s *server) int {
	t.Helper()
	seen := make(map[string]bool)
	n := 0
	for op, err := range s.client.List(t.Context(), &longrunningpb.ListOperationsRequest{Name: "operations", PageSize: 30}) {
		if err != nil {
			t.Fatalf("list operations: %v", err)
		}
		if seen[op.GetName()] {
			t.Errorf("operation %q is listed twice", op.GetName())
		}
		seen[op.GetName()] = true
		n++
	}
	return n
}

// TestRollingRestart replaces all workers, one after the other, while operations
// are started and run: none fails.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 10*time.Second, testserver.Options{})
	s := c.server()
	flags := []string{"--drain", "500ms"}
	workers := []*worker{c.worker(flags...), c.worker(flags...), c.worker(flags...)}

	replaced := make(chan struct{})
	names := make(map[string]string) // by echo
	var load sync.WaitGroup
	load.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-replaced:
				return
			case <-t.Context().Done():
				return
			case <-time.After(150 * time.Millisecond):
			}
			// Some outlive every drain, others fit into it.
			echo, took := fmt.Sprint("rolling-", i), 300*time.Millisecond
			if i%3 == 0 {
				took = 4 * time.Second
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			name, err := s.try(ctx, echo, took)
			cancel()
			if err != nil {
				t.Errorf("start operation %q: %v", echo, err)
				return
			}
			names[echo] = name
		}
	})
	for i := range workers {
		time.Sleep(2 * time.Second) // sleep: operations are to be under way on it
		workers[i].leave()
		workers[i] = c.worker(flags...)
	}
	close(replaced)
	load.Wait()
	var moved int
	for echo, name := range names {
		if s.succeeds(name, echo).GetAttempts() > 1 {
			moved++
		}
	}
	t.Logf("%d operations, %d of them handed from one worker to another", len(names), moved)
	if moved == 0 {
		t.Error("no operation was handed from one worker to another")
	}
}
