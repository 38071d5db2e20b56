package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
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

// waitServerEnv makes a copy of the test binary serve for BenchmarkWait, since
// the memory of a server is that of a process. Its value is the database.
const waitServerEnv = "LRO_WAIT_SERVER"

// waitServer prints its address and then answers each line of in with one of
// out: "start N" with the names of N operations, "rss" with its resident memory
// in bytes, "end" with the number of operations it has ended.
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
	s := grpc.NewServer()
	srv.Register(s)
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Serve(listener) })
	if _, err := fmt.Fprintln(out, listener.Addr()); err != nil {
		return err
	}
	var open []string
	for lines := bufio.NewScanner(in); lines.Scan(); {
		answer, err := waitServerCommand(ctx, k, srv, lines.Text(), &open)
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
		return fmt.Sprint(len(*open)), endAll(ctx, k, srv, open)
	default:
		if _, err := fmt.Sscanf(command, "start %d", &n); err != nil {
			return "", err
		}
		for range n {
			op, err := k.Start(ctx, srv, nil, nil)
			if err != nil {
				return "", err
			}
			*open = append(*open, op.GetName())
		}
		return strings.Join(*open, " "), nil
	}
}

func endAll(ctx context.Context, k simKind, srv *server.Server, open *[]string) error {
	var ending sync.WaitGroup
	errs := make(chan error, len(*open))
	names := make(chan string)
	for range 64 {
		ending.Go(func() {
			for name := range names {
				ext, err := k.Attach(ctx, srv, name)
				if err == nil {
					err = ext.Complete(ctx, &lropb.SimulateResponse{})
				}
				errs <- err
			}
		})
	}
	for _, name := range *open {
		names <- name
	}
	close(names)
	ending.Wait()
	close(errs)
	*open = nil
	for err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
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
// end of its operation and the resident memory per caller, after a collection.
// Each iteration is a server of its own.
func BenchmarkWait(b *testing.B) {
	const callers, connections = 10_000, 10
	if _, err := os.Stat("/proc/self/status"); err != nil {
		b.Skip("needs /proc to measure memory")
	}
	for _, operations := range []int{1, callers} {
		b.Run(fmt.Sprintf("operations=%d", operations), func(b *testing.B) {
			var late, memory []float64
			for b.Loop() {
				l, m := waitRound(b, callers, connections, operations)
				late, memory = append(late, float64(l.Milliseconds())), append(memory, m)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(median(late), "ms-late")
			b.ReportMetric(median(memory), "B/caller")
		})
	}
}

func waitRound(b *testing.B, callers, connections, operations int) (late time.Duration, memory float64) {
	b.Helper()
	command := exec.CommandContext(b.Context(), os.Args[0], "-test.run", "^$")
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
	lines := bufio.NewReader(out)
	read := func() string {
		line, err := lines.ReadString('\n')
		if err != nil || strings.HasPrefix(line, "error ") {
			b.Fatalf("server answers %q, %v", line, err)
		}
		return strings.TrimSpace(line)
	}
	ask := func(command string) string {
		if _, err := fmt.Fprintln(in, command); err != nil {
			b.Fatal(err)
		}
		return read()
	}
	resident := func() (bytes float64) {
		if _, err := fmt.Sscan(ask("rss"), &bytes); err != nil {
			b.Fatal(err)
		}
		return bytes
	}
	address := read()
	names := strings.Fields(ask(fmt.Sprintf("start %d", operations)))

	clients := make([]longrunningpb.OperationsClient, connections)
	for i := range clients {
		conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		clients[i] = longrunningpb.NewOperationsClient(conn)
		if _, err := clients[i].GetOperation(b.Context(), &longrunningpb.GetOperationRequest{Name: names[0]}); err != nil {
			b.Fatal(err)
		}
	}
	before := resident()
	lates := make([]time.Duration, callers)
	var waiting sync.WaitGroup
	for i := range callers {
		waiting.Go(func() {
			op, err := clients[i%connections].WaitOperation(b.Context(), &longrunningpb.WaitOperationRequest{Name: names[i%operations]})
			if err != nil || !op.GetDone() {
				b.Errorf("WaitOperation = %v, %v, want a done operation", op, err)
				return
			}
			var md lropb.OperationMetadata
			if err := op.GetMetadata().UnmarshalTo(&md); err != nil {
				b.Errorf("decode metadata: %v", err)
			}
			lates[i] = time.Since(md.GetEndTime().AsTime())
		})
	}
	for still := 0; still < 3; { // until every call has arrived
		now := (resident() - before) / float64(callers)
		if still++; now > memory*1.01 {
			still = 0
		}
		memory = max(memory, now)
	}
	ask("end")
	waiting.Wait()
	if err := in.Close(); err != nil {
		b.Fatal(err)
	}
	if err := command.Wait(); err != nil {
		b.Fatal(err)
	}
	for _, l := range lates {
		late = max(late, l)
	}
	return late, memory
}
