package faulttest

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	sdkworker "go.temporal.io/sdk/worker"
	"google.golang.org/protobuf/types/known/durationpb"

	simulated "github.com/go-lro/lro/internal/kinds/simulate"
	"github.com/go-lro/lro/lropb"
	lroserver "github.com/go-lro/lro/server"
	"github.com/go-lro/lro/temporal"
	"github.com/go-lro/lro/temporal/internal/testserver"
)

// figuresRequired skips the test unless figures are asked for: they mean nothing
// on a machine that does anything else.
func figuresRequired(t *testing.T) {
	t.Helper()
	if os.Getenv("LRO_FIGURES") == "" {
		t.Skip("measures: set LRO_FIGURES=1, or run make bench-temporal")
	}
}

// calls are those of an Operations service.
type calls struct {
	start func(ctx context.Context, echo string, d time.Duration) (string, error)
	get   func(context.Context, *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error)
	wait  func(context.Context, *longrunningpb.WaitOperationRequest) (*longrunningpb.Operation, error)
}

// round starts an operation, waits for it and gets it.
func round(t *testing.T, echo string, c calls) (start, get, wait time.Duration) {
	t.Helper()
	begin := time.Now()
	name, err := c.start(t.Context(), echo, 0)
	start = time.Since(begin)
	must(t, err)
	begin = time.Now()
	op, err := c.wait(t.Context(), &longrunningpb.WaitOperationRequest{Name: name, Timeout: durationpb.New(time.Minute)})
	wait = time.Since(begin)
	must(t, err)
	if !op.GetDone() {
		t.Fatalf("WaitOperation(%q) = %v, want the end", name, op)
	}
	begin = time.Now()
	_, err = c.get(t.Context(), &longrunningpb.GetOperationRequest{Name: name})
	get = time.Since(begin)
	must(t, err)
	return start, get, wait
}

// TestServiceFigures compares the Operations service, in the process of its
// caller and as an RPC of another process, with the Temporal SDK, on the same
// Temporal service and PostgreSQL: one call after the other, in turns, so that
// all meet the same machine. Operations and activities do nothing.
func TestServiceFigures(t *testing.T) {
	figuresRequired(t)
	c := newCluster(t, 10*time.Second, testserver.Options{Postgres: testserver.Postgres(t)})
	s := c.server()
	c.worker()
	w := sdkworker.New(c.client, "direct", sdkworker.Options{})
	w.RegisterActivityWithOptions(func(context.Context, string) (string, error) { return "", nil }, activity.RegisterOptions{Name: "nothing"})
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)

	eng, err := temporal.Open(t.Context(), c.client, &temporal.Options{TaskQueue: "lro", Namespace: "default"})
	must(t, err)
	defer eng.Close()
	local, err := lroserver.New(eng, lroserver.Config{}, simulated.Config{}.Handle())
	must(t, err)

	rounds := map[string]func(i int) (start, get, wait time.Duration){
		"SDK": func(i int) (start, get, wait time.Duration) {
			begin := time.Now()
			h, err := c.client.ExecuteActivity(t.Context(), client.StartActivityOptions{
				ID: fmt.Sprint("direct-", i), TaskQueue: "direct", ScheduleToCloseTimeout: time.Hour, HeartbeatTimeout: c.lease,
			}, "nothing", "")
			start = time.Since(begin)
			must(t, err)
			begin = time.Now()
			must(t, h.Get(t.Context(), nil))
			wait = time.Since(begin)
			begin = time.Now()
			_, err = h.Describe(t.Context(), client.DescribeActivityOptions{
				IncludeInput: true, IncludeOutcome: true, IncludeHeartbeatDetails: true, // what an Operation has
			})
			get = time.Since(begin)
			must(t, err)
			return start, get, wait
		},
		"RPC": func(i int) (start, get, wait time.Duration) {
			return round(t, fmt.Sprint("rpc-", i), calls{
				s.try,
				func(ctx context.Context, req *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error) {
					return s.operations.GetOperation(ctx, req)
				},
				func(ctx context.Context, req *longrunningpb.WaitOperationRequest) (*longrunningpb.Operation, error) {
					return s.operations.WaitOperation(ctx, req)
				},
			})
		},
		"local": func(i int) (start, get, wait time.Duration) {
			return round(t, fmt.Sprint("local-", i), calls{
				func(ctx context.Context, echo string, d time.Duration) (string, error) {
					op, err := simulated.Kind.Start(ctx, local, &lropb.SimulateRequest{Duration: durationpb.New(d), Steps: 1, Echo: echo},
						&lroserver.StartOptions{RequestID: echo})
					return op.GetName(), err
				},
				local.Operations().GetOperation,
				local.Operations().WaitOperation,
			})
		},
	}
	const warm, n = 20, 200
	took := make(map[string][]time.Duration) // by side and call
	for i := range warm + n {
		for side, measure := range rounds {
			start, get, wait := measure(i)
			if i >= warm {
				took[side+" start"] = append(took[side+" start"], start)
				took[side+" get"] = append(took[side+" get"], get)
				took[side+" wait"] = append(took[side+" wait"], wait)
			}
		}
	}
	for _, call := range []string{"start", "get", "wait"} {
		base := took["SDK "+call]
		slices.Sort(base)
		for _, side := range []string{"SDK", "local", "RPC"} {
			all := took[side+" "+call]
			slices.Sort(all)
			t.Logf("%-5s  %-5s  p50 %6.2f ms  p99 %6.2f ms  SDK's median is %.2f of it", call, side,
				ms(all[n/2]), ms(all[n*99/100]), float64(base[n/2])/float64(all[n/2]))
		}
	}

	// Start and wait, by many at once.
	for _, callers := range []int{1, 8, 32} {
		const each = 25
		begin := time.Now()
		var all sync.WaitGroup
		for caller := range callers {
			all.Go(func() {
				for i := range each {
					echo := fmt.Sprint("many-", callers, "-", caller, "-", i)
					if name, err := s.try(t.Context(), echo, 0); err != nil {
						t.Error(err)
					} else {
						s.succeeds(name, echo)
					}
				}
			})
		}
		all.Wait()
		t.Logf("%2d callers: %.0f operations a second from start to result", callers, float64(callers*each)/time.Since(begin).Seconds())
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// TestWorkerFigures measures how throughput grows with worker processes, for
// handlers that sleep: what a worker costs, and not the handler.
func TestWorkerFigures(t *testing.T) {
	figuresRequired(t)
	rate := make(map[int]float64)
	for _, n := range []int{1, 2, 4} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			c := newCluster(t, 10*time.Second, testserver.Options{Postgres: testserver.Postgres(t)})
			s := c.server()
			for range n {
				c.worker("--concurrency", "6")
			}
			const total, takes = 120, time.Second
			names := make(map[string]string)
			begin := time.Now()
			for i := range total {
				names[echoOf(i)] = s.start(echoOf(i), takes)
			}
			for echo, name := range names {
				s.succeeds(name, echo)
			}
			rate[n] = total / time.Since(begin).Seconds()
		})
	}
	for _, n := range []int{1, 2, 4} {
		t.Logf("%d workers of 6 attempts at once: %.1f operations of 1 s a second, %.2f of one worker", n, rate[n], rate[n]/rate[1])
	}
}
