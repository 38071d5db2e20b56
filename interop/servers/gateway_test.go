package servers

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"

	"github.com/go-lro/lro/lrohttp"
)

// behindGateway is the code of docs/http.md.
func behindGateway(rest http.Handler) http.Handler {
	mux := http.NewServeMux()
	gateway := runtime.NewServeMux(runtime.WithErrorHandler(
		func(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, _ *http.Request, err error) {
			lrohttp.WriteError(w, err)
		}))
	mux.Handle("/v1/", gateway)
	mux.Handle("/v1/publishers/{publisher}/operations", rest)
	mux.Handle("/v1/publishers/{publisher}/operations/", rest)
	return mux
}

// TestBehindGateway shows that operations are served beside a gateway, and that
// its errors are those of AIP-193.
func TestBehindGateway(t *testing.T) {
	t.Parallel()
	rest, err := lrohttp.NewHandler(longrunningpb.UnimplementedOperationsServer{})
	if err != nil {
		t.Fatal(err)
	}
	handler := behindGateway(rest)
	for path, want := range map[string]string{
		"/v1/nothing":                      "NOT_FOUND", // of the gateway
		"/v1/publishers/acme/operations":   "UNIMPLEMENTED",
		"/v1/publishers/acme/operations/x": "UNIMPLEMENTED",
	} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		var body struct {
			Error struct {
				Code   int
				Status string
			}
		}
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || body.Error.Code != w.Code || body.Error.Status != want {
			t.Errorf("GET %s = %d %s, want an error %s", path, w.Code, w.Body, want)
		}
	}
}
