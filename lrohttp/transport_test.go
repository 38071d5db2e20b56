package lrohttp_test

import (
	"errors"
	"net/http"
	"testing"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/internal/leak"
	"github.com/go-lro/lro/internal/transporttest"
	"github.com/go-lro/lro/lrohttp"
)

func TestMain(m *testing.M) { leak.Main(m) }

// TestTransport shows that the future works over HTTP/JSON as it does over
// gRPC.
func TestTransport(t *testing.T) {
	t.Parallel()
	transporttest.Run(t, func(t *testing.T, srv longrunningpb.OperationsServer) lro.Service {
		return serve(t, srv, nil, nil)
	})
}

// serve returns a client of srv, over HTTP/JSON in memory.
func serve(t *testing.T, srv longrunningpb.OperationsServer, handlerOpts []lrohttp.HandlerOption, clientOpts []lrohttp.ClientOption) *lrohttp.Client {
	t.Helper()
	handler, err := lrohttp.NewHandler(srv, handlerOpts...)
	if err != nil {
		t.Fatal(err)
	}
	return dial(t, handler, clientOpts...)
}

// dial returns a client of a handler, over connections in memory.
func dial(t *testing.T, handler http.Handler, opts ...lrohttp.ClientOption) *lrohttp.Client {
	t.Helper()
	listener := transporttest.Listen(t)
	server := &http.Server{Handler: handler}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
	})
	transport := &http.Transport{DialContext: listener.Dial}
	t.Cleanup(transport.CloseIdleConnections)
	opts = append([]lrohttp.ClientOption{lrohttp.WithHTTPClient(&http.Client{Transport: transport})}, opts...)
	client, err := lrohttp.NewClient("http://test", opts...)
	if err != nil {
		t.Fatal(err)
	}
	return client
}
