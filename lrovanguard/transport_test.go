package lrovanguard_test

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
	"github.com/go-lro/lro/lrohttp"
	"github.com/go-lro/lro/lrovanguard"
)

func TestMain(m *testing.M) { leak.Main(m) }

// TestTransport shows that the future works over each protocol of one port as it
// does over grpc-go.
func TestTransport(t *testing.T) {
	t.Parallel()
	for name, dial := range map[string]func(t *testing.T, l *transporttest.Listener) lro.Service{
		"gRPC": func(t *testing.T, l *transporttest.Listener) lro.Service {
			return longrunningpb.NewOperationsClient(dialGRPC(t, l))
		},
		"REST": func(t *testing.T, l *transporttest.Listener) lro.Service {
			return restClient(t, httpClient(t, l))
		},
		"Connect": func(t *testing.T, l *transporttest.Listener) lro.Service {
			return lroconnect.NewClient(httpClient(t, l), "http://test")
		},
		"Connect JSON": func(t *testing.T, l *transporttest.Listener) lro.Service {
			return lroconnect.NewClient(httpClient(t, l), "http://test", lroconnect.WithJSON())
		},
		"gRPCWeb": func(t *testing.T, l *transporttest.Listener) lro.Service {
			return lroconnect.NewClient(httpClient(t, l), "http://test", connect.WithGRPCWeb())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			transporttest.Run(t, func(t *testing.T, srv longrunningpb.OperationsServer) lro.Service {
				server := grpc.NewServer()
				longrunningpb.RegisterOperationsServer(server, srv)
				return dial(t, listen(t, newHandler(t, server, lrovanguard.Config{})))
			})
		})
	}
}

func newHandler(t *testing.T, server *grpc.Server, c lrovanguard.Config) http.Handler {
	t.Helper()
	t.Cleanup(server.Stop)
	handler, err := lrovanguard.NewHandler(server, c)
	if err != nil {
		t.Fatal(err)
	}
	return handler
}

// listen serves a handler in memory.
func listen(t *testing.T, handler http.Handler) *transporttest.Listener {
	t.Helper()
	listener := transporttest.Listen(t)
	server := &http.Server{Handler: handler, Protocols: lrovanguard.Protocols()}
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

// httpClient returns a client that speaks HTTP/1.1.
func httpClient(t *testing.T, l *transporttest.Listener) *http.Client {
	t.Helper()
	transport := &http.Transport{DialContext: l.Dial}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func dialGRPC(t *testing.T, l *transporttest.Listener) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///test",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.Dial(ctx, "", "") }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func restClient(t *testing.T, client *http.Client) *lrohttp.Client {
	t.Helper()
	rest, err := lrohttp.NewClient("http://test", lrohttp.WithHTTPClient(client))
	if err != nil {
		t.Fatal(err)
	}
	return rest
}
