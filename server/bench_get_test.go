package server_test

import (
	"context"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine/sqlite"
)

// constant answers every Get with one operation: the bare handler to which
// ours is compared.
type constant struct {
	longrunningpb.UnimplementedOperationsServer
	op *longrunningpb.Operation
}

func (c constant) GetOperation(context.Context, *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error) {
	return c.op, nil
}

// dialed serves svc on loopback TCP until the benchmark ends.
func dialed(b *testing.B, svc longrunningpb.OperationsServer) longrunningpb.OperationsClient {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := grpc.NewServer()
	longrunningpb.RegisterOperationsServer(s, svc)
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := s.Serve(listener); err != nil {
			b.Errorf("Serve: %v", err)
		}
	})
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := conn.Close(); err != nil {
			b.Errorf("close connection: %v", err)
		}
		s.Stop()
		serving.Wait()
	})
	return longrunningpb.NewOperationsClient(conn)
}

// stored starts n operations on a fresh engine, ends them and returns their
// service and names.
func stored(b *testing.B, n int, cacheBytes int64) (longrunningpb.OperationsServer, []string) {
	b.Helper()
	eng, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "operations.db"), &sqlite.Options{CacheBytes: cacheBytes})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := eng.Close(); err != nil {
			b.Errorf("close engine: %v", err)
		}
	})
	k := simKind{Name: "bench"}
	srv, err := server.New(eng, server.Config{Parent: "projects/p/locations/l"}, k.External())
	if err != nil {
		b.Fatal(err)
	}
	names := make([]string, n)
	for i := range n {
		op, err := k.Start(b.Context(), srv, &lropb.SimulateRequest{Echo: "benchmark"}, &server.StartOptions{
			Metadata: &lropb.OperationMetadata{Target: "shelves/1", Progress: &lropb.Progress{Done: 1, Total: 3, Unit: "books"}},
		})
		if err != nil {
			b.Fatal(err)
		}
		ext, err := k.Attach(b.Context(), srv, op.GetName())
		if err != nil {
			b.Fatal(err)
		}
		if err := ext.Complete(b.Context(), &lropb.SimulateResponse{Echo: "benchmark", Attempts: 1}); err != nil {
			b.Fatal(err)
		}
		names[i] = op.GetName()
	}
	return srv.Operations(), names
}

// BenchmarkGet compares GetOperation over gRPC, with 32 callers on one
// connection, with a bare grpc-go handler that returns a constant operation.
// Each iteration is one round of all variants, interleaved; the metrics are
// medians over the rounds. The control is the same bare handler once more, so
// its ratio shows the noise. Run it with -benchtime 15x.
func BenchmarkGet(b *testing.B) {
	const callers, calls = 32, 300 // of each caller in a round
	cached, hot := stored(b, 100, 0)
	disk, cold := stored(b, 100, -1)
	op, err := cached.GetOperation(b.Context(), &longrunningpb.GetOperationRequest{Name: hot[0]})
	if err != nil {
		b.Fatal(err)
	}
	variants := []struct {
		name   string
		client longrunningpb.OperationsClient
		names  []string
		rates  []float64 // calls per second, of each round
	}{
		{name: "constant", client: dialed(b, constant{op: op}), names: hot},
		{name: "control", client: dialed(b, constant{op: op}), names: hot},
		{name: "cached", client: dialed(b, cached), names: hot},
		{name: "disk", client: dialed(b, disk), names: cold},
	}
	first := 0
	round := func(n int) {
		first++ // who comes first changes, as the machine's state may favour it
		for i := range variants {
			v := &variants[(first+i)%len(variants)]
			begin := time.Now()
			var running sync.WaitGroup
			for c := range callers {
				running.Go(func() {
					for i := range n {
						name := v.names[(c*n+i)%len(v.names)]
						if _, err := v.client.GetOperation(b.Context(), &longrunningpb.GetOperationRequest{Name: name}); err != nil {
							b.Errorf("GetOperation: %v", err)
							return
						}
					}
				})
			}
			running.Wait()
			v.rates = append(v.rates, float64(callers*n)/time.Since(begin).Seconds())
		}
	}
	round(10) // connects
	for i := range variants {
		variants[i].rates = nil
	}
	for b.Loop() {
		round(calls)
	}
	base := variants[0].rates
	b.ReportMetric(median(base), "constant/s")
	b.ReportMetric(0, "ns/op")
	for _, v := range variants[1:] {
		ratios := make([]float64, len(base))
		for i := range base {
			ratios[i] = v.rates[i] / base[i]
		}
		b.ReportMetric(median(ratios), v.name+"-ratio")
	}
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
