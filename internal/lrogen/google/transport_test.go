package google

import (
	"net/http"
	"testing"

	filestore "cloud.google.com/go/filestore/apiv1"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/api/option"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/internal/transporttest"
	"github.com/go-lro/lro/lrogax"
	"github.com/go-lro/lro/lrohttp"
)

// TestTransport runs what every transport is held to through a client that Google
// generated for a service, over REST. TestTransport of package lrogax has the other
// transports.
func TestTransport(t *testing.T) {
	t.Parallel()
	transporttest.Run(t, func(t *testing.T, srv longrunningpb.OperationsServer) lro.Service {
		listener := transporttest.Listen(t)
		server := &http.Server{Handler: must(lrohttp.NewHandler(srv))}
		served := make(chan error, 1)
		go func() { served <- server.Serve(listener) }()
		transport := &http.Transport{DialContext: listener.Dial}
		t.Cleanup(func() {
			transport.CloseIdleConnections()
			server.Close()
			<-served // http.ErrServerClosed
		})
		return lrogax.Service(must(filestore.NewCloudFilestoreManagerRESTClient(t.Context(),
			option.WithEndpoint("http://test"), option.WithHTTPClient(&http.Client{Transport: transport}))))
	},
		// The client has no WaitOperation, and its ListOperations returns an iterator of
		// the client's own package.
		"wait/long poll", "wait/no long poll", "wait/deadline reaches the server", "call/list", "call/list of the collection",
		// As for autogen's REST client.
		"poll/hint by header", "poll/hint by trailer", "call/errors", "result/unknown types", "result/unknown type deep inside",
		"result/error with an unknown detail", "result/types with JSON of their own", "result/response without type")
}
