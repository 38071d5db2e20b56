package cli_test

import (
	"bytes"
	"context"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro/internal/cli"
	"github.com/go-lro/lro/internal/cli/exit"
	"github.com/go-lro/lro/internal/cli/term"
	"github.com/go-lro/lro/lropb"
)

// lossy is a service whose first answer to a start is lost.
type lossy struct {
	lropb.UnimplementedStarterServer
	lose func(context.Context) error

	mu  sync.Mutex
	ids []string
}

func (l *lossy) ListKinds(context.Context, *lropb.ListKindsRequest) (*lropb.ListKindsResponse, error) {
	return &lropb.ListKindsResponse{Kinds: []*lropb.Kind{{Name: "simulate", RequestType: "lro.v1.SimulateRequest"}}}, nil
}

func (l *lossy) StartOperation(ctx context.Context, req *lropb.StartOperationRequest) (*longrunningpb.Operation, error) {
	l.mu.Lock()
	l.ids = append(l.ids, req.GetRequestId())
	first := len(l.ids) == 1
	l.mu.Unlock()
	if first {
		return nil, l.lose(ctx)
	}
	return &longrunningpb.Operation{Name: "operations/" + req.GetRequestId()}, nil
}

// TestRepeatStart: a start whose answer was lost prints the command that repeats
// it by the same request ID.
func TestRepeatStart(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		status int
		want   string
		lose   func(context.Context, context.CancelCauseFunc) error
	}{
		{"interrupted", exit.Interrupted, "interrupted; it may have been started", func(ctx context.Context, stop context.CancelCauseFunc) error {
			stop(exit.ErrInterrupted)
			<-ctx.Done()
			return ctx.Err()
		}},
		{"out of time", exit.Unknown, "; it may have been started", func(ctx context.Context, stop context.CancelCauseFunc) error {
			stop(context.DeadlineExceeded)
			<-ctx.Done()
			return ctx.Err()
		}},
		{"lost for good", exit.Unknown, "DATA_LOSS: who knows; it may have been started", func(context.Context, context.CancelCauseFunc) error {
			return status.Error(codes.DataLoss, "who knows")
		}},
		{"refused", exit.Unknown, "", func(context.Context, context.CancelCauseFunc) error {
			return status.Error(codes.PermissionDenied, "no")
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ctx, stop := context.WithCancelCause(t.Context())
			defer stop(nil)
			srv := &lossy{lose: func(ctx context.Context) error { return tt.lose(ctx, stop) }}
			addr := serveStarter(t, srv)
			var out, stderr bytes.Buffer
			args := []string{"start", "--addr", addr, "--plaintext", "--parent", "projects/p", "simulate", `{"echo": "it's"}`}
			got := cli.Run(ctx, args, &term.IO{In: strings.NewReader(""), Out: &out, Err: &stderr, Getenv: func(string) string { return "" }})
			if got != tt.status || !strings.Contains(stderr.String(), tt.want) {
				t.Errorf("lro %q = status %d, %s, want %d, %q", args, got, stderr.String(), tt.status, tt.want)
			}
			again := regexp.MustCompile(`(?m)^to repeat it without starting a second operation: lro start --request-id (\S+) (.*)$`).FindStringSubmatch(stderr.String())
			if tt.want == "" {
				if again != nil || strings.Contains(stderr.String(), "may have been") {
					t.Errorf("a start that was refused prints %s", stderr.String())
				}
				return
			}
			rest := `--addr ` + addr + ` --plaintext --parent projects/p simulate '{"echo": "it'\''s"}'`
			if again == nil || again[1] != srv.ids[0] || again[2] != rest {
				t.Fatalf("the command to repeat is %q, want request ID %s and %s", again, srv.ids[0], rest)
			}
			repeated := runCommand(t, nil, append([]string{"start", "--request-id", again[1]}, args[1:]...)...)
			if repeated.status != 0 || repeated.out != "operations/"+srv.ids[0]+"\n" {
				t.Errorf("the repetition = %+v, want operation %s", repeated, srv.ids[0])
			}
		})
	}
}

func serveStarter(t *testing.T, srv lropb.StarterServer) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := grpc.NewServer()
	lropb.RegisterStarterServer(g, srv)
	var serving sync.WaitGroup
	serving.Go(func() { _ = g.Serve(listener) })
	t.Cleanup(func() {
		g.Stop()
		serving.Wait()
	})
	return listener.Addr().String()
}
