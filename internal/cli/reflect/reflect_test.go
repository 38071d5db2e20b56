package reflect

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/reflection"
	v1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/go-lro/lro/internal/cli/dyntest"
	"github.com/go-lro/lro/internal/leak"
	"github.com/go-lro/lro/lrotest"
)

func TestMain(m *testing.M) { leak.Main(m) }

// apart counts what is under way at a server, and how often streams and calls
// met.
type apart struct {
	streams, calls, met atomic.Int64
}

func (a *apart) unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	a.calls.Add(1)
	defer a.calls.Add(-1)
	if a.streams.Load() > 0 {
		a.met.Add(1)
	}
	return next(ctx, req)
}

func (a *apart) stream(srv any, s grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	a.streams.Add(1)
	defer a.streams.Add(-1)
	if a.calls.Load() > 0 {
		a.met.Add(1)
	}
	return next(srv, s)
}

// serve runs a server in memory, and returns a connection to it that passes the
// gate.
func serve(t *testing.T, a *apart, gate *Gate, register func(*grpc.Server)) *grpc.ClientConn {
	t.Helper()
	srv := grpc.NewServer(grpc.UnaryInterceptor(a.unary), grpc.StreamInterceptor(a.stream))
	register(srv)
	listener := bufconn.Listen(1 << 20)
	var serving sync.WaitGroup
	serving.Go(func() { _ = srv.Serve(listener) })
	conn, err := grpc.NewClient("passthrough:///memory",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithUnaryInterceptor(gate.Unary),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		srv.Stop()
		serving.Wait()
	})
	return conn
}

// withReflection registers reflection that knows dyntest.Thing.
func withReflection(t *testing.T) func(*grpc.Server) {
	t.Helper()
	files, err := dyntest.Files()
	if err != nil {
		t.Fatal(err)
	}
	return func(s *grpc.Server) {
		longrunningpb.RegisterOperationsServer(s, &lrotest.Server{})
		v1.RegisterServerReflectionServer(s, reflection.NewServerV1(reflection.ServerOptions{Services: s, DescriptorResolver: files}))
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	gate := &Gate{}
	c := New(serve(t, &apart{}, gate, withReflection(t)), gate)
	set, err := c.Files(t.Context(), dyntest.Thing)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, f := range set.GetFile() {
		names[f.GetName()] = true
	}
	for _, want := range []string{
		"lro/dyntest/v1/thing.proto", "lro/dyntest/v1/shape.proto", "google/protobuf/any.proto", "google/protobuf/timestamp.proto",
	} {
		if !names[want] {
			t.Errorf("Files(%s) = %v, without %s", dyntest.Thing, names, want)
		}
	}
	if _, err := c.Files(t.Context(), "no.such.Thing"); !errors.Is(err, protoregistry.NotFound) {
		t.Errorf("Files of an unknown symbol: %v, want %v", err, protoregistry.NotFound)
	}
	services, err := c.Services(t.Context())
	if err != nil || len(services) != 2 {
		t.Errorf("Services() = %v, %v, want 2", services, err)
	}
}

func TestWithoutReflection(t *testing.T) {
	t.Parallel()
	gate := &Gate{}
	c := New(serve(t, &apart{}, gate, func(*grpc.Server) {}), gate)
	if _, err := c.Files(t.Context(), dyntest.Thing); status.Code(err) != codes.Unimplemented {
		t.Errorf("Files without reflection: %v, want UNIMPLEMENTED", err)
	}
}

// registerOld registers a server that has only the first version of the
// protocol.
func registerOld(s *grpc.Server, answer func() *v1.ServerReflectionResponse) {
	s.RegisterService(&grpc.ServiceDesc{
		ServiceName: "grpc.reflection.v1.ServerReflection",
		HandlerType: (*any)(nil),
		Streams: []grpc.StreamDesc{{
			StreamName: "ServerReflectionInfo", ServerStreams: true, ClientStreams: true,
			Handler: func(_ any, s grpc.ServerStream) error {
				for s.RecvMsg(&v1.ServerReflectionRequest{}) == nil {
					if err := s.SendMsg(answer()); err != nil {
						return err
					}
				}
				return nil
			},
		}},
	}, nil)
}

func files(t *testing.T, all ...*descriptorpb.FileDescriptorProto) *v1.ServerReflectionResponse {
	t.Helper()
	resp := &v1.FileDescriptorResponse{}
	for _, f := range all {
		text, err := proto.Marshal(f)
		if err != nil {
			t.Error(err)
		}
		resp.FileDescriptorProto = append(resp.FileDescriptorProto, text)
	}
	return &v1.ServerReflectionResponse{
		MessageResponse: &v1.ServerReflectionResponse_FileDescriptorResponse{FileDescriptorResponse: resp},
	}
}

func TestFirstVersion(t *testing.T) {
	t.Parallel()
	gate := &Gate{}
	conn := serve(t, &apart{}, gate, func(s *grpc.Server) {
		registerOld(s, func() *v1.ServerReflectionResponse { return files(t, dyntest.Set().GetFile()...) })
	})
	set, err := New(conn, gate).Files(t.Context(), dyntest.Thing)
	if err != nil || len(set.GetFile()) != 2 {
		t.Errorf("Files by the first version = %v, %v, want 2 files", set, err)
	}
}

// TestEndlessFiles: a server that makes dependencies up is given up.
func TestEndlessFiles(t *testing.T) {
	t.Parallel()
	n := 0
	gate := &Gate{}
	conn := serve(t, &apart{}, gate, func(s *grpc.Server) {
		registerOld(s, func() *v1.ServerReflectionResponse {
			n++
			return files(t, &descriptorpb.FileDescriptorProto{
				Name: new(string(rune('a'+n%26)) + string(rune(0x4e00+n))), Dependency: []string{string(rune('a'+(n+1)%26)) + string(rune(0x4e00+n+1))},
			})
		})
	})
	if set, err := New(conn, gate).Files(t.Context(), dyntest.Thing); err == nil || n > maxFiles+1 {
		t.Errorf("Files of a server without end = %d files, %v after %d questions, want an error", len(set.GetFile()), err, n)
	}
}

// TestStreamsAndCallsNeverMeet: while reflection is used, no other call is
// under way, and the other way round.
func TestStreamsAndCallsNeverMeet(t *testing.T) {
	t.Parallel()
	a, gate := &apart{}, &Gate{}
	conn := serve(t, a, gate, withReflection(t))
	c, ops := New(conn, gate), longrunningpb.NewOperationsClient(conn)
	ctx, cancel := context.WithCancel(t.Context())
	var calling sync.WaitGroup
	var made atomic.Int64
	for range 4 {
		calling.Go(func() {
			for ctx.Err() == nil {
				_, err := ops.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: "operations/x"})
				if status.Code(err) == codes.NotFound {
					made.Add(1)
				}
			}
		})
	}
	for range 50 {
		before := made.Load()
		if _, err := c.Files(ctx, dyntest.Thing); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Files(ctx, "no.such.Thing"); !errors.Is(err, protoregistry.NotFound) {
			t.Fatal(err)
		}
		for made.Load() == before { // calls go on in between
			if _, err := ops.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: "operations/x"}); status.Code(err) != codes.NotFound {
				t.Fatal(err)
			}
		}
	}
	cancel()
	calling.Wait()
	if n := a.met.Load(); n > 0 {
		t.Errorf("streams and calls met %d times", n)
	}
	if n := a.streams.Load(); n > 0 {
		t.Errorf("%d streams are still open", n)
	}
}

func TestGateGivesUp(t *testing.T) {
	t.Parallel()
	gate := &Gate{}
	if err := gate.shut(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	cancel(why)
	if err := gate.shut(ctx); !errors.Is(err, why) {
		t.Errorf("shut of a shut gate = %v, want %v", err, why)
	}
	err := gate.Unary(ctx, "", nil, nil, nil, func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error { return nil })
	if !errors.Is(err, why) {
		t.Errorf("call through a shut gate = %v, want %v", err, why)
	}
	gate.open()
	if err := gate.Unary(t.Context(), "", nil, nil, nil, func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error {
		if err := gate.shut(ctx); !errors.Is(err, why) {
			t.Errorf("shut beside a call = %v, want %v", err, why)
		}
		return nil
	}); err != nil {
		t.Errorf("call through an open gate = %v", err)
	}
}
