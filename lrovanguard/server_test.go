package lrovanguard_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"connectrpc.com/connect"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/examples/library/librarypb"
	"github.com/go-lro/lro/examples/library/librarypb/librarypbserver"
	"github.com/go-lro/lro/internal/transporttest"
	"github.com/go-lro/lro/lroconnect"
	"github.com/go-lro/lro/lrovanguard"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/servertest"
)

// exporter is a LibraryHandler whose exports take an hour.
type exporter struct {
	librarypb.UnimplementedLibraryServer
}

func (exporter) ExportBooks(ctx context.Context, _ *server.Task[*librarypb.ExportBooksMetadata], req *librarypb.ExportBooksRequest) (*librarypb.ExportBooksResponse, error) {
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-time.After(time.Hour):
		return &librarypb.ExportBooksResponse{File: req.GetParent() + ".tar"}, nil
	}
}

// serveExporter serves generated code on a server of ours, Starter included.
func serveExporter(t *testing.T) *transporttest.Listener {
	t.Helper()
	srv := servertest.Run(t, librarypbserver.HandleLibrary(exporter{}, nil)...)
	grpcServer := grpc.NewServer()
	librarypbserver.RegisterLibrary(grpcServer, srv.Server(), exporter{}, nil)
	srv.Server().RegisterStarter(grpcServer)
	return listen(t, newHandler(t, grpcServer, lrovanguard.Config{}))
}

// post sends JSON and returns the operation in the answer.
func post(t *testing.T, client *http.Client, path, body string) *longrunningpb.Operation {
	t.Helper()
	answer, err := client.Post("http://test"+path, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var text bytes.Buffer
	if _, err := text.ReadFrom(answer.Body); err != nil {
		t.Fatal(err)
	}
	op := &longrunningpb.Operation{}
	if err := protojson.Unmarshal(text.Bytes(), op); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("POST %s = %d %s (%v)", path, answer.StatusCode, &text, err)
	}
	return op
}

// TestServer starts an operation of generated code over REST, Connect and by the
// Starter, and waits for it over each protocol of the same port.
func TestServer(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]struct{ path, body string }{
		"REST":    {"/v1/publishers/acme/books:export", `{}`},
		"Connect": {"/example.library.v1.Library/ExportBooks", `{"parent":"publishers/acme"}`},
		"Starter": {"/v1/publishers/acme/operations:start",
			`{"kind":"example.library.v1.Library.ExportBooks","request":{"@type":"type.googleapis.com/example.library.v1.ExportBooksRequest","parent":"publishers/acme"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				listener := serveExporter(t)
				client := httpClient(t, listener)
				op := post(t, client, start.path, start.body)
				if !strings.HasPrefix(op.GetName(), "publishers/acme/operations/") || op.GetDone() {
					t.Errorf("started %v, want an operation under publishers/acme that runs", op)
				}
				for protocol, service := range map[string]lro.Service{
					"gRPC":    longrunningpb.NewOperationsClient(dialGRPC(t, listener)),
					"REST":    restClient(t, client),
					"Connect": lroconnect.NewClient(client, "http://test", lroconnect.WithJSON()),
					"gRPCWeb": lroconnect.NewClient(client, "http://test", connect.WithGRPCWeb()),
				} {
					future, err := librarypb.Library_ExportBooks_Method.Resume(lro.NewClient(service), op.GetName())
					if err != nil {
						t.Fatal(err)
					}
					if got, err := future.Wait(t.Context()); err != nil || got.GetFile() != "publishers/acme.tar" {
						t.Errorf("Wait over %s = %v, %v", protocol, got, err)
					}
				}
				// curl's way.
				if op := post(t, client, "/v1/"+op.GetName()+":wait", ""); !op.GetDone() {
					t.Errorf("POST :wait = %v, want done", op)
				}
			})
		})
	}
}

// TestWaitEnds shows that a long poll over REST ends with its caller.
func TestWaitEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		listener := serveExporter(t)
		client := httpClient(t, listener)
		op := post(t, client, "/v1/publishers/acme/books:export", `{}`)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begin := time.Now()
		got, err := restClient(t, client).WaitOperation(ctx, &longrunningpb.WaitOperationRequest{Name: op.GetName()})
		if took := time.Since(begin); took > time.Minute || err != nil && status.Code(err) != codes.DeadlineExceeded || got.GetDone() {
			t.Errorf("WaitOperation with a deadline in a minute = %v, %v after %v", got, err, took)
		}
	})
}

// TestStream shows that streams pass over gRPC, gRPC-Web and Connect.
func TestStream(t *testing.T) {
	t.Parallel()
	server := grpc.NewServer()
	healthpb.RegisterHealthServer(server, health.NewServer())
	listener := listen(t, newHandler(t, server, lrovanguard.Config{}))

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream, err := healthpb.NewHealthClient(dialGRPC(t, listener)).Watch(ctx, &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := stream.Recv(); err != nil || got.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("Watch over gRPC = %v, %v, want SERVING", got, err)
	}
	for name, opts := range map[string][]connect.ClientOption{"Connect": nil, "gRPCWeb": {connect.WithGRPCWeb()}} {
		client := connect.NewClient[healthpb.HealthCheckRequest, healthpb.HealthCheckResponse](httpClient(t, listener), "http://test"+healthpb.Health_Watch_FullMethodName, opts...)
		stream, err := client.CallServerStream(ctx, connect.NewRequest(&healthpb.HealthCheckRequest{}))
		if err != nil {
			t.Fatal(err)
		}
		if !stream.Receive() || stream.Msg().GetStatus() != healthpb.HealthCheckResponse_SERVING {
			t.Errorf("Watch over %s = %v, %v, want SERVING", name, stream.Msg(), stream.Err())
		}
		cancel()
		stream.Close()
		ctx, cancel = context.WithCancel(t.Context())
		defer cancel()
	}
}

// TestConnectErrors shows the errors of JSON over Connect.
func TestConnectErrors(t *testing.T) {
	t.Parallel()
	handler := newHandler(t, newLibrary(), lrovanguard.Config{MaxMessage: 1000})
	for body, want := range map[string]string{
		`{"parent":"publishers/none"}`:           "not_found",
		`{"parnt":"publishers/none"}`:            "invalid_argument",
		`{"parent":`:                             "invalid_argument",
		`{"parent":` + strings.Repeat(" ", 2000): "resource_exhausted",
	} {
		w := request{line: "POST /example.library.v1.Library/ListBooks", body: body}.send(handler)
		var got struct{ Code string }
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.Code != want {
			t.Errorf("ListBooks(%.30s) over Connect = %d %s, want %s", body, w.Code, w.Body, want)
		}
	}
	w := request{line: "POST /example.library.v1.Library/Nothing", body: "{}"}.send(handler)
	if w.Code != http.StatusNotFound {
		t.Errorf("a method that does not exist over Connect = %d %s, want 404", w.Code, w.Body)
	}
}
