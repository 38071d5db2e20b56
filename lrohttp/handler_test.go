package lrohttp_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/go-lro/lro/lrohttp"
)

func rootRule() *annotations.HttpRule {
	return &annotations.HttpRule{Pattern: &annotations.HttpRule_Get{Get: "/"}}
}

// errorOf returns what is in the body of an error; it fails the test for any
// other body.
func errorOf(t *testing.T, body []byte) (code int, name, message string, details []map[string]any) {
	t.Helper()
	var got struct {
		Error struct {
			Code    int
			Status  string
			Message string
			Details []map[string]any
		}
	}
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatalf("body %q is not JSON: %v", body, err)
	}
	return got.Error.Code, got.Error.Status, got.Error.Message, got.Error.Details
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	large := `{"name":"` + strings.Repeat("x", 5<<20) + `"}`
	tests := []struct {
		req      request
		httpCode int
		name     string
		reason   string
		message  string // part of it
		allow    string
	}{
		{request{"GET /", "", ""}, 404, "NOT_FOUND", "PATH_NOT_FOUND", `path "/"`, ""},
		{request{"GET /v2/operations/x", "", ""}, 404, "NOT_FOUND", "PATH_NOT_FOUND", "/v2/operations/x", ""},
		{request{"GET /v1/operations/", "", ""}, 404, "NOT_FOUND", "PATH_NOT_FOUND", "", ""},
		{request{"GET /v1/kinds", "", ""}, 404, "NOT_FOUND", "PATH_NOT_FOUND", "", ""},
		{request{"GET /v1/p/operations/a/b", "", ""}, 404, "NOT_FOUND", "PATH_NOT_FOUND", "", ""},
		{request{"POST /v1/operations/x", "", ""}, 405, "UNIMPLEMENTED", "HTTP_METHOD_NOT_ALLOWED", "POST", "DELETE, GET"},
		{request{"PUT /v1/operations/x:cancel", "", ""}, 405, "UNIMPLEMENTED", "HTTP_METHOD_NOT_ALLOWED", "PUT", "DELETE, GET, POST"},
		{request{"OPTIONS /v1/operations", "", ""}, 405, "UNIMPLEMENTED", "HTTP_METHOD_NOT_ALLOWED", "OPTIONS", "GET"},
		{request{"GET /v1/operations?pageSize=x", "", ""}, 400, "INVALID_ARGUMENT", "INVALID_QUERY", `pageSize: "x"`, ""},
		{request{"GET /v1/operations?pageSize=3000000000", "", ""}, 400, "INVALID_ARGUMENT", "INVALID_QUERY", "32 bits", ""},
		{request{"GET /v1/operations?pageSize=1&page_size=2", "", ""}, 400, "INVALID_ARGUMENT", "INVALID_QUERY", "contradicts", ""},
		{request{"GET /v1/operations?returnPartialSuccess=perhaps", "", ""}, 400, "INVALID_ARGUMENT", "INVALID_QUERY", "true or false", ""},
		{request{"GET /v1/operations?filter=%ff", "", ""}, 400, "INVALID_ARGUMENT", "INVALID_QUERY", "UTF-8", ""},
		{request{"GET /v1/operations?filter=%zz", "", ""}, 400, "INVALID_ARGUMENT", "INVALID_QUERY", "query", ""},
		{request{"GET /v1/operations?filter=a;b", "", ""}, 400, "INVALID_ARGUMENT", "INVALID_QUERY", "semicolon", ""},
		{request{"GET /v1/operations/%ff", "", ""}, 400, "INVALID_ARGUMENT", "INVALID_PATH", "UTF-8", ""},
		{request{"POST /v1/operations/x:wait?timeout=soon", "", ""}, 400, "INVALID_ARGUMENT", "INVALID_QUERY", "duration", ""},
		{request{"POST /v1/operations/x:wait", jsonType, `{"timeout":5}`}, 400, "INVALID_ARGUMENT", "INVALID_BODY", "body:", ""},
		{request{"POST /v1/operations/x:wait", jsonType, `{"timeout`}, 400, "INVALID_ARGUMENT", "INVALID_BODY", "", ""},
		{request{"POST /v1/operations/x:cancel", jsonType, `[]`}, 400, "INVALID_ARGUMENT", "INVALID_BODY", "", ""},
		{request{"POST /v1/operations/x:cancel", jsonType, `null`}, 400, "INVALID_ARGUMENT", "INVALID_BODY", "", ""},
		{request{"POST /v1/operations/x:cancel", "text/plain", `{}`}, 415, "INVALID_ARGUMENT", "NOT_JSON", "text/plain", ""},
		{request{"POST /v1/operations/x:cancel", jsonType, large}, 413, "INVALID_ARGUMENT", "BODY_TOO_LARGE", "4194304", ""},
	}
	for _, tt := range tests {
		t.Run(tt.req.line, func(t *testing.T) {
			t.Parallel()
			srv := &recorder{}
			w := tt.req.to(newHandler(t, srv, lrohttp.WithErrorDomain("library.example")))
			code, name, message, details := errorOf(t, w.Body.Bytes())
			if w.Code != tt.httpCode || code != tt.httpCode || name != tt.name || !strings.Contains(message, tt.message) {
				t.Errorf("%s: got %d %s, want %d %s with %q", tt.req.line, w.Code, w.Body, tt.httpCode, tt.name, tt.message)
			}
			if got := w.Header().Get("Allow"); got != tt.allow {
				t.Errorf("%s: Allow is %q, want %q", tt.req.line, got, tt.allow)
			}
			if len(details) != 1 || details[0]["reason"] != tt.reason || details[0]["domain"] != "library.example" {
				t.Errorf("%s: details are %v, want one ErrorInfo with reason %s", tt.req.line, details, tt.reason)
			}
			if got := w.Header().Get("Content-Type"); !strings.HasPrefix(got, jsonType) {
				t.Errorf("%s: Content-Type is %q", tt.req.line, got)
			}
			if srv.got != nil {
				t.Errorf("%s: the service was called with %v", tt.req.line, srv.got)
			}
		})
	}
}

// funcs is a service of functions.
type funcs struct {
	longrunningpb.UnimplementedOperationsServer
	get  func(context.Context, *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error)
	wait func(context.Context, *longrunningpb.WaitOperationRequest) (*longrunningpb.Operation, error)
}

func (f funcs) GetOperation(ctx context.Context, req *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error) {
	return f.get(ctx, req)
}

func (f funcs) WaitOperation(ctx context.Context, req *longrunningpb.WaitOperationRequest) (*longrunningpb.Operation, error) {
	return f.wait(ctx, req)
}

func failing(err error) funcs {
	return funcs{get: func(context.Context, *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error) {
		return nil, err
	}}
}

func fixed(op *longrunningpb.Operation) func(context.Context, *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error) {
	return func(context.Context, *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error) {
		return op, nil
	}
}

var getX = request{line: "GET /v1/operations/x"}

func TestErrorsOfTheService(t *testing.T) {
	t.Parallel()
	tests := []struct {
		err      error
		httpCode int
		name     string
		message  string
	}{
		{status.Error(codes.Canceled, "m"), 499, "CANCELLED", "m"},
		{status.Error(codes.Unknown, "m"), 500, "UNKNOWN", "m"},
		{status.Error(codes.InvalidArgument, "m"), 400, "INVALID_ARGUMENT", "m"},
		{status.Error(codes.DeadlineExceeded, "m"), 504, "DEADLINE_EXCEEDED", "m"},
		{status.Error(codes.NotFound, "m"), 404, "NOT_FOUND", "m"},
		{status.Error(codes.AlreadyExists, "m"), 409, "ALREADY_EXISTS", "m"},
		{status.Error(codes.PermissionDenied, "m"), 403, "PERMISSION_DENIED", "m"},
		{status.Error(codes.ResourceExhausted, "m"), 429, "RESOURCE_EXHAUSTED", "m"},
		{status.Error(codes.FailedPrecondition, "m"), 400, "FAILED_PRECONDITION", "m"},
		{status.Error(codes.Aborted, "m"), 409, "ABORTED", "m"},
		{status.Error(codes.OutOfRange, "m"), 400, "OUT_OF_RANGE", "m"},
		{status.Error(codes.Unimplemented, "m"), 501, "UNIMPLEMENTED", "m"},
		{status.Error(codes.Internal, "m"), 500, "INTERNAL", "m"},
		{status.Error(codes.Unavailable, "m"), 503, "UNAVAILABLE", "m"},
		{status.Error(codes.DataLoss, "m"), 500, "DATA_LOSS", "m"},
		{status.Error(codes.Unauthenticated, "m"), 401, "UNAUTHENTICATED", "m"},
		{status.Error(99, "m"), 500, "UNKNOWN", "m"},
		{errors.New("plain"), 500, "UNKNOWN", "plain"},
		{okError{}, 500, "UNKNOWN", "not ok"},
		{context.DeadlineExceeded, 504, "DEADLINE_EXCEEDED", "context deadline exceeded"},
		{context.Canceled, 499, "CANCELLED", "context canceled"},
	}
	for _, tt := range tests {
		w := getX.to(newHandler(t, failing(tt.err)))
		code, name, message, _ := errorOf(t, w.Body.Bytes())
		if w.Code != tt.httpCode || code != tt.httpCode || name != tt.name || message != tt.message {
			t.Errorf("%v: got %d %s, want %d %s %q", tt.err, w.Code, w.Body, tt.httpCode, tt.name, tt.message)
		}
	}
	silent := funcs{get: func(context.Context, *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error) {
		return nil, nil
	}}
	if w := getX.to(newHandler(t, silent)); w.Code != http.StatusInternalServerError {
		t.Errorf("a service that returns nothing: got %d %s, want 500", w.Code, w.Body)
	}
}

// okError claims to be no error.
type okError struct{}

func (okError) Error() string              { return "not ok" }
func (okError) GRPCStatus() *status.Status { return status.New(codes.OK, "") }

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for delay, want := range map[time.Duration]string{0: "0", 1: "1", time.Second: "1", 1500 * time.Millisecond: "2", -1: "", time.Hour: "3600"} {
		st, err := status.New(codes.Unavailable, "later").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(delay)})
		if err != nil {
			t.Fatal(err)
		}
		w := getX.to(newHandler(t, failing(st.Err())))
		if got := w.Header().Get("Retry-After"); got != want {
			t.Errorf("RetryInfo of %v: Retry-After is %q, want %q", delay, got, want)
		}
	}
}

// TestContext shows that a service sees of HTTP what it would see of gRPC.
func TestContext(t *testing.T) {
	t.Parallel()
	srv := funcs{get: func(ctx context.Context, req *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error) {
		md, _ := metadata.FromIncomingContext(ctx)
		for key, want := range map[string][]string{
			"authorization": {"Bearer x"}, "x-twice": {"1", "2"}, "x-data-bin": {"\x00\xff"}, ":authority": {"library.example"},
			"content-type": nil, "grpc-timeout": nil, "connection": nil, "x-bad-bin": nil,
		} {
			if diff := cmp.Diff(want, md[key]); diff != "" {
				t.Errorf("metadata %q (-want +got):\n%s", key, diff)
			}
		}
		if p, ok := peer.FromContext(ctx); !ok || p.Addr.String() != "192.0.2.1:1234" {
			t.Errorf("peer is %v, %t, want 192.0.2.1:1234", p, ok)
		}
		if method, _ := grpc.Method(ctx); method != "/google.longrunning.Operations/GetOperation" {
			t.Errorf("method is %q", method)
		}
		if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > 90*time.Second {
			t.Errorf("deadline is %v, %t, want one in 90s", deadline, ok)
		}
		for _, err := range []error{
			grpc.SetHeader(ctx, metadata.Pairs("x-set", "a", "content-length", "7", "x-odd", "a\nb")),
			grpc.SendHeader(ctx, metadata.Pairs("x-sent", "b")),
			grpc.SetTrailer(ctx, metadata.Pairs("x-trailer-bin", "\x00")),
		} {
			if err != nil {
				t.Errorf("set headers: %v", err)
			}
		}
		return &longrunningpb.Operation{Name: req.GetName()}, nil
	}}
	req := getX.request()
	req.Host, req.RemoteAddr = "library.example", "192.0.2.1:1234"
	req.Header = http.Header{
		"Authorization": {"Bearer x"}, "X-Twice": {"1", "2"}, "X-Data-Bin": {"AP8"}, "X-Bad-Bin": {"?"},
		"Grpc-Timeout": {"1S"}, "Connection": {"close"}, "X-Server-Timeout": {"90"}, "Content-Type": {jsonType},
	}
	w := serveOne(newHandler(t, srv), req)
	if w.Code != http.StatusOK {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
	for key, want := range map[string]string{"X-Set": "a", "X-Sent": "b", "X-Trailer-Bin": "AA", "X-Odd": "", "Cache-Control": "no-store"} {
		if got := w.Header().Get(key); got != want {
			t.Errorf("header %q is %q, want %q", key, got, want)
		}
	}
	if got := w.Result().ContentLength; got != int64(w.Body.Len()) {
		t.Errorf("Content-Length is %d for a body of %d bytes", got, w.Body.Len())
	}
}

func TestDeadlineHeader(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{"": false, "x": false, "-1": false, "0": false, "NaN": false, "Inf": false, "1e300": false, "0.5": true} {
		srv := funcs{get: func(ctx context.Context, _ *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error) {
			if _, ok := ctx.Deadline(); ok != want {
				t.Errorf("X-Server-Timeout %q: deadline %t, want %t", value, ok, want)
			}
			return &longrunningpb.Operation{}, nil
		}}
		req := getX.request()
		req.Header.Set("X-Server-Timeout", value)
		serveOne(newHandler(t, srv), req)
	}
}

func TestInterceptors(t *testing.T) {
	t.Parallel()
	var order []string
	note := func(name string) grpc.UnaryServerInterceptor {
		return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			order = append(order, name+" "+info.FullMethod)
			if md, _ := metadata.FromIncomingContext(ctx); name == "b" && len(md["authorization"]) == 0 {
				return nil, status.Error(codes.Unauthenticated, "who are you?")
			}
			return next(ctx, req)
		}
	}
	srv := &recorder{}
	h := newHandler(t, srv, lrohttp.WithInterceptors(note("a"), note("b")), lrohttp.WithInterceptors(note("c")))
	if w := getX.to(h); w.Code != http.StatusUnauthorized || srv.got != nil {
		t.Errorf("without authorization: got %d %s, want 401", w.Code, w.Body)
	}
	req := getX.request()
	req.Header.Set("Authorization", "x")
	if w := serveOne(h, req); w.Code != http.StatusOK || srv.got == nil {
		t.Errorf("with authorization: got %d %s, want 200", w.Code, w.Body)
	}
	const m = " /google.longrunning.Operations/GetOperation"
	if diff := cmp.Diff([]string{"a" + m, "b" + m, "a" + m, "b" + m, "c" + m}, order); diff != "" {
		t.Errorf("interceptors called (-want +got):\n%s", diff)
	}
}

func TestNewHandlerFails(t *testing.T) {
	t.Parallel()
	if h, err := lrohttp.NewHandler(nil); err == nil {
		t.Errorf("NewHandler(nil) = %v, want an error", h)
	}
	get := "google.longrunning.Operations.GetOperation"
	for name, opt := range map[string]lrohttp.HandlerOption{
		"limit":         lrohttp.WithMaxBody(0),
		"resolver":      lrohttp.WithResolver(nil),
		"prefix":        lrohttp.WithPrefix("v1/"),
		"verb":          lrohttp.WithPrefix("v1:x"),
		"wildcard":      lrohttp.WithPrefix("*"),
		"method":        lrohttp.WithRules(&annotations.HttpRule{Selector: "google.longrunning.Operations.Get"}),
		"no path":       lrohttp.WithRules(&annotations.HttpRule{Selector: get}),
		"template":      lrohttp.WithRules(&annotations.HttpRule{Selector: get, Pattern: &annotations.HttpRule_Get{Get: "v1"}}),
		"field":         lrohttp.WithRules(&annotations.HttpRule{Selector: get, Pattern: &annotations.HttpRule_Get{Get: "/{nam}"}}),
		"body":          lrohttp.WithRules(&annotations.HttpRule{Selector: get, Pattern: &annotations.HttpRule_Get{Get: "/{name}"}, Body: "name"}),
		"response body": lrohttp.WithRules(&annotations.HttpRule{Selector: get, Pattern: &annotations.HttpRule_Get{Get: "/{name}"}, ResponseBody: "done"}),
		"any verb": lrohttp.WithRules(&annotations.HttpRule{Selector: get, Pattern: &annotations.HttpRule_Custom{
			Custom: &annotations.CustomHttpPattern{Kind: "*", Path: "/{name}"}}}),
	} {
		if _, err := lrohttp.NewHandler(&recorder{}, opt); err == nil {
			t.Errorf("NewHandler with a bad %s: want an error", name)
		}
	}
	if _, err := lrohttp.NewHandler(&recorder{}, lrohttp.WithRules(&annotations.HttpRule{Selector: "google.cloud.location.Locations.GetLocation"})); err != nil {
		t.Errorf("NewHandler with a rule for another service: %v", err)
	}
}
