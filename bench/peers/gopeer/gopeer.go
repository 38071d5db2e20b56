package gopeer

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro/bench/scripted"
)

// Flags are those of the command line.
type Flags struct {
	Target, Client, Mode, Spec, Names string
	N                                 int
	Spread, Deadline                  float64
}

// Peer is a client under test.
type Peer struct {
	// Operation returns a func that waits for an operation that was just started
	// and returns its response.
	Operation func(op *longrunningpb.Operation) (Wait, error)
	// Warm is how many operations of the same kind it waits for before mode wait
	// begins, under a label of their own.
	Warm int
	// Asks returns a func that asks once for the state of an operation, through
	// the client.
	Asks func(op *longrunningpb.Operation) (func(context.Context) error, error)
	// Hold waits for all operations and calls ready when it began to; nil means
	// by waiting in a goroutine each.
	Hold func(ctx context.Context, ops []*longrunningpb.Operation, ready func()) error
}

// Wait waits for the end of an operation and returns its response.
type Wait func(ctx context.Context) (*wrapperspb.StringValue, error)

// Wait waits for an operation that was just started and returns its response.
func (p Peer) Wait(ctx context.Context, op *longrunningpb.Operation) (*wrapperspb.StringValue, error) {
	wait, err := p.Operation(op)
	if err != nil {
		return nil, err
	}
	return wait(ctx)
}

// Main runs the peer that make returns for a connection to the service.
func Main(make func(f Flags, conn *grpc.ClientConn) (Peer, error)) {
	if err := run(make); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(make func(Flags, *grpc.ClientConn) (Peer, error)) error {
	var f Flags
	flag.StringVar(&f.Target, "target", "", "address of the scripted service")
	flag.StringVar(&f.Client, "client", "", "variant of the client")
	flag.StringVar(&f.Mode, "mode", "wait", "wait, hold or poll")
	flag.StringVar(&f.Spec, "spec", "", "what to start")
	flag.StringVar(&f.Names, "names", "", "names of operations, with {} for the number")
	flag.IntVar(&f.N, "n", 1, "number of operations, or of rounds")
	flag.Float64Var(&f.Spread, "spread", 0, "seconds over which starts are spread")
	flag.Float64Var(&f.Deadline, "deadline", 0, "seconds after which waiting is given up; 0 for never")
	flag.Parse()
	conn, err := grpc.NewClient(f.Target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close()
	p, err := make(f, conn)
	if err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	out := &output{w: bufio.NewWriter(os.Stdout)}
	switch f.Mode {
	case "wait":
		return p.wait(ctx, f, conn, out)
	case "hold":
		return p.hold(ctx, f, out)
	case "poll":
		return p.poll(ctx, f, conn, out)
	default:
		return fmt.Errorf("mode is %q, want wait, hold or poll", f.Mode)
	}
}

// warm waits for the operations that come before those that count.
func (p Peer) warm(ctx context.Context, f Flags, conn *grpc.ClientConn) error {
	if p.Warm == 0 {
		return nil
	}
	q, err := url.ParseQuery(f.Spec)
	if err != nil {
		return fmt.Errorf("read spec %q: %w", f.Spec, err)
	}
	q.Set("label", q.Get("label")+"_warm")
	errs := make([]error, p.Warm)
	var waiting sync.WaitGroup
	defer waiting.Wait()
	for i := range errs {
		op := &longrunningpb.Operation{}
		if err := conn.Invoke(ctx, scripted.StartMethod, wrapperspb.String(fmt.Sprintf("%s&index=%d", q.Encode(), f.N+i)), op); err != nil {
			return fmt.Errorf("start: %w", err)
		}
		waiting.Go(func() { _, errs[i] = p.Wait(ctx, op) })
	}
	waiting.Wait()
	return errors.Join(errs...)
}

func (p Peer) wait(ctx context.Context, f Flags, conn *grpc.ClientConn, out *output) error {
	if err := p.warm(ctx, f, conn); err != nil {
		return err
	}
	if f.Deadline > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(f.Deadline*float64(time.Second)))
		defer cancel()
	}
	var waiting sync.WaitGroup
	defer waiting.Wait()
	begin := time.Now()
	for i := range f.N {
		pause := time.Until(begin.Add(time.Duration(f.Spread * float64(i) / float64(f.N) * float64(time.Second))))
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		op := &longrunningpb.Operation{}
		request := wrapperspb.String(fmt.Sprintf("%s&index=%d", f.Spec, i))
		if err := conn.Invoke(ctx, scripted.StartMethod, request, op); err != nil {
			return fmt.Errorf("start: %w", err)
		}
		waiting.Go(func() { out.waited(op.GetName(), func() (*wrapperspb.StringValue, error) { return p.Wait(ctx, op) }) })
	}
	out.print(map[string]any{"ready": f.N})
	return nil
}

func (p Peer) hold(ctx context.Context, f Flags, out *output) error {
	ready := func() { out.print(map[string]any{"ready": f.N}) }
	ops := make([]*longrunningpb.Operation, f.N)
	for i := range ops {
		ops[i] = &longrunningpb.Operation{Name: strings.Replace(f.Names, "{}", fmt.Sprint(i), 1)}
	}
	if p.Hold != nil {
		return p.Hold(ctx, ops, ready)
	}
	var waiting sync.WaitGroup
	for _, op := range ops {
		wait, err := p.Operation(op)
		if err != nil {
			return err
		}
		name := op.GetName()
		waiting.Go(func() {
			v, err := wait(ctx)
			if ctx.Err() == nil { // it gave up on its own
				out.waited(name, func() (*wrapperspb.StringValue, error) { return v, err })
			}
		})
	}
	ready()
	waiting.Wait()
	return nil
}

// calls in each round of mode poll.
const calls = 200

func (p Peer) poll(ctx context.Context, f Flags, conn *grpc.ClientConn, out *output) error {
	op := &longrunningpb.Operation{Name: strings.Replace(f.Names, "{}", "0", 1)}
	ask, err := p.Asks(op)
	if err != nil {
		return fmt.Errorf("make operation: %w", err)
	}
	stub := longrunningpb.NewOperationsClient(conn)
	bare := func(ctx context.Context) error {
		_, err := stub.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: op.GetName()})
		return err
	}
	round := func(call func(context.Context) error) (float64, error) {
		begin := time.Now()
		for range calls {
			if err := call(ctx); err != nil {
				return 0, fmt.Errorf("poll: %w", err)
			}
		}
		return float64(time.Since(begin).Nanoseconds()) / calls, nil
	}
	took := map[string][]float64{}
	for i := range f.N + 1 {
		for _, c := range []struct {
			name string
			call func(context.Context) error
		}{{"stub", bare}, {"poll", ask}, {"control", bare}} {
			ns, err := round(c.call)
			if err != nil {
				return err
			}
			if i > 0 { // the first one connects
				took[c.name] = append(took[c.name], ns)
			}
		}
	}
	ofStub, err := allocations(ctx, conn, bare)
	if err != nil {
		return err
	}
	ofPoll, err := allocations(ctx, conn, ask)
	if err != nil {
		return err
	}
	out.print(map[string]any{"stub": took["stub"], "poll": took["poll"], "control": took["control"],
		"client": ofPoll.client - ofStub.client, "both": ofPoll.client - ofStub.client + ofPoll.service - ofStub.service})
	return nil
}

// allocs are the allocations of one call, in the processes of client and service.
type allocs struct{ client, service float64 }

func allocations(ctx context.Context, conn *grpc.ClientConn, call func(context.Context) error) (a allocs, err error) {
	count := func() (c allocs, err error) {
		var service wrapperspb.UInt64Value
		if err := conn.Invoke(ctx, scripted.MallocsMethod, &emptypb.Empty{}, &service); err != nil {
			return c, fmt.Errorf("count allocations of the service: %w", err)
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return allocs{float64(m.Mallocs), float64(service.GetValue())}, nil
	}
	before, err := count()
	if err != nil {
		return a, err
	}
	const n = 10 * calls
	for range n {
		if err := call(ctx); err != nil {
			return a, fmt.Errorf("poll: %w", err)
		}
	}
	after, err := count()
	return allocs{(after.client - before.client) / n, (after.service - before.service) / n}, err
}

// output prints objects, one at a time.
type output struct {
	mu sync.Mutex
	w  *bufio.Writer
}

func (o *output) waited(name string, wait func() (*wrapperspb.StringValue, error)) {
	v, err := wait()
	line := map[string]any{"name": name, "at": int64(scripted.Now())}
	if err != nil {
		line["error"] = err.Error()
	} else {
		line["response"] = v.GetValue()
	}
	o.print(line)
}

func (o *output) print(v any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := json.NewEncoder(o.w).Encode(v); err != nil {
		fmt.Fprintln(os.Stderr, "print:", err)
		os.Exit(1)
	}
	if err := o.w.Flush(); err != nil {
		os.Exit(1) // the reader has gone
	}
}
