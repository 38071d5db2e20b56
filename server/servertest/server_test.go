package servertest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/internal/leak"
	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/servertest"
)

func TestMain(m *testing.M) { leak.Main(m) }

var _ servertest.TB = testing.TB(nil)

var sleep = server.Kind[*lropb.SimulateRequest, *lropb.SimulateResponse, *lropb.OperationMetadata]{Name: "sleep"}

// sleeper sleeps, in two halves with a checkpoint between them.
func sleeper(ctx context.Context, task *server.Task[*lropb.OperationMetadata], req *lropb.SimulateRequest) (*lropb.SimulateResponse, error) {
	half := req.GetDuration().AsDuration() / 2
	if string(task.Checkpoint()) != "half" {
		if err := pause(ctx, half); err != nil {
			return nil, err
		}
		if err := task.Save(ctx, []byte("half")); err != nil {
			return nil, err
		}
	}
	if err := pause(ctx, half); err != nil {
		return nil, err
	}
	return &lropb.SimulateResponse{Echo: req.GetEcho(), Attempts: int32(task.Attempt())}, nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func request(d time.Duration) *lropb.SimulateRequest {
	return &lropb.SimulateRequest{Echo: "hello", Duration: durationpb.New(d)}
}

func TestRun(t *testing.T) {
	t.Parallel()
	srv := servertest.Run(t, sleep.Handle(sleeper))
	op := servertest.Start(t, srv, sleep, request(time.Millisecond))
	if got, err := op.Wait(t.Context()); err != nil || got.GetEcho() != "hello" {
		t.Errorf("Wait = %v, %v, want hello", got, err)
	}
	// One that runs does not hold up the end of the test.
	servertest.Start(t, srv, sleep, request(time.Hour))
}

func TestRunInBubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := servertest.Run(t, sleep.Handle(sleeper))
		begin := time.Now()
		op := servertest.Start(t, srv, sleep, request(10*time.Hour))
		if got, err := op.Wait(t.Context()); err != nil || got.GetEcho() != "hello" || time.Since(begin) != 10*time.Hour {
			t.Errorf("Wait = %v, %v after %v, want hello after 10 h", got, err, time.Since(begin))
		}
		servertest.Start(t, srv, sleep, request(time.Hour))
	})
}

// A caller that waits does not notice a restart, and the handler continues from
// its checkpoint.
func TestRestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := servertest.Run(t, sleep.Handle(sleeper))
		op := servertest.Start(t, srv, sleep, request(10*time.Hour))
		begin := time.Now()
		first := op.Await(t.Context())
		time.Sleep(9 * time.Hour)
		srv.Restart()
		out := <-first
		if out.Err != nil || out.Result.GetAttempts() != 2 {
			t.Errorf("Wait = %v, %v, want the result of attempt 2", out.Result, out.Err)
		}
		if took := time.Since(begin); took != 14*time.Hour {
			t.Errorf("took %v, want 9 h and again the second half, 5 h", took)
		}
		if _, err := sleep.Start(t.Context(), srv.Server(), request(time.Hour), nil); err != nil {
			t.Errorf("Start after a restart = %v", err)
		}
	})
}

// The program's own service, with its interceptors of Config.
func TestDial(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := servertest.RunConfig(t, server.Config{
			Parent: "projects/p",
			Authorize: func(_ context.Context, a server.Access) error {
				if a.Method == "DeleteOperation" {
					return errors.New("not here")
				}
				return nil
			},
		}, sleep.Handle(sleeper))
		conn := srv.Dial(func(r grpc.ServiceRegistrar) { srv.Server().RegisterStarter(r) })
		started, err := lropb.NewStarterClient(conn).StartOperation(t.Context(), &lropb.StartOperationRequest{Kind: "sleep"})
		if err != nil || !strings.HasPrefix(started.GetName(), "projects/p/operations/") {
			t.Fatalf("StartOperation = %v, %v, want an operation of projects/p", started, err)
		}
		client := lro.NewClientConn(conn)
		op, err := lro.Any().Wrap(client, started)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := op.Wait(t.Context()); err != nil {
			t.Errorf("Wait = %v", err)
		}
		if err := client.Delete(t.Context(), op.Name()); status.Code(err) != codes.PermissionDenied {
			t.Errorf("Delete = %v, want PERMISSION_DENIED", err)
		}
		// The client in process has all methods too.
		if err := srv.Client().Delete(t.Context(), op.Name()); status.Code(err) != codes.PermissionDenied {
			t.Errorf("Delete in process = %v, want PERMISSION_DENIED", err)
		}
		found := 0
		for _, err := range srv.Client().List(t.Context(), &longrunningpb.ListOperationsRequest{Name: "projects/p"}) {
			if err != nil {
				t.Errorf("List = %v", err)
			}
			found++
		}
		if found != 1 {
			t.Errorf("List has %d operations, want 1", found)
		}
		op2 := servertest.Start(t, srv, sleep, request(time.Hour))
		if _, err := op2.CancelAndWait(t.Context()); !op2.Snapshot().Cancelled() {
			t.Errorf("CancelAndWait = %v, want a cancelled operation", err)
		}
	})
}

// fatal is a test that records why it failed.
type fatal struct {
	testing.TB
	said *string
}

func (f fatal) Fatalf(format string, _ ...any) {
	*f.said = format
	panic(f.said)
}

func TestRunFails(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]func(tb servertest.TB){
		"kind twice": func(tb servertest.TB) { servertest.Run(tb, sleep.Declare(), sleep.Declare()) },
		"start refused": func(tb servertest.TB) {
			srv := servertest.Run(tb, sleep.Declare())
			servertest.Start(tb, srv, server.Kind[*lropb.SimulateRequest, *lropb.SimulateResponse, *lropb.OperationMetadata]{Name: "other"}, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var said string
			func() {
				defer func() {
					if r := recover(); r != &said {
						t.Fatalf("panic: %v", r)
					}
				}()
				run(fatal{t, &said})
			}()
			if !strings.HasPrefix(said, "servertest: ") {
				t.Errorf("Fatalf got %q, want what failed", said)
			}
		})
	}
}
