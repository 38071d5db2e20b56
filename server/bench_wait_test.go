package server_test

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine/sqlite"
)

// waitServerEnv makes a copy of the test binary serve for BenchmarkWait, since
// the memory of a server is that of a process. Its value is the database.
const waitServerEnv = "LRO_WAIT_SERVER"

// waitServer prints its address and then answers each line of in with one of
// out: "start N" with the names of N operations, "waiting" with the number of
// WaitOperation calls, "rss" with its resident memory in bytes after a
// collection, "end" with the number of operations it has ended.
func waitServer(path string, in io.Reader, out io.Writer) error {
	ctx := context.Background()
	eng, err := sqlite.Open(ctx, path, nil)
	if err != nil {
		return err
	}
	k := simKind{Name: "bench"}
	srv, err := server.New(eng, server.Config{}, k.External())
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	var waiting atomic.Int64
	s := grpc.NewServer(grpc.UnaryInterceptor(func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		if info.FullMethod == longrunningpb.Operations_WaitOperation_FullMethodName {
			waiting.Add(1)
			defer waiting.Add(-1)
		}
		return next(ctx, req)
	}))
	srv.Register(s)
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Serve(listener) })
	if _, err := fmt.Fprintln(out, listener.Addr()); err != nil {
		return err
	}
	var open []string
	for lines := bufio.NewScanner(in); lines.Scan(); {
		answer, err := fmt.Sprint(waiting.Load()), error(nil)
		if lines.Text() != "waiting" {
			answer, err = waitServerCommand(ctx, k, srv, lines.Text(), &open)
		}
		if err != nil {
			answer = "error " + err.Error()
		}
		if _, err := fmt.Fprintln(out, answer); err != nil {
			return err
		}
	}
	s.Stop()
	serving.Wait()
	return eng.Close()
}

func waitServerCommand(ctx context.Context, k simKind, srv *server.Server, command string, open *[]string) (string, error) {
	var n int
	switch {
	case command == "rss":
		return residentMemory()
	case command == "end":
		return fmt.Sprint(len(*open)), each(len(*open), func(i int) error {
			ext, err := k.Attach(ctx, srv, (*open)[i])
			if err != nil {
				return err
			}
			return ext.Complete(ctx, &lropb.SimulateResponse{})
		})
	default:
		if _, err := fmt.Sscanf(command, "start %d", &n); err != nil {
			return "", err
		}
		names := make([]string, n)
		err := each(n, func(i int) error {
			op, err := k.Start(ctx, srv, nil, nil)
			names[i] = op.GetName()
			return err
		})
		*open = names
		return strings.Join(names, " "), err
	}
}

// each calls f with 0 to n-1, 64 at a time, so that the store can group what
// they write, and returns the last error.
func each(n int, f func(i int) error) error {
	var running sync.WaitGroup
	next := make(chan int)
	errs := make(chan error, n)
	for range 64 {
		running.Go(func() {
			for i := range next {
				errs <- f(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	running.Wait()
	close(errs)
	var last error
	for err := range errs {
		last = cmp.Or(err, last)
	}
	return last
}

// residentMemory is what this process occupies after a collection, as Linux
// counts it.
func residentMemory() (string, error) {
	debug.FreeOSMemory()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(status)) {
		var kib int
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &kib); err == nil {
			return fmt.Sprint(kib << 10), nil
		}
	}
	return "", fmt.Errorf("no VmRSS in /proc/self/status")
}

// BenchmarkWait has 10,000 callers wait on a server in another process: all for
// one operation, or each for its own. It reports the latest answer after the
// end of its operation, and the resident memory per caller after a collection.
// The two are taken in turns, since a collection leaves the server without the
// memory that it is about to need.
func BenchmarkWait(b *testing.B) {
	const callers = 10_000
	if _, err := os.Stat("/proc/self/status"); err != nil {
		b.Skip("needs /proc to measure memory")
	}
	for _, operations := range []int{1, callers} {
		b.Run(fmt.Sprintf("operations=%d", operations), func(b *testing.B) {
			s := startWaitServer(b)
			var late, memory []float64
			for b.Loop() {
				before := s.number("rss")
				s.fanOut(callers, operations, func() {
					memory = append(memory, (s.number("rss")-before)/callers)
				})
				late = append(late, float64(s.fanOut(callers, operations, func() {}).Milliseconds()))
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(median(late), "ms-late")
			// The first time; later on the server has memory to use again.
			b.ReportMetric(memory[0], "B/caller")
		})
	}
}

// remote is a waitServer in another process.
type remote struct {
	b       *testing.B
	in      io.Writer
	out     *bufio.Reader
	clients []longrunningpb.OperationsClient
}

func startWaitServer(b *testing.B) *remote {
	b.Helper()
	const connections = 10
	command := exec.Command(os.Args[0], "-test.run", "^$")
	command.Env = append(os.Environ(), waitServerEnv+"="+filepath.Join(b.TempDir(), "operations.db"))
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	r := &remote{b: b, in: in, out: bufio.NewReader(out)}
	address := r.read()
	var conns []*grpc.ClientConn
	for range connections {
		conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			b.Fatal(err)
		}
		conns = append(conns, conn)
		r.clients = append(r.clients, longrunningpb.NewOperationsClient(conn))
	}
	b.Cleanup(func() {
		for _, conn := range conns {
			if err := conn.Close(); err != nil {
				b.Errorf("close connection: %v", err)
			}
		}
		if err := in.Close(); err != nil {
			b.Errorf("close input of server: %v", err)
		}
		if err := command.Wait(); err != nil {
			b.Errorf("server: %v", err)
		}
	})
	return r
}

func (r *remote) read() string {
	line, err := r.out.ReadString('\n')
	if err != nil || strings.HasPrefix(line, "error ") {
		r.b.Fatalf("server answers %q, %v", line, err)
	}
	return strings.TrimSpace(line)
}

func (r *remote) ask(command string) string {
	if _, err := fmt.Fprintln(r.in, command); err != nil {
		r.b.Fatal(err)
	}
	return r.read()
}

func (r *remote) number(command string) (n float64) {
	if _, err := fmt.Sscan(r.ask(command), &n); err != nil {
		r.b.Fatal(err)
	}
	return n
}

// fanOut has callers wait for operations, calls between once all of them do,
// ends the operations and returns how long after the end of its operation the
// last caller knew of it.
func (r *remote) fanOut(callers, operations int, between func()) time.Duration {
	names := strings.Fields(r.ask(fmt.Sprintf("start %d", operations)))
	lates := make([]time.Duration, callers)
	var waiting sync.WaitGroup
	for i := range callers {
		waiting.Go(func() {
			client := r.clients[i%len(r.clients)]
			op, err := client.WaitOperation(r.b.Context(), &longrunningpb.WaitOperationRequest{Name: names[i%operations]})
			if err != nil || !op.GetDone() {
				r.b.Errorf("WaitOperation = %v, %v, want a done operation", op, err)
				return
			}
			at := time.Now()
			var md lropb.OperationMetadata
			if err := op.GetMetadata().UnmarshalTo(&md); err != nil {
				r.b.Errorf("decode metadata: %v", err)
			}
			lates[i] = at.Sub(md.GetEndTime().AsTime())
		})
	}
	for r.number("waiting") < float64(callers) && !r.b.Failed() {
		runtime.Gosched()
	}
	between()
	r.ask("end")
	waiting.Wait()
	return slices.Max(lates)
}
