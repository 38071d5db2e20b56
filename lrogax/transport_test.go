package lrogax

import (
	"net/http"
	"testing"

	lroauto "cloud.google.com/go/longrunning/autogen"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/api/option"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/internal/transporttest"
	"github.com/go-lro/lro/lrohttp"
)

// TestTransport runs what every transport is held to over generated clients.
func TestTransport(t *testing.T) {
	t.Parallel()
	t.Run("gRPC", func(t *testing.T) {
		t.Parallel()
		transporttest.Run(t, func(t *testing.T, srv longrunningpb.OperationsServer) lro.Service {
			return New(serveGRPC(t, srv))
		})
	})
	t.Run("gRPC, whole client", func(t *testing.T) {
		t.Parallel()
		transporttest.Run(t, func(t *testing.T, srv longrunningpb.OperationsServer) lro.Service {
			c := serveGRPC(t, srv)
			return Service(&whole{c, c})
		})
	})
	t.Run("REST", func(t *testing.T) {
		t.Parallel()
		transporttest.Run(t, restTransport,
			// The generated code cannot call WaitOperation, sends no deadline, throws the
			// headers of good answers away,
			"wait/long poll", "wait/no long poll", "wait/deadline reaches the server",
			"poll/hint by header", "poll/hint by trailer",
			// and does not understand how lrohttp carries an Any that has no JSON.
			"call/list", "call/errors", "result/unknown types", "result/unknown type deep inside",
			"result/error with an unknown detail", "result/types with JSON of their own", "result/response without type")
	})
}

// whole is a generated client that has all methods of google.longrunning.
type whole struct {
	*lroauto.OperationsClient
	LROClient *lroauto.OperationsClient
}

func restTransport(t *testing.T, srv longrunningpb.OperationsServer) lro.Service {
	listener := transporttest.Listen(t)
	handler, err := lrohttp.NewHandler(srv)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	transport := &http.Transport{DialContext: listener.Dial}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		server.Close()
		<-served // http.ErrServerClosed
	})
	client, err := lroauto.NewOperationsRESTClient(t.Context(), option.WithEndpoint("http://test"), option.WithHTTPClient(&http.Client{Transport: transport}))
	if err != nil {
		t.Fatal(err)
	}
	return New(client)
}
