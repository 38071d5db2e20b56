package docs_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"connectrpc.com/connect"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/examples/library/librarypb"
	"github.com/go-lro/lro/lroconnect"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/servertest"
)

// connectLibrary is the service of http.md.
type connectLibrary struct{ operations *server.Server }

func (l *connectLibrary) ExportBooks(ctx context.Context, req *connect.Request[librarypb.ExportBooksRequest]) (*connect.Response[longrunningpb.Operation], error) {
	op, err := Export.Start(ctx, l.operations, req.Msg, &server.StartOptions{RequestID: req.Msg.GetRequestId()})
	if err != nil {
		return nil, lroconnect.Error(err)
	}
	return connect.NewResponse(op), nil
}

// callers is the client of http.md.
func callers() *lro.Client {
	client := lro.NewClient(lroconnect.NewClient(http.DefaultClient, "https://library.example"))
	return client
}

// direct sends requests to a handler.
type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Result(), nil
}

// TestConnect starts and waits as http.md does.
func TestConnect(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		if callers() == nil {
			t.Error("callers() = nil")
		}
		srv := servertest.Run(t, Export.Handle(export))
		library := &connectLibrary{srv.Server()}
		mux := http.NewServeMux()
		mux.Handle(lroconnect.NewHandler(srv.Server().Operations()))
		mux.Handle(librarypb.Library_ExportBooks_FullMethodName, connect.NewUnaryHandler(librarypb.Library_ExportBooks_FullMethodName, library.ExportBooks))
		web := &http.Client{Transport: direct{mux}}

		start := connect.NewClient[librarypb.ExportBooksRequest, longrunningpb.Operation](web, "http://test"+librarypb.Library_ExportBooks_FullMethodName)
		started, err := start.CallUnary(t.Context(), connect.NewRequest(&librarypb.ExportBooksRequest{Parent: "publishers/acme"}))
		if err != nil {
			t.Fatal(err)
		}
		op, err := lro.Any().Wrap(lro.NewClient(lroconnect.NewClient(web, "http://test")), started.Msg)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := op.Wait(t.Context()); err != nil {
			t.Errorf("Wait: %v", err)
		}
		_, err = start.CallUnary(t.Context(), connect.NewRequest(&librarypb.ExportBooksRequest{}))
		if connect.CodeOf(err) != connect.CodeInvalidArgument {
			t.Errorf("ExportBooks without a parent: got %v, want invalid_argument", err)
		}
	})
}
