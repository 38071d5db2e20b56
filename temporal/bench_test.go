package temporal_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/temporal"
	"github.com/go-lro/lro/temporal/internal/testserver"
)

type kind = server.Kind[*lropb.SimulateRequest, *lropb.SimulateResponse, *lropb.OperationMetadata]

var (
	quick = kind{Name: "bench.quick"}
	idle  = kind{Name: "bench.idle"} // no worker serves it
	naps  = kind{Name: "bench.naps"}
)

// echo is the payload of both sides.
var echo = strings.Repeat("x", 512)

func echoes(_ context.Context, _ *server.Task[*lropb.OperationMetadata], req *lropb.SimulateRequest) (*lropb.SimulateResponse, error) {
	return &lropb.SimulateResponse{Echo: req.GetEcho()}, nil
}

// nap sleeps as long as its request says.
func nap(ctx context.Context, _ *server.Task[*lropb.OperationMetadata], req *lropb.SimulateRequest) (*lropb.SimulateResponse, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(req.GetDuration().AsDuration()):
		return &lropb.SimulateResponse{}, nil
	}
}

// direct is an activity as the SDK runs it.
func direct(_ context.Context, req *lropb.SimulateRequest) (*lropb.SimulateResponse, error) {
	return &lropb.SimulateResponse{Echo: req.GetEcho()}, nil
}

// rig is a Temporal server with our service on it, reached over gRPC, and the
// SDK beside it.
type rig struct {
	b      *testing.B
	sdk    client.Client
	srv    *server.Server
	ops    longrunningpb.OperationsClient
	start  lropb.StarterClient
	queue  string
	serial int
}

func newRig(b *testing.B) *rig {
	b.Helper()
	ts := testserver.Start(b, testserver.Options{OnDisk: true})
	c := ts.Client(b)
	eng, err := temporal.Open(b.Context(), c, &temporal.Options{TaskQueue: "bench", Namespace: "default"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := eng.Close(); err != nil {
			b.Errorf("Close() = %v", err)
		}
	})
	srv, err := server.New(eng, server.Config{}, quick.Handle(echoes), idle.Declare())
	if err != nil {
		b.Fatal(err)
	}
	r := &rig{b: b, sdk: c, srv: srv, queue: "sdk"}
	r.serve(srv)
	ctx, stop := context.WithCancel(b.Context())
	var working sync.WaitGroup
	working.Go(func() {
		if err := srv.Work(ctx); err != nil {
			b.Errorf("Work: %v", err)
		}
	})
	w := worker.New(c, r.queue, worker.Options{DisableWorkflowWorker: true})
	w.RegisterActivityWithOptions(direct, activity.RegisterOptions{Name: "direct"})
	if err := w.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		w.Stop()
		stop()
		working.Wait()
	})
	return r
}

// serve offers srv on a port and connects to it.
func (r *rig) serve(srv *server.Server) {
	b := r.b
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := grpc.NewServer()
	srv.Register(s)
	srv.RegisterStarter(s)
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Serve(listener) })
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = conn.Close()
		s.Stop()
		serving.Wait()
	})
	r.ops, r.start = longrunningpb.NewOperationsClient(conn), lropb.NewStarterClient(conn)
}

func (r *rig) startOurs(c caller, k string) (*longrunningpb.Operation, error) {
	packed, err := anypb.New(&lropb.SimulateRequest{Echo: echo})
	if err != nil {
		return nil, err
	}
	return c.start(r.b.Context(), &lropb.StartOperationRequest{Kind: k, Request: packed})
}

func (r *rig) startSDK(queue string) (client.ActivityHandle, error) {
	r.serial++
	return r.sdk.ExecuteActivity(r.b.Context(), client.StartActivityOptions{
		ID: fmt.Sprintf("sdk-%d", r.serial), TaskQueue: queue,
		StartToCloseTimeout: time.Hour, HeartbeatTimeout: 10 * time.Second,
	}, "direct", &lropb.SimulateRequest{Echo: echo})
}

// compare runs the three in turn and reports their medians: ours called from
// Go and over gRPC, which has one hop more, and the SDK. The ratios say how fast
// the first two are: 1 is as fast as the SDK, more is faster.
func (r *rig) compare(ours func(caller) error, sdk func() error) {
	b := r.b
	var calls, remote, direct []float64
	timed := func(to *[]float64, f func() error) {
		begin := time.Now()
		if err := f(); err != nil {
			b.Fatal(err)
		}
		*to = append(*to, float64(time.Since(begin).Microseconds()))
	}
	for b.Loop() {
		timed(&calls, func() error { return ours(local{r.srv}) })
		timed(&direct, sdk)
		timed(&remote, func() error { return ours(overGRPC{r}) })
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(calls), "us")
	b.ReportMetric(median(remote), "grpc-us")
	b.ReportMetric(median(direct), "sdk-us")
	b.ReportMetric(median(direct)/median(calls), "of-sdk")
	b.ReportMetric(median(direct)/median(remote), "grpc-of-sdk")
}

// caller calls our service.
type caller interface {
	start(ctx context.Context, req *lropb.StartOperationRequest) (*longrunningpb.Operation, error)
	get(ctx context.Context, name string) (*longrunningpb.Operation, error)
	wait(ctx context.Context, name string) (*longrunningpb.Operation, error)
}

type local struct{ srv *server.Server }

func (c local) start(ctx context.Context, req *lropb.StartOperationRequest) (*longrunningpb.Operation, error) {
	return c.srv.Starter().StartOperation(ctx, req)
}

func (c local) get(ctx context.Context, name string) (*longrunningpb.Operation, error) {
	return c.srv.Operations().GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: name})
}

func (c local) wait(ctx context.Context, name string) (*longrunningpb.Operation, error) {
	return c.srv.Operations().WaitOperation(ctx, &longrunningpb.WaitOperationRequest{Name: name})
}

type overGRPC struct{ r *rig }

func (c overGRPC) start(ctx context.Context, req *lropb.StartOperationRequest) (*longrunningpb.Operation, error) {
	return c.r.start.StartOperation(ctx, req)
}

func (c overGRPC) get(ctx context.Context, name string) (*longrunningpb.Operation, error) {
	return c.r.ops.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: name})
}

func (c overGRPC) wait(ctx context.Context, name string) (*longrunningpb.Operation, error) {
	return c.r.ops.WaitOperation(ctx, &longrunningpb.WaitOperationRequest{Name: name})
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// BenchmarkStart starts operations that no worker runs.
func BenchmarkStart(b *testing.B) {
	r := newRig(b)
	r.compare(
		func(c caller) error { _, err := r.startOurs(c, idle.Name); return err },
		func() error { _, err := r.startSDK("nobody"); return err },
	)
}

// BenchmarkGet reads an operation that has ended.
func BenchmarkGet(b *testing.B) {
	r := newRig(b)
	op, err := r.startOurs(local{r.srv}, quick.Name)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := r.ops.WaitOperation(b.Context(), &longrunningpb.WaitOperationRequest{Name: op.GetName()}); err != nil {
		b.Fatal(err)
	}
	h, err := r.startSDK(r.queue)
	if err != nil {
		b.Fatal(err)
	}
	out := new(lropb.SimulateResponse)
	if err := h.Get(b.Context(), out); err != nil {
		b.Fatal(err)
	}
	r.compare(
		func(c caller) error {
			_, err := c.get(b.Context(), op.GetName())
			return err
		},
		func() error {
			// What an operation has.
			_, err := h.Describe(b.Context(), client.DescribeActivityOptions{IncludeInput: true, IncludeHeartbeatDetails: true, IncludeOutcome: true})
			return err
		},
	)
}

// BenchmarkStartToWait starts operations whose handler does nothing and waits
// for each.
func BenchmarkStartToWait(b *testing.B) {
	r := newRig(b)
	r.compare(
		func(c caller) error {
			op, err := r.startOurs(c, quick.Name)
			if err != nil {
				return err
			}
			op, err = c.wait(b.Context(), op.GetName())
			if err == nil && op.GetResponse() == nil {
				return fmt.Errorf("operation ended as %v", op)
			}
			return err
		},
		func() error {
			h, err := r.startSDK(r.queue)
			if err != nil {
				return err
			}
			return h.Get(b.Context(), new(lropb.SimulateResponse))
		},
	)
}

// BenchmarkWorkers runs operations that sleep, with as many as 1, 2 and 4
// workers of two places each: what one can take is four times what it has.
func BenchmarkWorkers(b *testing.B) {
	const (
		each   = 2
		length = 400 * time.Millisecond
	)
	perWorker := make(map[int]float64)
	for _, n := range []int{1, 2, 4} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			ts := testserver.Start(b, testserver.Options{OnDisk: true})
			var srv *server.Server
			ctx, stop := context.WithCancel(b.Context())
			var working sync.WaitGroup
			for range n {
				eng, err := temporal.Open(b.Context(), ts.Client(b), &temporal.Options{TaskQueue: "naps", Namespace: "default"})
				if err != nil {
					b.Fatal(err)
				}
				b.Cleanup(func() {
					if err := eng.Close(); err != nil {
						b.Errorf("Close() = %v", err)
					}
				})
				one, err := server.New(eng, server.Config{Concurrency: each}, naps.Handle(nap))
				if err != nil {
					b.Fatal(err)
				}
				srv = one
				working.Go(func() {
					if err := one.Work(ctx); err != nil {
						b.Errorf("Work: %v", err)
					}
				})
			}
			defer working.Wait()
			defer stop()
			ops := 0
			for b.Loop() {
				var all sync.WaitGroup
				for range 4 * each * 4 {
					all.Go(func() {
						op, err := naps.Start(b.Context(), srv, &lropb.SimulateRequest{Duration: durationpb.New(length)}, nil)
						if err == nil {
							_, err = srv.Operations().WaitOperation(b.Context(), &longrunningpb.WaitOperationRequest{Name: op.GetName()})
						}
						if err != nil {
							b.Error(err)
						}
					})
					ops++
				}
				all.Wait()
			}
			rate := float64(ops) / b.Elapsed().Seconds()
			perWorker[n] = rate
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(rate, "ops/s")
			if one := perWorker[1]; one > 0 {
				b.ReportMetric(rate/one, "of-1")
			}
		})
	}
}
