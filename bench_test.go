package lro_test

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine/sqlite"
)

// dial serves with register on loopback and returns a connection to it.
func dial(b testing.TB, register func(*grpc.Server)) *grpc.ClientConn {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := grpc.NewServer()
	register(s)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		conn.Close()
		s.Stop()
		if err := <-served; err != nil {
			b.Errorf("Serve: %v", err)
		}
	})
	return conn
}

// 1,000 operations, waited for at once over one connection, end within 10 s.
// Reported is how long after the handler has returned, so with the commit of
// its result in between, Wait returns.
func BenchmarkLongPoll(b *testing.B) {
	const operations, spread = 1000, 10 * time.Second
	var ended sync.Map // operation name to time.Time
	sleeper := server.Kind[*lropb.SimulateRequest, *emptypb.Empty, *lropb.OperationMetadata]{Name: "sleep"}
	handle := func(ctx context.Context, task *server.Task[*lropb.OperationMetadata], req *lropb.SimulateRequest) (*emptypb.Empty, error) {
		timer := time.NewTimer(req.GetDuration().AsDuration())
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		ended.Store(task.Name(), time.Now())
		return &emptypb.Empty{}, ctx.Err()
	}
	engine, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "operations.db"), nil)
	if err != nil {
		b.Fatal(err)
	}
	srv, err := server.New(engine, server.Config{Concurrency: operations}, sleeper.Handle(handle))
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.Context())
	worked := make(chan error, 1)
	go func() { worked <- srv.Work(ctx) }()
	defer func() {
		stop()
		if err := <-worked; err != nil {
			b.Errorf("Work: %v", err)
		}
		if err := engine.Close(); err != nil {
			b.Errorf("Close: %v", err)
		}
	}()
	conn := dial(b, func(s *grpc.Server) { srv.Register(s) })
	var calls atomic.Int64
	client := lro.NewClientConn(conn, lro.WithLongPolls(operations), lro.WithObserver(&lro.Observer{
		PollStart: func(ctx context.Context, _ lro.PollStart) context.Context { calls.Add(1); return ctx },
	}))
	method := lro.Method[*emptypb.Empty, *lropb.OperationMetadata]{}

	for b.Loop() {
		calls.Store(0)
		late := make([]time.Duration, operations)
		var wg sync.WaitGroup
		for i := range operations {
			started, err := sleeper.Start(ctx, srv, &lropb.SimulateRequest{Duration: durationpb.New(spread * time.Duration(i+1) / operations)}, nil)
			if err != nil {
				b.Fatal(err)
			}
			op, err := method.Wrap(client, started)
			if err != nil {
				b.Fatal(err)
			}
			wg.Go(func() {
				_, err := op.Wait(ctx)
				now := time.Now()
				if err != nil {
					b.Errorf("Wait: %v", err)
					return
				}
				end, _ := ended.Load(op.Name())
				late[i] = now.Sub(end.(time.Time))
			})
		}
		wg.Wait()
		slices.Sort(late)
		b.ReportMetric(late[operations/2].Seconds()*1e3, "ms-late-p50")
		b.ReportMetric(late[operations*99/100].Seconds()*1e3, "ms-late-p99")
		b.ReportMetric(late[operations-1].Seconds()*1e3, "ms-late-max")
		b.ReportMetric(float64(calls.Load())/operations, "calls/operation")
	}
}

// constant answers every GetOperation with the same running operation.
type constant struct {
	longrunningpb.UnimplementedOperationsServer
	op *longrunningpb.Operation
}

func (c constant) GetOperation(context.Context, *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error) {
	return c.op, nil
}

func runningWith(b testing.TB, name string, size int) *longrunningpb.Operation {
	md, err := anypb.New(wrapperspb.String(strings.Repeat("m", size)))
	if err != nil {
		b.Fatal(err)
	}
	return &longrunningpb.Operation{Name: name, Metadata: md}
}

// What one poll through the future costs over the same call of the stub: with
// deadline, routing header, header and trailer ("stub"), and bare ("naked").
func BenchmarkPoll(b *testing.B) {
	const name = "projects/p/locations/l/operations/0123456789abcdefghijklmnop"
	conn := dial(b, func(s *grpc.Server) {
		longrunningpb.RegisterOperationsServer(s, constant{op: runningWith(b, name, 60)})
	})
	stub := longrunningpb.NewOperationsClient(conn)
	op, err := lro.Any().Resume(lro.NewClient(stub), name)
	if err != nil {
		b.Fatal(err)
	}
	naked := func(ctx context.Context) error {
		_, err := stub.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: name})
		return err
	}
	full := func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		ctx = metadata.AppendToOutgoingContext(ctx, "x-goog-request-params", "name="+strings.ReplaceAll(name, "/", "%2F"))
		var header, trailer metadata.MD
		_, err := stub.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: name}, grpc.Header(&header), grpc.Trailer(&trailer))
		return err
	}
	future := func(ctx context.Context) error {
		_, err := op.Poll(ctx)
		return err
	}
	for _, bench := range []struct {
		name string
		call func(context.Context) error
	}{{"naked", naked}, {"stub", full}, {"future", future}} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := bench.call(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	// Single rounds vary by more than what is measured, so each ratio is the median
	// of those of interleaved rounds.
	b.Run("ratio", func(b *testing.B) {
		const rounds, calls = 150, 40
		round := func(call func(context.Context) error) float64 {
			begin := time.Now()
			for range calls {
				if err := call(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			return time.Since(begin).Seconds()
		}
		var overNaked, overFull, control []float64
		for b.Loop() {
			for range rounds {
				bare, stub, poll, again := round(naked), round(full), round(future), round(naked)
				overNaked = append(overNaked, 2*poll/(bare+again))
				overFull = append(overFull, poll/stub)
				control = append(control, again/bare)
			}
		}
		b.ReportMetric(median(overNaked), "future/bare")
		b.ReportMetric(median(overFull), "future/stub")
		b.ReportMetric(median(control), "control/bare")
		b.ReportMetric(0, "ns/op")
	})
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// Heap held by each operation that waits in a group, with a 60-byte name and
// metadata of 120 bytes on the wire. It fails above the limit: bytes, unlike time,
// do not depend on the machine's load.
func BenchmarkGroupMemory(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			if n > 100_000 && testing.Short() {
				b.Skip("a million operations take a gigabyte and a while: skipped by -short")
			}
			var perOp, goroutines float64
			for b.Loop() {
				perOp, goroutines = groupMemory(b, n)
			}
			if perOp > mostGroupMemory {
				b.Errorf("an operation takes %.0f B, want at most %d", perOp, mostGroupMemory)
			}
			b.ReportMetric(perOp, "B/operation")
			b.ReportMetric(goroutines, "goroutines")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// mostGroupMemory is how many bytes of heap each may hold.
const mostGroupMemory = 450

func groupMemory(b *testing.B, n int) (perOp, goroutines float64) {
	ctx, stop := context.WithCancel(b.Context())
	defer stop()
	var answered atomic.Int64
	polled := make(chan struct{})
	metadata := runningWith(b, "", 67).Metadata
	if size := proto.Size(metadata); size != 120 {
		b.Fatalf("metadata is %d bytes on the wire, want 120", size)
	}
	service := lro.GetFunc(func(ctx context.Context, name string) (*longrunningpb.Operation, error) {
		if answered.Add(1) == int64(n) {
			close(polled)
		}
		// As from the wire: nothing is shared with another answer.
		return &longrunningpb.Operation{Name: strings.Clone(name), Metadata: &anypb.Any{
			TypeUrl: strings.Clone(metadata.TypeUrl), Value: slices.Clone(metadata.Value),
		}}, nil
	})
	client := lro.NewClient(service, lro.WithPolicy(lro.Policy{FirstPoll: time.Hour, MaxInterval: time.Hour}))
	before, idle := heap(), runtime.NumGoroutine()
	g := &lro.Group[lro.Handle]{QPS: -1}
	for i := range n {
		op, err := lro.Any().Resume(client, fmt.Sprintf("projects/p/locations/l/operations/%027d", i))
		if err != nil {
			b.Fatal(err)
		}
		g.Add(op)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for op, err := range g.Completed(ctx) {
			if err == nil {
				b.Errorf("%s ended", op.Name())
			}
			break
		}
	}()
	<-polled
	perOp = float64(heap()-before) / float64(n)
	goroutines = float64(runtime.NumGoroutine() - idle)
	stop()
	for range ended {
	}
	runtime.KeepAlive(g)
	return perOp, goroutines
}

// 100,000 operations waited for to their end, each found running once.
func BenchmarkGroupCompleted(b *testing.B) {
	const n = 100_000
	var asked sync.Map
	service := lro.GetFunc(func(_ context.Context, name string) (*longrunningpb.Operation, error) {
		_, again := asked.LoadOrStore(name, true)
		return &longrunningpb.Operation{Name: name, Done: again}, nil
	})
	client := lro.NewClient(service, lro.WithPolicy(lro.Policy{FirstPoll: time.Millisecond}))
	method := lro.Method[*emptypb.Empty, *emptypb.Empty]{}
	for b.Loop() {
		asked.Clear()
		g := &lro.Group[lro.Handle]{QPS: -1}
		for i := range n {
			op, err := method.Resume(client, fmt.Sprintf("operations/%d", i))
			if err != nil {
				b.Fatal(err)
			}
			g.Add(op)
		}
		ended := 0
		for op, err := range g.Completed(b.Context()) {
			if err != nil || op.ResultErr() != nil {
				b.Fatal(op, err)
			}
			ended++
		}
		if ended != n {
			b.Fatalf("%d ended, want %d", ended, n)
		}
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/n, "ns/operation")
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
