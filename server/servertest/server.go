package servertest

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"sync"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine/sqlite"
)

// TB is what this package uses of a *testing.T or *testing.B.
type TB interface {
	Cleanup(f func())
	Context() context.Context
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Helper()
	Logf(format string, args ...any)
	TempDir() string
}

// Server is a running server of a test. [Run] makes one. It is safe for concurrent
// use, but Restart must not be called while another goroutine calls it or Dial.
type Server struct {
	tb     TB
	config server.Config
	kinds  []server.Registration
	file   string
	client *lro.Client

	mu   sync.Mutex
	life *life
}

// life is what runs between two restarts.
type life struct {
	engine  *sqlite.Engine
	server  *server.Server
	serving sync.WaitGroup
	hangUp  []func() // of Dial
}

// bufferSize is that of each direction of an in-memory connection, in bytes.
const bufferSize = 64 << 10

// Run runs a server of the given kinds until the test ends. It fails the test
// at once if the server cannot be created, and at its end if the server did not
// stop cleanly. The end does not wait for handlers: their ctx ends with
// [server.ErrDraining].
func Run(tb TB, kinds ...server.Registration) *Server {
	tb.Helper()
	return RunConfig(tb, server.Config{}, kinds...)
}

// RunConfig is [Run] with a configuration. In it, a zero Drain and a zero Grace
// mean at once, and a nil Logger logs to the test.
func RunConfig(tb TB, c server.Config, kinds ...server.Registration) *Server {
	tb.Helper()
	if c.Drain == 0 {
		c.Drain = -1
	}
	if c.Grace == 0 {
		c.Grace = -1
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.NewTextHandler(logWriter{tb}, nil))
	}
	s := &Server{tb: tb, config: c, kinds: kinds, file: filepath.Join(tb.TempDir(), "operations.db")}
	s.client = lro.NewClient(current{s})
	s.begin()
	tb.Cleanup(s.end)
	return s
}

// begin opens the file and serves it.
func (s *Server) begin() {
	s.tb.Helper()
	// The ctx of a test ends before its cleanups, which stop the server.
	ctx := context.WithoutCancel(s.tb.Context())
	eng, err := sqlite.Open(ctx, s.file, nil)
	if err != nil {
		s.tb.Fatalf("servertest: %v", err)
	}
	srv, err := server.New(eng, s.config, s.kinds...)
	if err != nil {
		eng.Close()
		s.tb.Fatalf("servertest: %v", err)
	}
	l := &life{engine: eng, server: srv}
	l.serving.Go(func() {
		if err := srv.Serve(ctx, nil, nil); err != nil {
			s.tb.Errorf("servertest: %v", err)
		}
	})
	s.mu.Lock()
	s.life = l
	s.mu.Unlock()
}

// end stops what begin began.
func (s *Server) end() {
	s.mu.Lock()
	l := s.life
	s.mu.Unlock()
	for _, hangUp := range l.hangUp {
		hangUp()
	}
	if err := l.server.Shutdown(context.Background()); err != nil {
		s.tb.Errorf("servertest: %v", err)
	}
	l.serving.Wait()
	if err := l.engine.Close(); err != nil {
		s.tb.Errorf("servertest: %v", err)
	}
}

// Server returns the server, to start operations by [server.Kind.Start] and to make
// the program's own services of. After a restart it is another one.
func (s *Server) Server() *server.Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.life.server
}

// Client returns a client of the server's operations, in process. It remains
// usable after a restart, and so do operations that it waits for.
func (s *Server) Client() *lro.Client { return s.client }

// Restart stops the server, as a new version of a program does, and starts it again
// on the same file. Handlers that run end by [server.ErrDraining], after Config.Drain,
// and run again from their last checkpoint. Connections of Dial end.
func (s *Server) Restart() {
	s.tb.Helper()
	s.end()
	s.begin()
}

// Dial serves the operations over gRPC in memory, beside what the functions
// register, such as the program's own service, and returns a connection to them:
//
//	conn := srv.Dial(func(r grpc.ServiceRegistrar) {
//		librarypb.RegisterLibraryServer(r, &library{operations: srv.Server()})
//	})
//
// It ends with the test, or with a restart.
func (s *Server) Dial(register ...func(grpc.ServiceRegistrar)) grpc.ClientConnInterface {
	s.tb.Helper()
	listener := bufconn.Listen(bufferSize)
	g := grpc.NewServer(grpc.WaitForHandlers(true))
	conn, err := grpc.NewClient("passthrough:///servertest", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		s.tb.Fatalf("servertest: %v", err)
	}
	s.Server().Register(g)
	for _, f := range register {
		f(g)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		_ = g.Serve(listener) // ends with Stop, and with no other error: the listener is in memory
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.life.hangUp = append(s.life.hangUp, func() {
		conn.Close()
		g.Stop()
		serving.Wait()
	})
	return conn
}

// Start starts an operation of a kind and returns it, to be waited for. It fails the
// test when the start fails; to test that, call [server.Kind.Start].
func Start[Req, Resp, Meta proto.Message](tb TB, s *Server, k server.Kind[Req, Resp, Meta], req Req) *lro.Operation[Resp, Meta] {
	tb.Helper()
	started, err := k.Start(tb.Context(), s.Server(), req, nil)
	if err != nil {
		tb.Fatalf("servertest: start %q: %v", k.Name, err)
	}
	op, err := lro.Method[Resp, Meta]{}.Wrap(s.client, started)
	if err != nil {
		tb.Fatalf("servertest: start %q: %v", k.Name, err)
	}
	return op
}

// current is the service of the server as it is now.
type current struct{ s *Server }

func (c current) now() longrunningpb.OperationsClient { return c.s.Server().Client() }

func (c current) GetOperation(ctx context.Context, req *longrunningpb.GetOperationRequest, _ ...grpc.CallOption) (*longrunningpb.Operation, error) {
	return c.now().GetOperation(ctx, req)
}

func (c current) WaitOperation(ctx context.Context, req *longrunningpb.WaitOperationRequest, _ ...grpc.CallOption) (*longrunningpb.Operation, error) {
	return c.now().WaitOperation(ctx, req)
}

func (c current) CancelOperation(ctx context.Context, req *longrunningpb.CancelOperationRequest, _ ...grpc.CallOption) (*emptypb.Empty, error) {
	return c.now().CancelOperation(ctx, req)
}

func (c current) DeleteOperation(ctx context.Context, req *longrunningpb.DeleteOperationRequest, _ ...grpc.CallOption) (*emptypb.Empty, error) {
	return c.now().DeleteOperation(ctx, req)
}

func (c current) ListOperations(ctx context.Context, req *longrunningpb.ListOperationsRequest, _ ...grpc.CallOption) (*longrunningpb.ListOperationsResponse, error) {
	return c.now().ListOperations(ctx, req)
}

// logWriter writes lines to a test's log.
type logWriter struct{ tb TB }

func (w logWriter) Write(line []byte) (int, error) {
	w.tb.Logf("%s", bytes.TrimRight(line, "\n"))
	return len(line), nil
}
