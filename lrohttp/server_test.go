package lrohttp_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/internal/transporttest"
	"github.com/go-lro/lro/lrohttp"
)

// TestRealServers goes through sockets, muxes, HTTP/1.1, HTTP/2 and TLS.
func TestRealServers(t *testing.T) {
	t.Parallel()
	var tlsSeen, overHTTP2 bool
	srv := funcs{
		get: func(ctx context.Context, req *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error) {
			p, _ := peer.FromContext(ctx)
			info, ok := p.AuthInfo.(credentials.TLSInfo)
			tlsSeen, overHTTP2 = ok, info.State.NegotiatedProtocol == "h2"
			return &longrunningpb.Operation{Name: req.GetName(), Done: true, Result: &longrunningpb.Operation_Response{Response: pack(t, wrapperspb.String(req.GetName()))}}, nil
		},
		wait: func(ctx context.Context, req *longrunningpb.WaitOperationRequest) (*longrunningpb.Operation, error) {
			return &longrunningpb.Operation{Name: req.GetName()}, nil
		},
	}
	handler := newHandler(t, srv)
	mux := http.NewServeMux()
	mux.Handle("/v1/", handler)
	mux.Handle("/api/", http.StripPrefix("/api", handler))
	for name, tt := range map[string]struct {
		start     func(*httptest.Server)
		path      string
		tls, http bool // the service sees TLS, and HTTP/2
	}{
		"HTTP/1.1":    {func(s *httptest.Server) { s.Start() }, "", false, false},
		"StripPrefix": {func(s *httptest.Server) { s.Start() }, "/api", false, false},
		"TLS":         {func(s *httptest.Server) { s.StartTLS() }, "", true, false},
		"HTTP/2":      {func(s *httptest.Server) { s.EnableHTTP2 = true; s.StartTLS() }, "", true, true},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewUnstartedServer(mux)
			tt.start(server)
			defer server.Close()
			service, err := lrohttp.NewClient(server.URL+tt.path, lrohttp.WithHTTPClient(server.Client()))
			if err != nil {
				t.Fatal(err)
			}
			client := lro.NewClient(service)
			for _, name := range []string{"operations/x", "operations/a/b+c==", "operations/a//b/", "p/operations/a%2Fb c?d", "p/operations/x:wait", "operations/ü"} {
				op, err := lro.Method[*wrapperspb.StringValue, *wrapperspb.StringValue]{}.Resume(client, name)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := op.Wait(t.Context()); err != nil || got.GetValue() != name {
					t.Errorf("Wait for %q = %v, %v", name, got, err)
				}
				if tlsSeen != tt.tls || overHTTP2 != tt.http {
					t.Errorf("service saw TLS %t, HTTP/2 %t, want %t, %t", tlsSeen, overHTTP2, tt.tls, tt.http)
				}
				if _, err := service.WaitOperation(t.Context(), &longrunningpb.WaitOperationRequest{Name: name, Timeout: durationpb.New(time.Second)}); err != nil {
					t.Errorf("WaitOperation of %q: %v", name, err)
				}
			}
		})
	}
}

// TestRealFailures meets what a network does.
func TestRealFailures(t *testing.T) {
	t.Parallel()
	hung := make(chan struct{})
	callerCtx, giveUp := context.WithCancel(t.Context())
	defer giveUp()
	srv := funcs{get: func(ctx context.Context, req *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error) {
		giveUp()
		<-ctx.Done()
		close(hung)
		return nil, context.Cause(ctx)
	}}
	server := httptest.NewServer(newHandler(t, srv))
	defer server.Close()
	service, err := lrohttp.NewClient(server.URL, lrohttp.WithHTTPClient(server.Client()))
	if err != nil {
		t.Fatal(err)
	}
	if err := send(callerCtx, service, getRequest); status.Code(err) != codes.Canceled || !errors.Is(err, context.Canceled) {
		t.Errorf("call that is given up: got %v, want CANCELLED", err)
	}
	<-hung // a client that goes away ends the service's ctx

	server.CloseClientConnections()
	server.Close()
	if err := send(t.Context(), service, getRequest); status.Code(err) != codes.Unavailable {
		t.Errorf("call of a server that is gone: got %v, want UNAVAILABLE", err)
	}

	secure := httptest.NewUnstartedServer(newHandler(t, srv))
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	transport := &http.Transport{TLSClientConfig: &tls.Config{}}
	defer transport.CloseIdleConnections()
	strangers, err := lrohttp.NewClient(secure.URL, lrohttp.WithHTTPClient(&http.Client{Transport: transport}))
	if err != nil {
		t.Fatal(err)
	}
	_, certErr := errors.AsType[*tls.CertificateVerificationError](send(t.Context(), strangers, getRequest))
	if err := send(t.Context(), strangers, getRequest); status.Code(err) != codes.Unavailable || !certErr {
		t.Errorf("call of a server with an untrusted certificate: got %v, want UNAVAILABLE, as over gRPC", err)
	}
}

// TestBrokenServers speaks to servers that do not keep to HTTP.
func TestBrokenServers(t *testing.T) {
	t.Parallel()
	for name, says := range map[string]string{
		"nothing":       "",
		"nonsense":      "hello\r\n\r\n",
		"half a header": "HTTP/1.1 200 OK\r\nContent-Le",
		"half a body":   "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"name\":\"x\"",
		"bad chunk":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				for {
					conn, err := listener.Accept()
					if err != nil {
						return
					}
					_, _ = conn.Read(make([]byte, 1<<16))
					_, _ = conn.Write([]byte(says))
					conn.Close()
				}
			}()
			defer func() {
				listener.Close()
				<-done
			}()
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			base := url.URL{Scheme: "http", Host: listener.Addr().String()}
			client, err := lrohttp.NewClient(base.String(), lrohttp.WithHTTPClient(&http.Client{Transport: transport}))
			if err != nil {
				t.Fatal(err)
			}
			if err := send(t.Context(), client, getRequest); status.Code(err) != codes.Unavailable {
				t.Errorf("got %v, want UNAVAILABLE", err)
			}
		})
	}
}

// TestSameAsGRPC shows that an answer is the same over both transports.
func TestSameAsGRPC(t *testing.T) {
	t.Parallel()
	var op *longrunningpb.Operation
	var fail error
	srv := funcs{get: func(context.Context, *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error) {
		return op, fail
	}}
	overHTTP, overGRPC := serve(t, srv, nil, nil), serveGRPC(t, srv)
	for _, op = range someOperations(t) {
		if proto.Size(op) == 0 {
			continue // {} is not believed to be an operation
		}
		want, err := overGRPC.GetOperation(t.Context(), getRequest)
		if err != nil {
			t.Fatalf("GetOperation of %v over gRPC: %v", op, err)
		}
		got, err := overHTTP.GetOperation(t.Context(), getRequest)
		if err != nil {
			t.Errorf("GetOperation of %v over HTTP: %v", op, err)
		}
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Errorf("GetOperation over gRPC and HTTP (-grpc +http):\n%s", diff)
		}
		if want.GetError() == nil {
			continue
		}
		fail = status.ErrorProto(want.GetError())
		if want.GetError().GetCode() > int32(codes.Unauthenticated) {
			fail = nil // JSON has names for the canonical codes only
		}
		_, grpcErr := overGRPC.GetOperation(t.Context(), getRequest)
		_, httpErr := overHTTP.GetOperation(t.Context(), getRequest)
		if !proto.Equal(status.Convert(grpcErr).Proto(), status.Convert(httpErr).Proto()) {
			t.Errorf("error over gRPC and HTTP: %v, %v", grpcErr, httpErr)
		}
		fail = nil
	}
}

func serveGRPC(t *testing.T, srv longrunningpb.OperationsServer) longrunningpb.OperationsClient {
	t.Helper()
	listener := transporttest.Listen(t)
	server := grpc.NewServer()
	longrunningpb.RegisterOperationsServer(server, srv)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		<-served
	})
	conn, err := grpc.NewClient("passthrough:///test", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.Dial(ctx, "", "") }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return longrunningpb.NewOperationsClient(conn)
}
