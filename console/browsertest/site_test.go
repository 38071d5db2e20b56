package browsertest

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/go-lro/lro/console"
	"github.com/go-lro/lro/console/local"
	"github.com/go-lro/lro/console/remote"
	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine/sqlite"
)

type (
	request  = *lropb.SimulateRequest
	response = *lropb.SimulateResponse
	metadata = *lropb.OperationMetadata
	anyKind  = server.Kind[*anypb.Any, *anypb.Any, *anypb.Any]
)

// Kinds of the tests. The work of an export is done by the test itself; a
// reindex runs, and ends as its request says.
var (
	export  = server.Kind[request, response, metadata]{Name: "export"}
	reindex = server.Kind[request, response, metadata]{Name: "reindex"}
	idle    = server.Kind[request, response, metadata]{Name: "import"}
	strange = anyKind{Name: "strange"}
)

// site is a console over a server with an engine in a file.
type site struct {
	t    testing.TB
	srv  *server.Server
	eng  *sqlite.Engine
	addr string

	config  console.Config
	handler atomic.Pointer[console.Handler]
	web     *http.Server
	serving sync.WaitGroup
}

type siteOptions struct {
	config console.Config
	// remote looks at the operations as at those of a foreign service.
	remote bool
}

func newSite(t testing.TB, o siteOptions) *site {
	t.Helper()
	findBrowser(t) // before anything is done for nothing
	eng, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "operations.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	srv, err := server.New(eng, server.Config{Parent: "projects/library", Drain: -1},
		export.External(), reindex.Handle(runReindex), idle.Declare(), strange.External())
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, srv: srv, eng: eng}
	ctx, cancel := context.WithCancel(context.Background())
	var working sync.WaitGroup
	working.Go(func() {
		if err := srv.Work(ctx); err != nil {
			t.Errorf("Work: %v", err)
		}
	})
	t.Cleanup(func() {
		cancel()
		working.Wait()
		if err := eng.Close(); err != nil {
			t.Errorf("close engine: %v", err)
		}
	})
	if o.config.Logger == nil {
		o.config.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	if o.config.Hosts == nil {
		o.config.Hosts = []string{}
	}
	s.config = o.config
	s.use(s.source(o.remote))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = listener.Addr().String()
	s.serve(listener)
	t.Cleanup(s.down)
	return s
}

func (s *site) source(foreign bool) console.Source {
	s.t.Helper()
	var src console.Source
	var err error
	if foreign {
		src, err = remote.New(stub{s.srv.Operations()}, remote.Config{Parent: "-"})
	} else {
		src, err = local.New(s.srv, local.Config{})
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return src
}

func (s *site) url(path string) string { return "http://" + s.addr + path }

// use makes the console one over src.
func (s *site) use(src console.Source) {
	s.t.Helper()
	h, err := console.New(src, s.config)
	if err != nil {
		s.t.Fatal(err)
	}
	s.handler.Store(h)
}

// serve answers on l until down.
func (s *site) serve(l net.Listener) {
	s.web = &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.handler.Load().ServeHTTP(w, r)
	})}
	s.serving.Go(func() {
		if err := s.web.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.t.Errorf("serve: %v", err)
		}
	})
}

// down takes the console from the network.
func (s *site) down() {
	_ = s.web.Close() // tells of connections that were closed by the browser too
	s.serving.Wait()
}

// up brings it back at the same address.
func (s *site) up() {
	s.t.Helper()
	l, err := net.Listen("tcp", s.addr)
	if err != nil {
		s.t.Fatalf("listen again: %v", err)
	}
	s.serve(l)
}

// get asks for a page without a browser.
func (s *site) get(path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(s.t.Context(), http.MethodGet, path, nil)
	r.Host = "localhost"
	s.handler.Load().ServeHTTP(w, r)
	return w
}

// export starts an operation whose work the test does.
func (s *site) export(target string) *server.External[response, metadata] {
	s.t.Helper()
	op, err := export.Start(s.t.Context(), s.srv, &lropb.SimulateRequest{Echo: target}, nil)
	if err != nil {
		s.t.Fatalf("start: %v", err)
	}
	ext, err := export.Attach(s.t.Context(), s.srv, op.GetName())
	if err != nil {
		s.t.Fatalf("attach: %v", err)
	}
	return ext
}

// reindex starts an operation that runs so long and ends with this error, or
// with a response if it is nil.
func (s *site) reindex(d time.Duration, end *spb.Status) string {
	s.t.Helper()
	op, err := reindex.Start(s.t.Context(), s.srv, &lropb.SimulateRequest{Echo: "catalogues/autumn", Duration: durationpb.New(d), Error: end}, nil)
	if err != nil {
		s.t.Fatalf("start: %v", err)
	}
	return op.GetName()
}

func (s *site) op(name string) *longrunningpb.Operation {
	s.t.Helper()
	op, err := s.srv.Operations().GetOperation(s.t.Context(), &longrunningpb.GetOperationRequest{Name: name})
	if err != nil {
		s.t.Fatalf("GetOperation(%q): %v", name, err)
	}
	return op
}

// ended waits for the end of an operation.
func (s *site) ended(name string) {
	s.t.Helper()
	op, err := s.srv.Operations().WaitOperation(s.t.Context(), &longrunningpb.WaitOperationRequest{Name: name})
	if err != nil || !op.GetDone() {
		s.t.Fatalf("WaitOperation(%q) = %v, %v", name, op, err)
	}
}

func runReindex(ctx context.Context, task *server.Task[metadata], req request) (response, error) {
	task.Report(&lropb.OperationMetadata{
		Target: req.GetEcho(), StatusMessage: "Reading the catalogue",
		Progress: &lropb.Progress{Done: 3, Total: 8, Unit: "volumes", Message: "volume 4"},
	})
	select {
	case <-time.After(req.GetDuration().AsDuration()):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if req.GetError().GetCode() != 0 {
		return nil, status.ErrorProto(req.GetError())
	}
	return &lropb.SimulateResponse{Echo: req.GetEcho()}, nil
}

// locked is an error with details, one of them of an unknown type.
func locked(t testing.TB) *spb.Status {
	return &spb.Status{Code: 14, Message: "The shelf is locked until 18:00", Details: []*anypb.Any{
		pack(t, &errdetails.ErrorInfo{Reason: "SHELF_LOCKED", Domain: "library.example", Metadata: map[string]string{"shelf": "east-12", "holder": "inventory"}}),
		pack(t, &errdetails.RetryInfo{RetryDelay: durationpb.New(90 * time.Second)}),
		{TypeUrl: "type.googleapis.com/library.v1.LockDetail", Value: []byte("\x0a\x07east-12\x10\x05")},
	}}
}

func pack(t testing.TB, m proto.Message) *anypb.Any {
	t.Helper()
	packed, err := anypb.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

// stub calls a service in process as a client's stub would.
type stub struct {
	service longrunningpb.OperationsServer
}

func (s stub) ListOperations(ctx context.Context, req *longrunningpb.ListOperationsRequest, _ ...grpc.CallOption) (*longrunningpb.ListOperationsResponse, error) {
	return s.service.ListOperations(ctx, req)
}

func (s stub) GetOperation(ctx context.Context, req *longrunningpb.GetOperationRequest, _ ...grpc.CallOption) (*longrunningpb.Operation, error) {
	return s.service.GetOperation(ctx, req)
}

func (s stub) CancelOperation(ctx context.Context, req *longrunningpb.CancelOperationRequest, _ ...grpc.CallOption) (*emptypb.Empty, error) {
	return s.service.CancelOperation(ctx, req)
}

func (s stub) DeleteOperation(ctx context.Context, req *longrunningpb.DeleteOperationRequest, _ ...grpc.CallOption) (*emptypb.Empty, error) {
	return s.service.DeleteOperation(ctx, req)
}
