package lroconnect_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"connectrpc.com/connect"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/internal/leak"
	"github.com/go-lro/lro/internal/transporttest"
	"github.com/go-lro/lro/lroconnect"
)

func TestMain(m *testing.M) { leak.Main(m) }

// protocols are all that connect-go has. gRPC needs HTTP/2; the others have
// HTTP/1.1 in these tests.
var protocols = map[string][]connect.ClientOption{
	"Connect":      nil,
	"Connect JSON": {lroconnect.WithJSON()},
	"gRPC":         {connect.WithGRPC()},
	"gRPC JSON":    {connect.WithGRPC(), lroconnect.WithJSON()},
	"gRPCWeb":      {connect.WithGRPCWeb()},
	"gRPCWeb JSON": {connect.WithGRPCWeb(), lroconnect.WithJSON()},
}

// TestTransport shows that the future works over each protocol as it does over
// grpc-go.
func TestTransport(t *testing.T) {
	t.Parallel()
	for name, opts := range protocols {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			transporttest.Run(t, func(t *testing.T, srv longrunningpb.OperationsServer) lro.Service {
				return serve(t, srv, name, opts)
			})
		})
	}
}

// TestGRPCServer shows that a client works with grpc-go's server.
func TestGRPCServer(t *testing.T) {
	t.Parallel()
	transporttest.Run(t, func(t *testing.T, srv longrunningpb.OperationsServer) lro.Service {
		server := grpc.NewServer()
		longrunningpb.RegisterOperationsServer(server, srv)
		return dial(t, server, "gRPC", []connect.ClientOption{connect.WithGRPC()})
	})
}

// TestGRPCClient shows that a handler works with grpc-go's client.
func TestGRPCClient(t *testing.T) {
	t.Parallel()
	transporttest.Run(t, func(t *testing.T, srv longrunningpb.OperationsServer) lro.Service {
		listener := listen(t, handler(srv))
		conn, err := grpc.NewClient("passthrough:///test",
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.Dial(ctx, "", "") }))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return longrunningpb.NewOperationsClient(conn)
	})
}

func handler(srv longrunningpb.OperationsServer, opts ...connect.HandlerOption) http.Handler {
	mux := http.NewServeMux()
	mux.Handle(lroconnect.NewHandler(srv, opts...))
	return mux
}

// serve returns a client of srv, over connections in memory.
func serve(t *testing.T, srv longrunningpb.OperationsServer, protocol string, opts []connect.ClientOption) *lroconnect.Client {
	t.Helper()
	return dial(t, handler(srv), protocol, opts)
}

// dial returns a client of a handler.
func dial(t *testing.T, handler http.Handler, protocol string, opts []connect.ClientOption) *lroconnect.Client {
	t.Helper()
	var version http.Protocols
	version.SetHTTP1(protocol != "gRPC" && protocol != "gRPC JSON")
	version.SetUnencryptedHTTP2(!version.HTTP1())
	transport := &http.Transport{DialContext: listen(t, handler).Dial, Protocols: &version}
	t.Cleanup(transport.CloseIdleConnections)
	return lroconnect.NewClient(&http.Client{Transport: transport}, "http://test/", opts...)
}

// listen serves a handler over HTTP/1.1 and HTTP/2.
func listen(t *testing.T, handler http.Handler) *transporttest.Listener {
	t.Helper()
	var versions http.Protocols
	versions.SetHTTP1(true)
	versions.SetUnencryptedHTTP2(true)
	listener := transporttest.Listen(t)
	server := &http.Server{Handler: handler, Protocols: &versions}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
	})
	return listener
}
