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

// TestServiceFigures compares the Operations service with the Temporal SDK, on the same
// Temporal service and PostgreSQL: one call after the other, in turns, so that
// both meet the same machine. Operations and activities do nothing.
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
		"service": func(i int) (start, get, wait time.Duration) {
			begin := time.Now()
			name := s.start(fmt.Sprint("figure-", i), 0)
			start = time.Since(begin)
			begin = time.Now()
			op, err := s.operations.WaitOperation(t.Context(), &longrunningpb.WaitOperationRequest{Name: name, Timeout: durationpb.New(time.Minute)})
			wait = time.Since(begin)
			must(t, err)
			if !op.GetDone() {
				t.Fatalf("WaitOperation(%q) = %v, want the end", name, op)
			}
			begin = time.Now()
			_, err = s.operations.GetOperation(t.Context(), &longrunningpb.GetOperationRequest{Name: name})
			get = time.Since(begin)
			must(t, err)
			return start, get, wait
		},
	}
	const warm, n = 20, 300
	took := make(map[string][]time.Duration) // by side and call
	for i := range warm + n {
		for side, round := range rounds {
			start, get, wait := round(i)
			if i >= warm {
				took[side+" start"] = append(took[side+" start"], start)
				took[side+" get"] = append(took[side+" get"], get)
				took[side+" wait"] = append(took[side+" wait"], wait)
			}
		}
	}
	for _, call := range []string{"start", "get", "wait"} {
		sdk, service := took["SDK "+call], took["service "+call]
		slices.Sort(sdk)
		slices.Sort(service)
		t.Logf("%-5s  SDK p50 %6.2f ms p99 %6.2f ms   service p50 %6.2f ms p99 %6.2f ms   ratio of medians %.2f", call,
			ms(sdk[n/2]), ms(sdk[n*99/100]), ms(service[n/2]), ms(service[n*99/100]), float64(sdk[n/2])/float64(service[n/2]))
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
