package lrogax

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	lroauto "cloud.google.com/go/longrunning/autogen"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/api/option"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/internal/transporttest"
)

const routingHeader = "x-goog-request-params"

// Strings is the method most tests use.
var Strings = lro.Method[*wrapperspb.StringValue, *wrapperspb.StringValue]{Name: "test.Strings"}

const testName = "operations/test"

func running(progress string) *longrunningpb.Operation {
	return &longrunningpb.Operation{Name: testName, Metadata: anyOf(wrapperspb.String(progress))}
}

func succeeded(response string) *longrunningpb.Operation {
	return &longrunningpb.Operation{
		Name: testName, Done: true,
		Result: &longrunningpb.Operation_Response{Response: anyOf(wrapperspb.String(response))},
	}
}

func retryIn(d time.Duration) *errdetails.RetryInfo {
	return &errdetails.RetryInfo{RetryDelay: durationpb.New(d)}
}

func anyOf(m proto.Message) *anypb.Any {
	a, err := anypb.New(m)
	if err != nil {
		panic(err)
	}
	return a
}

// grpcRequest is what a server got.
type grpcRequest struct {
	method   string
	message  proto.Message
	header   metadata.MD
	deadline bool
}

// operations is a gRPC server that answers by functions; without one for a
// method it does not implement it.
type operations struct {
	longrunningpb.UnimplementedOperationsServer
	get  func(ctx context.Context, n int) (*longrunningpb.Operation, error)
	wait func(ctx context.Context, n int) (*longrunningpb.Operation, error)
	list func(req *longrunningpb.ListOperationsRequest) (*longrunningpb.ListOperationsResponse, error)

	mu       sync.Mutex
	requests []grpcRequest
}

func (o *operations) add(ctx context.Context, method string, message proto.Message) (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	md, _ := metadata.FromIncomingContext(ctx)
	_, deadline := ctx.Deadline()
	o.requests = append(o.requests, grpcRequest{method, message, md, deadline})
	for _, r := range o.requests {
		if r.method == method {
			n++
		}
	}
	return n
}

// methods returns the methods that were called.
func (o *operations) methods() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []string
	for _, r := range o.requests {
		all = append(all, r.method)
	}
	return all
}

func (o *operations) GetOperation(ctx context.Context, req *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error) {
	n := o.add(ctx, "GetOperation", req)
	if o.get == nil {
		return o.UnimplementedOperationsServer.GetOperation(ctx, req)
	}
	return o.get(ctx, n)
}

func (o *operations) WaitOperation(ctx context.Context, req *longrunningpb.WaitOperationRequest) (*longrunningpb.Operation, error) {
	n := o.add(ctx, "WaitOperation", req)
	if o.wait == nil {
		return o.UnimplementedOperationsServer.WaitOperation(ctx, req)
	}
	return o.wait(ctx, n)
}

func (o *operations) CancelOperation(ctx context.Context, req *longrunningpb.CancelOperationRequest) (*emptypb.Empty, error) {
	o.add(ctx, "CancelOperation", req)
	return &emptypb.Empty{}, nil
}

func (o *operations) DeleteOperation(ctx context.Context, req *longrunningpb.DeleteOperationRequest) (*emptypb.Empty, error) {
	o.add(ctx, "DeleteOperation", req)
	return &emptypb.Empty{}, nil
}

func (o *operations) ListOperations(ctx context.Context, req *longrunningpb.ListOperationsRequest) (*longrunningpb.ListOperationsResponse, error) {
	o.add(ctx, "ListOperations", req)
	if o.list == nil {
		return nil, status.Error(codes.Unavailable, "down")
	}
	return o.list(req)
}

// serve serves o; see serveGRPC.
func (o *operations) serve(t *testing.T) *lroauto.OperationsClient {
	t.Helper()
	return serveGRPC(t, o)
}

// serveGRPC serves srv in memory until the test ends and returns a generated
// client of it.
func serveGRPC(t *testing.T, srv longrunningpb.OperationsServer) *lroauto.OperationsClient {
	t.Helper()
	listener := transporttest.Listen(t)
	server := grpc.NewServer()
	longrunningpb.RegisterOperationsServer(server, srv)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	conn, err := grpc.NewClient("passthrough:///test",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.Dial(ctx, "", "") }))
	if err != nil {
		t.Fatal(err)
	}
	client, err := lroauto.NewOperationsClient(t.Context(), option.WithGRPCConn(conn))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// requestLog records what an HTTP server is asked.
type requestLog struct {
	mu       sync.Mutex
	requests []*http.Request
}

func (l *requestLog) add(r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests = append(l.requests, r.Clone(context.Background()))
}

// lines returns method and URI of each request.
func (l *requestLog) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []string
	for _, r := range l.requests {
		all = append(all, r.Method+" "+r.RequestURI)
	}
	return all
}

// serveREST serves handler on the loopback interface until the test ends, and
// returns a generated REST client of it, and what it is asked.
func serveREST(t *testing.T, handler http.HandlerFunc) (*lroauto.OperationsClient, *requestLog) {
	t.Helper()
	log := &requestLog{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		log.add(r)
		handler(w, r)
	}))
	t.Cleanup(server.Close)
	client, err := lroauto.NewOperationsRESTClient(t.Context(), option.WithEndpoint(server.URL), option.WithHTTPClient(server.Client()))
	if err != nil {
		t.Fatal(err)
	}
	return client, log
}
