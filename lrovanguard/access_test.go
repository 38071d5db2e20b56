package lrovanguard_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/lroconnect"
	"github.com/go-lro/lro/lrovanguard"
	"github.com/go-lro/lro/server/guard"
)

// callerKey is where the tests' authentication puts the caller into ctx.
type callerKey struct{}

// authenticate admits who has the token.
func authenticate(ctx context.Context, _ string) (context.Context, error) {
	if got := metadata.ValueFromIncomingContext(ctx, "authorization"); len(got) != 1 || got[0] != "Bearer token" {
		return nil, withDetails(codes.Unauthenticated, "who are you?", pack(&errdetails.ErrorInfo{Reason: "NO_TOKEN", Domain: "library.example"}))
	}
	return context.WithValue(ctx, callerKey{}, "alice"), nil
}

// who answers with the caller's name.
type who struct {
	longrunningpb.UnimplementedOperationsServer
	t *testing.T
}

func (w who) GetOperation(ctx context.Context, req *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error) {
	name, _ := ctx.Value(callerKey{}).(string)
	if p, ok := peer.FromContext(ctx); !ok || p.Addr.String() == "" {
		w.t.Errorf("%s: no peer", req.GetName())
	}
	return &longrunningpb.Operation{Name: name}, nil
}

// everyProtocol calls GetOperation over each protocol of a handler.
func everyProtocol(t *testing.T, handler http.Handler, token string) map[string]error {
	t.Helper()
	listener := listen(t, handler)
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", token)
	get := &longrunningpb.GetOperationRequest{Name: "operations/x"}
	rest := httpClient(t, listener)
	errs := map[string]error{}
	for name, client := range map[string]lro.Service{
		"gRPC":         longrunningpb.NewOperationsClient(dialGRPC(t, listener)),
		"REST":         restClient(t, rest),
		"Connect":      lroconnect.NewClient(rest, "http://test"),
		"Connect JSON": lroconnect.NewClient(rest, "http://test", lroconnect.WithJSON()),
		"gRPCWeb":      lroconnect.NewClient(rest, "http://test", connect.WithGRPCWeb()),
	} {
		op, err := client.GetOperation(ctx, get)
		errs[name] = err
		if err == nil && op.GetName() != "alice" {
			t.Errorf("GetOperation over %s: the service saw the caller %q, want alice", name, op.GetName())
		}
	}
	return errs
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	server := grpc.NewServer()
	longrunningpb.RegisterOperationsServer(server, who{t: t})
	handler := newHandler(t, server, lrovanguard.Config{Authenticate: authenticate})
	for name, err := range everyProtocol(t, handler, "Bearer token") {
		if err != nil {
			t.Errorf("GetOperation over %s with a token: %v", name, err)
		}
	}
	for name, err := range everyProtocol(t, handler, "Bearer other") {
		info, _ := lro.Detail[*errdetails.ErrorInfo](err)
		if status.Code(err) != codes.Unauthenticated || info.GetReason() != "NO_TOKEN" {
			t.Errorf("GetOperation over %s without a token: got %v, want UNAUTHENTICATED with NO_TOKEN", name, err)
		}
	}
}

// TestInterceptors shows that a server which is guarded by its interceptors alone
// is so over each protocol, Operations over REST included.
func TestInterceptors(t *testing.T) {
	t.Parallel()
	server := grpc.NewServer(grpc.UnaryInterceptor(func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		ctx, err := authenticate(ctx, info.FullMethod)
		if err != nil {
			return nil, err
		}
		return next(ctx, req)
	}))
	longrunningpb.RegisterOperationsServer(server, who{t: t})
	handler := newHandler(t, server, lrovanguard.Config{})
	for name, err := range everyProtocol(t, handler, "Bearer token") {
		if err != nil {
			t.Errorf("GetOperation over %s with a token: %v", name, err)
		}
	}
	for name, err := range everyProtocol(t, handler, "") {
		info, _ := lro.Detail[*errdetails.ErrorInfo](err)
		if status.Code(err) != codes.Unauthenticated || info.GetReason() != "NO_TOKEN" {
			t.Errorf("GetOperation over %s without a token: got %v, want UNAUTHENTICATED with NO_TOKEN", name, err)
		}
	}
}

// TestTap shows why Config.Authenticate is needed: grpc-go does not call its
// InTapHandle here. If this fails, the documentation can become shorter.
func TestTap(t *testing.T) {
	t.Parallel()
	server := grpc.NewServer(guard.Authentication(authenticate))
	longrunningpb.RegisterOperationsServer(server, longrunningpb.UnimplementedOperationsServer{})
	for name, err := range everyProtocol(t, newHandler(t, server, lrovanguard.Config{}), "") {
		if status.Code(err) != codes.Unimplemented {
			t.Errorf("GetOperation over %s of a server with InTapHandle: got %v, want UNIMPLEMENTED", name, err)
		}
	}
}

// unread is a body that must not be read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

// TestAuthenticateComesFirst calls as a stranger: bodies are not looked at.
func TestAuthenticateComesFirst(t *testing.T) {
	t.Parallel()
	var methods []string
	handler := newHandler(t, newLibrary(), lrovanguard.Config{Authenticate: func(_ context.Context, method string) (context.Context, error) {
		methods = append(methods, method)
		return nil, status.Error(codes.PermissionDenied, "no")
	}})
	for _, tt := range []struct{ line, media, method string }{
		{"POST /v1/publishers/acme/books", "application/json", "CreateBook"},
		{"GET /v1/publishers/acme/books?nonsense=1", "application/json", "ListBooks"},
		{"POST /v1/publishers/acme/operations/x:cancel", "application/json", "CancelOperation"},
		{"POST /example.library.v1.Library/CreateBook", "application/json", "CreateBook"},
		{"POST /example.library.v1.Library/CreateBook", "application/proto", "CreateBook"},
		{"POST /example.library.v1.Library/CreateBook", "application/grpc-web+json", "CreateBook"},
		{"POST /example.library.v1.Library/CreateBook", "application/grpc", "CreateBook"},
	} {
		methods = nil
		verb, target, _ := strings.Cut(tt.line, " ")
		r := httptest.NewRequest(verb, target, unread{t})
		r.ProtoMajor, r.Proto = 2, "HTTP/2.0"
		r.Header.Set("Content-Type", tt.media)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		refused := w.Code == http.StatusForbidden || w.Header().Get("Grpc-Status") == "7" || strings.Contains(w.Body.String(), "Grpc-Status: 7")
		if !refused || len(methods) != 1 || !strings.HasSuffix(methods[0], "/"+tt.method) {
			t.Errorf("%s (%s) = %d %v %s, authenticated %q, want PERMISSION_DENIED", tt.line, tt.media, w.Code, w.Header(), w.Body, methods)
		}
	}
}
