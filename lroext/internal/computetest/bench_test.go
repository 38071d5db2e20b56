package computetest

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

	compute "cloud.google.com/go/compute/apiv1"
	"cloud.google.com/go/compute/apiv1/computepb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/lroext"
	"github.com/go-lro/lro/lrotest"
)

// httpClient returns a client that speaks REST itself.
func (g *google) httpClient() *lro.Client {
	service, err := lroext.NewHTTPService[*computepb.Operation](g.url+"/compute/v1", g.http)
	return lro.NewClient(must(service, err))
}

// BenchmarkPoll is one poll of a running operation, the fake's part included.
func BenchmarkPoll(b *testing.B) {
	g := newGoogle(b)
	script := g.Add(zonal, lrotest.Running(created()).For(100*time.Hour))
	g.starts("POST /compute/v1/projects/p/zones/z/instances", script)
	instances := must(compute.NewInstancesRESTClient(b.Context(), g.opts...))
	started := must(instances.Insert(b.Context(), insert()))
	poll := func(c *lro.Client) func(context.Context) error {
		op := must(lroext.Operation(c, started))
		return func(ctx context.Context) error {
			_, err := op.Poll(ctx)
			return err
		}
	}
	for _, one := range []struct {
		name string
		poll func(context.Context) error
	}{
		{"compute.Operation", func(ctx context.Context) error { return started.Poll(ctx) }},
		{"lroext.Service", poll(g.client(b))},
		{"lroext.NewHTTPService", poll(g.httpClient())},
	} {
		b.Run(one.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := one.poll(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkWaiting is the memory of an operation that is waited for, between two
// polls: heap and stacks, divided by the number of operations.
func BenchmarkWaiting(b *testing.B) {
	const operations = 1000
	polled := lro.WithPolicy(lro.Policy{LongPoll: -1, FirstPoll: time.Hour, MaxInterval: time.Hour})
	for _, one := range []struct {
		name string
		wait func(g *google) waitFunc
	}{
		{"compute.Operation.Wait", func(*google) waitFunc { return waiters[0].wait }},
		{"lroext.Wait", func(g *google) waitFunc {
			client := g.client(b, polled)
			return func(ctx context.Context, _ *lro.Client, op *compute.Operation) error {
				_, err := lroext.Wait(ctx, client, op)
				return err
			}
		}},
		{"lroext.Wait, OnDone", func(g *google) waitFunc {
			client := g.client(b, polled)
			return func(ctx context.Context, _ *lro.Client, op *compute.Operation) error {
				must(lroext.Operation(client, op)).OnDone(ctx, func(lro.Outcome[*computepb.Operation]) {})
				return nil
			}
		}},
	} {
		b.Run(one.name, func(b *testing.B) {
			for b.Loop() {
				g := newGoogle(b)
				g.starts("POST /compute/v1/projects/p/zones/z/instances", g.Add(zonal, lrotest.Running(created()).For(100*time.Hour)))
				instances := must(compute.NewInstancesRESTClient(b.Context(), g.opts...))
				var started []*compute.Operation
				for range operations {
					started = append(started, must(instances.Insert(b.Context(), insert())))
				}
				wait := one.wait(g)
				before := memory()
				ctx, cancel := context.WithCancel(b.Context())
				var waiting sync.WaitGroup
				for _, op := range started {
					waiting.Go(func() { _ = wait(ctx, nil, op) })
				}
				time.Sleep(3 * time.Second) // sleep: as real services are called; Compute polls at once, and then further and further apart
				b.ReportMetric(float64(memory()-before)/operations, "B/waiting")
				cancel()
				waiting.Wait()
			}
		})
	}
}

// memory is what the heap and the stacks take, in bytes.
func memory() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
