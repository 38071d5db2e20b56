package servers

import (
	"net/http/httptest"
	"testing"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"

	"github.com/go-lro/lro"
	gateway "github.com/go-lro/lro/interop/servers/gateway"
	"github.com/go-lro/lro/lrohttp"
)

// transport makes a service of the operations behind a connection.
type transport func(t *testing.T, conn *grpc.ClientConn) lro.Service

func overGRPC(_ *testing.T, conn *grpc.ClientConn) lro.Service {
	return longrunningpb.NewOperationsClient(conn)
}

// overHTTP has grpc-gateway before them.
func overHTTP(t *testing.T, conn *grpc.ClientConn) lro.Service {
	t.Helper()
	mux := runtime.NewServeMux()
	if err := gateway.RegisterOperationsHandler(t.Context(), mux, conn); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	client, err := lrohttp.NewClient(srv.URL, lrohttp.WithHTTPClient(srv.Client()))
	if err != nil {
		t.Fatal(err)
	}
	return client
}
