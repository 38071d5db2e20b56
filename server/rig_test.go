package server_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine/sqlite"
)

// Messages and handlers of the tests' kinds.
type (
	request  = *lropb.SimulateRequest
	response = *lropb.SimulateResponse
	metadata = *lropb.OperationMetadata
	task     = *server.Task[metadata]
	simKind  = server.Kind[request, response, metadata]
	handler  = server.Handler[request, response, metadata]
)

// rig is a server on an engine in a temporary file, reached over gRPC in
// memory. It works until the test ends, or stop is called.
type rig struct {
	srv     *server.Server
	eng     *sqlite.Engine
	ops     longrunningpb.OperationsClient
	starter lropb.StarterClient
	path    string

	stopWork func() // ends Work and waits for it
	stop     func() // and closes everything
}

type rigOptions struct {
	config server.Config
	kinds  []server.Registration
	path   string // of an earlier rig; empty for a new file
	idle   bool   // does not work
}

func newRig(t testing.TB, o rigOptions) *rig {
	t.Helper()
	if o.path == "" {
		o.path = filepath.Join(t.TempDir(), "operations.db")
	}
	if o.config.Logger == nil {
		o.config.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	if o.config.Drain == 0 {
		o.config.Drain = 100 * time.Millisecond
	}
	eng, err := sqlite.Open(t.Context(), o.path, nil)
	if err != nil {
		t.Fatalf("sqlite.Open: %v", err)
	}
	srv, err := server.New(eng, o.config, o.kinds...)
	if err != nil {
		t.Fatalf("server.New: %v", err)
	}
	listener := bufconn.Listen(1 << 20)
	grpcServer := grpc.NewServer()
	srv.Register(grpcServer)
	srv.RegisterStarter(grpcServer)
	conn, err := grpc.NewClient("passthrough:///rig", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatalf("grpc.NewClient: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var working, serving sync.WaitGroup
	if !o.idle {
		working.Go(func() {
			if err := srv.Work(ctx); err != nil {
				t.Errorf("Work: %v", err)
			}
		})
	}
	serving.Go(func() {
		// A test may be over before this goroutine has run.
		if err := grpcServer.Serve(listener); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			t.Errorf("Serve: %v", err)
		}
	})
	r := &rig{
		srv: srv, eng: eng, path: o.path,
		ops: longrunningpb.NewOperationsClient(conn), starter: lropb.NewStarterClient(conn),
	}
	r.stopWork = func() {
		cancel()
		working.Wait()
	}
	r.stop = sync.OnceFunc(func() {
		r.stopWork()
		if err := conn.Close(); err != nil {
			t.Errorf("close connection: %v", err)
		}
		grpcServer.Stop()
		serving.Wait()
		if err := eng.Close(); err != nil {
			t.Errorf("close engine: %v", err)
		}
	})
	t.Cleanup(r.stop)
	return r
}

// one returns a kind named "sim" with the handler, and its registration.
func one(k simKind, h handler) (simKind, []server.Registration) {
	if k.Name == "" {
		k.Name = "sim"
	}
	return k, []server.Registration{k.Handle(h)}
}

// echo is a handler that ends at once.
func echo(_ context.Context, t task, req request) (response, error) {
	return &lropb.SimulateResponse{Echo: req.GetEcho(), Attempts: int32(t.Attempt())}, nil
}

// untilCancelled is a handler that runs until its context ends.
func untilCancelled(ctx context.Context, _ task, _ request) (response, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (r *rig) start(t testing.TB, k simKind, req request, opts *server.StartOptions) *longrunningpb.Operation {
	t.Helper()
	op, err := k.Start(t.Context(), r.srv, req, opts)
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	return op
}

func (r *rig) get(t testing.TB, name string) *longrunningpb.Operation {
	t.Helper()
	op, err := r.ops.GetOperation(t.Context(), &longrunningpb.GetOperationRequest{Name: name})
	if err != nil {
		t.Fatalf("GetOperation(%q): %v", name, err)
	}
	return op
}

// wait returns the operation once it has ended.
func (r *rig) wait(t testing.TB, name string) *longrunningpb.Operation {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	op, err := r.ops.WaitOperation(ctx, &longrunningpb.WaitOperationRequest{Name: name})
	if err != nil || !op.GetDone() {
		t.Fatalf("WaitOperation(%q) = %v, %v, want a done operation", name, op, err)
	}
	return op
}

func (r *rig) cancel(t testing.TB, name string) {
	t.Helper()
	if _, err := r.ops.CancelOperation(t.Context(), &longrunningpb.CancelOperationRequest{Name: name}); err != nil {
		t.Fatalf("CancelOperation(%q): %v", name, err)
	}
}

func (r *rig) delete(t testing.TB, name string) {
	t.Helper()
	if _, err := r.ops.DeleteOperation(t.Context(), &longrunningpb.DeleteOperationRequest{Name: name}); err != nil {
		t.Fatalf("DeleteOperation(%q): %v", name, err)
	}
}

func (r *rig) list(t testing.TB, req *longrunningpb.ListOperationsRequest) *longrunningpb.ListOperationsResponse {
	t.Helper()
	resp, err := r.ops.ListOperations(t.Context(), req)
	if err != nil {
		t.Fatalf("ListOperations(%v): %v", req, err)
	}
	return resp
}

// names are the names of operations.
func names(ops []*longrunningpb.Operation) []string {
	var out []string
	for _, op := range ops {
		out = append(out, op.GetName())
	}
	return out
}

// unpacked decodes an Any, which must hold a T.
func unpacked[T proto.Message](t testing.TB, a *anypb.Any) T {
	t.Helper()
	m, err := a.UnmarshalNew()
	if err != nil {
		t.Fatalf("decode %v: %v", a, err)
	}
	got, ok := m.(T)
	if !ok {
		t.Fatalf("message is a %T, want a %T", m, got)
	}
	return got
}

// wantError checks code and reason, and that there is exactly one ErrorInfo
// whose metadata holds every value that the message quotes.
func wantError(t testing.TB, call string, err error, code codes.Code, reason string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s = nil error, want %s", call, code)
		return
	}
	wantStatus(t, call, status.Convert(err).Proto(), code, reason)
}

func wantStatus(t testing.TB, call string, st *spb.Status, code codes.Code, reason string) {
	t.Helper()
	var infos []*errdetails.ErrorInfo
	for _, d := range st.GetDetails() {
		if d.MessageIs((*errdetails.ErrorInfo)(nil)) {
			infos = append(infos, unpacked[*errdetails.ErrorInfo](t, d))
		}
	}
	if codes.Code(st.GetCode()) != code || len(infos) != 1 || infos[0].GetReason() != reason {
		t.Errorf("%s = %v, want code %s and one ErrorInfo with reason %s", call, st, code, reason)
	}
}

// waitLong is wait without a limit of time, for bubbles.
func (r *rig) waitLong(t testing.TB, name string) *longrunningpb.Operation {
	t.Helper()
	op, err := r.ops.WaitOperation(t.Context(), &longrunningpb.WaitOperationRequest{Name: name})
	if err != nil || !op.GetDone() {
		t.Fatalf("WaitOperation(%q) = %v, %v, want a done operation", name, op, err)
	}
	return op
}
