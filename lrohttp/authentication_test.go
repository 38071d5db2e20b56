package lrohttp_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro/lrohttp"
	"github.com/go-lro/lro/lropb"
)

// unread is a body that must not be read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

// starts is a Starter that keeps the last request.
type starts struct {
	lropb.UnimplementedStarterServer
	got *lropb.StartOperationRequest
}

func (s *starts) StartOperation(_ context.Context, req *lropb.StartOperationRequest) (*longrunningpb.Operation, error) {
	s.got = req
	return &longrunningpb.Operation{Name: "operations/x"}, nil
}

// TestAuthenticationComesFirst calls each method as a stranger: neither the body
// nor the query is looked at, interceptors and the service are not called.
func TestAuthenticationComesFirst(t *testing.T) {
	t.Parallel()
	intercepted := func(context.Context, any, *grpc.UnaryServerInfo, grpc.UnaryHandler) (any, error) {
		t.Error("an interceptor was called")
		return nil, nil
	}
	methods := map[string]string{
		"GET /v1/operations/x":           "/google.longrunning.Operations/GetOperation",
		"GET /v1/operations?pageSize=x":  "/google.longrunning.Operations/ListOperations",
		"DELETE /v1/operations/x":        "/google.longrunning.Operations/DeleteOperation",
		"POST /v1/operations/x:cancel":   "/google.longrunning.Operations/CancelOperation",
		"POST /v1/operations/x:wait":     "/google.longrunning.Operations/WaitOperation",
		"POST /v1/operations:start":      "/lro.v1.Starter/StartOperation",
		"GET /v1/kinds?nonsense=1&also=": "/lro.v1.Starter/ListKinds",
	}
	for line, method := range methods {
		var asked string
		h := newHandler(t, &recorder{}, lrohttp.WithStarter(&starts{}), lrohttp.WithInterceptors(intercepted), lrohttp.WithErrorDomain("library.example"),
			lrohttp.WithAuthentication(func(ctx context.Context, method string) (context.Context, error) {
				asked = method
				if got := metadata.ValueFromIncomingContext(ctx, "authorization"); len(got) != 1 || got[0] != "Bearer nonsense" {
					t.Errorf("%s: authorization is %q", line, got)
				}
				if p, ok := peer.FromContext(ctx); !ok || p.Addr.String() == "" {
					t.Errorf("%s: no peer", line)
				}
				return nil, status.Error(codes.Unauthenticated, "who are you?")
			}))
		verb, target, _ := strings.Cut(line, " ")
		req := request{line: line}.request()
		req.Method, req.Body, req.ContentLength = verb, io.NopCloser(unread{t}), 4<<20
		req.Header.Set("Authorization", "Bearer nonsense")
		w := serveOne(h, req)
		code, name, message, details := errorOf(t, w.Body.Bytes())
		if w.Code != http.StatusUnauthorized || code != http.StatusUnauthorized || name != "UNAUTHENTICATED" || message != "who are you?" {
			t.Errorf("%s = %d %s, want 401", target, w.Code, w.Body)
		}
		if len(details) != 1 || details[0]["reason"] != "UNAUTHENTICATED" || details[0]["domain"] != "library.example" {
			t.Errorf("%s: details are %v, want one ErrorInfo", target, details)
		}
		if got := w.Header().Get("WWW-Authenticate"); got != "Bearer" {
			t.Errorf("%s: WWW-Authenticate is %q", target, got)
		}
		if asked != method {
			t.Errorf("%s asked for %q, want %q", line, asked, method)
		}
	}
}

// TestAuthenticationErrors: what the function says itself stays, and errors
// without a status do not show their text as one of the service.
func TestAuthenticationErrors(t *testing.T) {
	t.Parallel()
	detailed, err := status.New(codes.PermissionDenied, "no").WithDetails(&errdetails.ErrorInfo{Reason: "BANNED", Domain: "bank.example"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		err    error
		code   int
		reason string
		header string
	}{
		{detailed.Err(), 403, "BANNED", ""},
		{status.Error(codes.ResourceExhausted, "later"), 429, "RESOURCE_EXHAUSTED", ""},
		{errors.New("broken"), 500, "UNKNOWN", ""},
		{status.Error(codes.Unauthenticated, "no"), 401, "UNAUTHENTICATED", `Basic realm="library"`},
	} {
		h := newHandler(t, &recorder{}, lrohttp.WithAuthentication(func(ctx context.Context, _ string) (context.Context, error) {
			if tt.header != "" {
				if err := grpc.SetHeader(ctx, metadata.Pairs("www-authenticate", tt.header)); err != nil {
					t.Error(err)
				}
			}
			return nil, tt.err
		}))
		w := getX.to(h)
		if _, _, _, details := errorOf(t, w.Body.Bytes()); w.Code != tt.code || len(details) != 1 || details[0]["reason"] != tt.reason {
			t.Errorf("%v = %d %s, want %d with reason %s", tt.err, w.Code, w.Body, tt.code, tt.reason)
		}
		if got := w.Header().Get("WWW-Authenticate"); got != tt.header {
			t.Errorf("%v: WWW-Authenticate is %q, want %q", tt.err, got, tt.header)
		}
	}
}

// TestAuthenticationContext: the service gets the ctx that the function returns.
func TestAuthenticationContext(t *testing.T) {
	t.Parallel()
	type key struct{}
	var got any
	srv := funcs{get: func(ctx context.Context, _ *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error) {
		got = ctx.Value(key{})
		return &longrunningpb.Operation{}, nil
	}}
	w := getX.to(newHandler(t, srv, lrohttp.WithAuthentication(func(ctx context.Context, _ string) (context.Context, error) {
		return context.WithValue(ctx, key{}, "alice"), nil
	})))
	if w.Code != 200 || got != "alice" {
		t.Errorf("GET = %d, the service sees %v, want alice", w.Code, got)
	}
}

// TestUnauthenticatedByTheService: also a 401 that an interceptor or the service
// makes has the header that HTTP requires.
func TestUnauthenticatedByTheService(t *testing.T) {
	t.Parallel()
	w := getX.to(newHandler(t, failing(status.Error(codes.Unauthenticated, "no"))))
	if got := w.Header().Get("WWW-Authenticate"); w.Code != 401 || got != "Bearer" {
		t.Errorf("GET = %d with WWW-Authenticate %q", w.Code, got)
	}
}

// start is the body that starts an operation with an Any of some type.
func start(typ, value string) string {
	return `{"kind":"simulate","request":{"@type":"type.googleapis.com/google.protobuf.` + typ + `","value":` + value + `}}`
}

// TestBodiesAreNoBombs: a body that would take many times its size as messages
// is refused before it does.
func TestBodiesAreNoBombs(t *testing.T) { // not parallel: it measures memory
	const size = 4<<20 - 1000
	nested := start("Any", `{"@type":"type.googleapis.com/google.protobuf.StringValue","value":"`+strings.Repeat("x", size-20_000)+`"}`)
	for range 40 {
		nested = strings.Replace(nested, `{"@type":"type.googleapis.com/google.protobuf.Any","value":`,
			`{"@type":"type.googleapis.com/google.protobuf.Any","value":{"@type":"type.googleapis.com/google.protobuf.Any","value":`, 1)
		nested += "}"
	}
	for name, tt := range map[string]struct {
		body   string
		code   int
		factor uint64 // of the body's size, allocated in all
	}{
		"numbers":        {start("ListValue", "["+strings.Repeat("0,", size/2-100)+"0]"), 413, 8},
		"objects":        {start("ListValue", "["+strings.Repeat("{},", size/3-100)+"0]"), 413, 8},
		"lists":          {start("ListValue", strings.Repeat("[", size/2-100)+strings.Repeat("]", size/2-100)), 413, 8},
		"Anys":           {nested, 413, 8},
		"densest":        {start("ListValue", "["+strings.Repeat("0,"+strings.Repeat(" ", 30), size/32-100)+"0]"), 200, 16},
		"one string":     {start("StringValue", `"`+strings.Repeat("x", size-200)+`"`), 200, 8},
		"commas in text": {start("StringValue", `"`+strings.Repeat(`,[\"`, size/4-200)+`"`), 200, 16},
	} {
		srv := &starts{}
		h := newHandler(t, &recorder{}, lrohttp.WithStarter(srv))
		req := request{"POST /v1/operations:start", jsonType, tt.body}.request()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		w := serveOne(h, req)
		runtime.ReadMemStats(&after)
		if w.Code != tt.code || (srv.got != nil) != (tt.code == 200) {
			t.Errorf("%s: %d %.300s, want %d", name, w.Code, w.Body, tt.code)
		}
		if got, most := after.TotalAlloc-before.TotalAlloc, tt.factor*uint64(len(tt.body)); got > most {
			t.Errorf("%s: a body of %d bytes took %d, more than %d", name, len(tt.body), got, most)
		}
		if tt.code != 413 {
			continue
		}
		if _, _, _, details := errorOf(t, w.Body.Bytes()); len(details) != 1 || details[0]["reason"] != "BODY_TOO_COMPLEX" {
			t.Errorf("%s: details are %v", name, details)
		}
	}
}

// TestSystemParameters: what Google's clients send besides fields changes
// nothing, and what is neither is refused.
func TestSystemParameters(t *testing.T) {
	t.Parallel()
	for query, refused := range map[string]string{
		"alt=json":                                    "",
		"$alt=json%3Benum-encoding=int":               "",
		"%24alt=json":                                 "",
		"$.xgafv=2&$userProject=p&$unique=1":          "",
		"key=k&quotaUser=q&prettyPrint=true&fields=*": "",
		"access_token=t&oauth_token=t&callback=c&uploadType=u&upload_protocol=p": "",
		"pageSize=1&page_size=1&filter=x&returnPartialSuccess=true":              "",
		"return_partial_success=true&page_token=t":                               "",
		"newerField=&other=false&count=0":                                        "", // not set
		"filtre=done":                                                            "filtre",
		"Filter=done":                                                            "Filter",
		"alt=json&pagesize=5":                                                    "pagesize",
		"newerField=&newerField=x":                                               "newerField",
		"%ff=1":                                                                  "\ufffd",
		"metadata.kind=x":                                                        "metadata.kind",
	} {
		srv := &recorder{}
		w := request{line: "GET /v1/operations?" + query}.to(newHandler(t, srv))
		if refused == "" {
			if w.Code != 200 || srv.got == nil {
				t.Errorf("?%s = %d %s, want 200", query, w.Code, w.Body)
			}
			continue
		}
		code, name, message, details := errorOf(t, w.Body.Bytes())
		if code != 400 || name != "INVALID_ARGUMENT" || !strings.Contains(message, "pageToken") || srv.got != nil {
			t.Errorf("?%s = %d %s %q, want an error that lists the fields", query, code, name, message)
			continue
		}
		if info, _ := details[0]["metadata"].(map[string]any); info["parameter"] != refused {
			t.Errorf("?%s: the error is about %v, want %q", query, info, refused)
		}
	}
}
