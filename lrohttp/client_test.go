package lrohttp_test

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/go-lro/lro/lrohttp"
	"github.com/go-lro/lro/lropb"
)

// roundTrip is an http.RoundTripper of a function.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func response(code int, body io.Reader) *http.Response {
	return &http.Response{StatusCode: code, Header: http.Header{}, Body: io.NopCloser(body)}
}

// newClient returns a client of f.
func newClient(t testing.TB, baseURL string, f roundTrip, opts ...lrohttp.ClientOption) *lrohttp.Client {
	t.Helper()
	opts = append([]lrohttp.ClientOption{lrohttp.WithHTTPClient(&http.Client{Transport: f})}, opts...)
	c, err := lrohttp.NewClient(baseURL, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// send makes the call that fits the type of req.
func send(ctx context.Context, c *lrohttp.Client, req proto.Message, opts ...grpc.CallOption) (err error) {
	switch req := req.(type) {
	case *longrunningpb.GetOperationRequest:
		_, err = c.GetOperation(ctx, req, opts...)
	case *longrunningpb.ListOperationsRequest:
		_, err = c.ListOperations(ctx, req, opts...)
	case *longrunningpb.CancelOperationRequest:
		_, err = c.CancelOperation(ctx, req, opts...)
	case *longrunningpb.DeleteOperationRequest:
		_, err = c.DeleteOperation(ctx, req, opts...)
	case *longrunningpb.WaitOperationRequest:
		_, err = c.WaitOperation(ctx, req, opts...)
	case *lropb.StartOperationRequest:
		_, err = c.StartOperation(ctx, req, opts...)
	case *lropb.ListKindsRequest:
		_, err = c.ListKinds(ctx, req, opts...)
	default:
		err = errors.New("no such request")
	}
	return err
}

var getRequest = &longrunningpb.GetOperationRequest{Name: "operations/x"}

func TestClientRequests(t *testing.T) {
	t.Parallel()
	const getName, listName = "google.longrunning.Operations.GetOperation", "google.longrunning.Operations.ListOperations"
	speech := lrohttp.WithRules(&annotations.HttpRule{Selector: getName, Pattern: &annotations.HttpRule_Get{Get: "/v1/operations/{name=**}"}})
	vertex := lrohttp.WithRules(
		&annotations.HttpRule{Selector: getName, Pattern: &annotations.HttpRule_Get{Get: "/ui/{name=projects/*/operations/*}"},
			AdditionalBindings: []*annotations.HttpRule{{Pattern: &annotations.HttpRule_Post{Post: "/v2/{name=projects/*/jobs/*/operations/*}:get"}, Body: "*"}}},
		&annotations.HttpRule{Selector: getName, Pattern: &annotations.HttpRule_Custom{
			Custom: &annotations.CustomHttpPattern{Kind: "FETCH", Path: "/v3/{name}"}}},
		&annotations.HttpRule{Selector: listName, Pattern: &annotations.HttpRule_Get{Get: "/all"}},
	)
	tests := []struct {
		base string
		opt  lrohttp.ClientOption
		req  proto.Message
		want string // request line and body
	}{
		{"http://h", nil, getRequest, "GET http://h/v1/operations/x"},
		{"https://h:8080/", nil, getRequest, "GET https://h:8080/v1/operations/x"},
		{"https://h/a%2Fb/c/", nil, getRequest, "GET https://h/a%2Fb/c/v1/operations/x"},
		{"http://h", nil, &longrunningpb.GetOperationRequest{Name: "p/operations/a+b=?#%2F ü"}, "GET http://h/v1/p/operations/a%2Bb%3D%3F%23%252F%20%C3%BC"},
		{"http://h", nil, &longrunningpb.DeleteOperationRequest{Name: "p/operations/x"}, "DELETE http://h/v1/p/operations/x"},
		{"http://h", nil, &longrunningpb.CancelOperationRequest{Name: "p/operations/x"}, "POST http://h/v1/p/operations/x:cancel {}"},
		{"http://h", nil, &longrunningpb.WaitOperationRequest{Name: "operations/x", Timeout: durationpb.New(1500 * time.Millisecond)}, `POST http://h/v1/operations/x:wait {"timeout":"1.500s"}`},
		{"http://h", nil, &longrunningpb.ListOperationsRequest{}, "GET http://h/v1/operations"},
		{"http://h", nil, &longrunningpb.ListOperationsRequest{Name: "operations", PageSize: -1}, "GET http://h/v1/operations?pageSize=-1"},
		{"http://h", nil, &longrunningpb.ListOperationsRequest{Name: "p/q", Filter: "a=b&c d", PageSize: 10, PageToken: "+/=", ReturnPartialSuccess: true},
			"GET http://h/v1/p/q/operations?filter=a%3Db%26c+d&pageSize=10&pageToken=%2B%2F%3D&returnPartialSuccess=true"},
		{"http://h", lrohttp.WithPrefix("compute/v1beta1"), getRequest, "GET http://h/compute/v1beta1/operations/x"},
		{"http://h", lrohttp.WithPrefix(""), getRequest, "GET http://h/operations/x"},
		{"http://h", speech, &longrunningpb.GetOperationRequest{Name: "123"}, "GET http://h/v1/operations/123"},
		{"http://h", vertex, &longrunningpb.GetOperationRequest{Name: "projects/p/operations/x"}, "GET http://h/ui/projects/p/operations/x"},
		{"http://h", vertex, &longrunningpb.GetOperationRequest{Name: "projects/p/jobs/j/operations/x"}, "POST http://h/v2/projects/p/jobs/j/operations/x:get {}"},
		{"http://h", vertex, getRequest, "FETCH http://h/v3/operations%2Fx"},
		{"http://h", vertex, &longrunningpb.ListOperationsRequest{Name: "p", Filter: "f"}, "GET http://h/all?filter=f&name=p"},
		{"http://h", vertex, &longrunningpb.DeleteOperationRequest{Name: "operations/x"}, "DELETE http://h/v1/operations/x"},
		{"http://h", nil, &lropb.StartOperationRequest{Kind: "k", RequestId: "r"}, `POST http://h/v1/operations:start {"kind":"k","requestId":"r"}`},
		{"http://h", nil, &lropb.StartOperationRequest{Parent: "p/q", Kind: "k"}, `POST http://h/v1/p/q/operations:start {"kind":"k"}`},
		{"http://h", nil, &lropb.ListKindsRequest{}, "GET http://h/v1/kinds"},
	}
	for _, tt := range tests {
		var got string
		var opts []lrohttp.ClientOption
		if tt.opt != nil {
			opts = append(opts, tt.opt)
		}
		c := newClient(t, tt.base, func(r *http.Request) (*http.Response, error) {
			got = r.Method + " " + r.URL.String()
			if r.Body == nil {
				return response(200, strings.NewReader(`{"operations":[],"name":"x"}`)), nil
			}
			body, err := io.ReadAll(r.Body)
			got += " " + strings.ReplaceAll(strings.ReplaceAll(string(body), ": ", ":"), ", ", ",")
			if r.Header.Get("Content-Type") != jsonType {
				t.Errorf("%s: Content-Type is %q", got, r.Header.Get("Content-Type"))
			}
			return response(200, strings.NewReader(`{"name":"x"}`)), err
		}, opts...)
		if err := send(t.Context(), c, tt.req); err != nil && !strings.Contains(err.Error(), "no field of") {
			t.Errorf("%T{%v}: %v", tt.req, tt.req, err)
		}
		if got != tt.want {
			t.Errorf("%T{%v}: sent\n%s, want\n%s", tt.req, tt.req, got, tt.want)
		}
	}
}

func TestUnsendable(t *testing.T) {
	t.Parallel()
	c := newClient(t, "http://h", func(r *http.Request) (*http.Response, error) {
		t.Errorf("sent %s %s", r.Method, r.URL)
		return nil, errors.New("no")
	})
	for _, name := range []string{
		"", "x", "operations", "operations/", "/", "p/operations/a/b", "operations/..", "operations/../../admin", "operations/./x", "../operations/x", "operations/\xff",
	} {
		for _, req := range []proto.Message{
			&longrunningpb.GetOperationRequest{Name: name}, &longrunningpb.CancelOperationRequest{Name: name},
			&longrunningpb.DeleteOperationRequest{Name: name}, &longrunningpb.WaitOperationRequest{Name: name},
		} {
			if err := send(t.Context(), c, req); status.Code(err) != codes.InvalidArgument {
				t.Errorf("%T of %q: got %v, want INVALID_ARGUMENT", req, name, err)
			}
		}
	}
	if err := send(t.Context(), c, &lropb.StartOperationRequest{Request: nobodyKnows}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("StartOperation with a request of an unknown type: got %v, want INVALID_ARGUMENT", err)
	}
	for _, md := range []metadata.MD{metadata.Pairs("x-y", "a\nb"), {"x y": {"z"}}, {"": {"z"}}} {
		if err := send(metadata.NewOutgoingContext(t.Context(), md), c, getRequest); status.Code(err) != codes.Internal {
			t.Errorf("GetOperation with metadata %q: got %v, want INTERNAL", md, err)
		}
	}
}

func TestClientHeaders(t *testing.T) {
	t.Parallel()
	var got http.Header
	given := http.Header{"x-goog-api-key": {"k"}, "X-Both": {"given"}, "X-Given": {"given"}, "User-Agent": {"test/1"}}
	c := newClient(t, "https://h", func(r *http.Request) (*http.Response, error) {
		got = r.Header.Clone()
		answer := response(200, strings.NewReader(`{"name":"x"}`))
		answer.Header = http.Header{"Retry-After": {"3"}, "X-Data-Bin": {"AP8"}, "Content-Length": {"7"}}
		answer.Trailer = http.Header{"X-Trailer": {"t"}}
		return answer, nil
	}, lrohttp.WithHeader(given))
	given["X-Given"][0] = "changed later"

	md := metadata.Pairs("x-both", "call", "x-twice", "1", "x-twice", "2", "x-data-bin", "\x00\xff",
		"content-type", "x", "grpc-timeout", "1S", "host", "x", "user-agent", "x", "x-goog-request-params", "name=operations%2Fx")
	ctx, cancel := context.WithTimeout(metadata.NewOutgoingContext(t.Context(), md), time.Minute)
	defer cancel()
	var header, trailer metadata.MD
	err := send(ctx, c, getRequest, grpc.Header(&header), grpc.Trailer(&trailer), grpc.PerRPCCredentials(token("s")), grpc.WaitForReady(true))
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string][]string{
		"X-Goog-Api-Key": {"k"}, "X-Both": {"call"}, "X-Given": {"given"}, "X-Twice": {"1", "2"}, "X-Data-Bin": {"AP8"}, "Accept": {jsonType},
		"X-Goog-Request-Params": {"name=operations%2Fx"}, "Authorization": {"Bearer s of https://h"}, "User-Agent": {"test/1"},
		"Content-Type": nil, "Grpc-Timeout": nil, "Host": nil, "Idempotency-Key": nil,
	} {
		if diff := cmp.Diff(want, got[key]); diff != "" {
			t.Errorf("header %q (-want +got):\n%s", key, diff)
		}
	}
	if timeout := got.Get("X-Server-Timeout"); !strings.HasPrefix(timeout, "59.") && timeout != "60.000" {
		t.Errorf("X-Server-Timeout is %q, want about 60", timeout)
	}
	if diff := cmp.Diff(metadata.MD{"retry-after": {"3"}, "x-data-bin": {"\x00\xff"}}, header); diff != "" {
		t.Errorf("grpc.Header (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(metadata.MD{"x-trailer": {"t"}}, trailer); diff != "" {
		t.Errorf("grpc.Trailer (-want +got):\n%s", diff)
	}
}

// token is credentials for one call.
type token string

func (s token) GetRequestMetadata(_ context.Context, uri ...string) (map[string]string, error) {
	switch s {
	case "":
		return nil, errors.New("no token")
	case "later":
		return nil, status.Error(codes.Unavailable, "token service is down")
	}
	return map[string]string{"authorization": "Bearer " + string(s) + " of " + strings.Join(uri, " ")}, nil
}

func (token) RequireTransportSecurity() bool { return true }

var _ credentials.PerRPCCredentials = token("")

func TestCredentialsOfACall(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		base  string
		creds token
		want  codes.Code
	}{
		{"http://h", "s", codes.Unauthenticated},
		{"https://h", "", codes.Unavailable},
		{"https://h", "later", codes.Unavailable},
		{"https://h", "a\nb", codes.Unauthenticated},
	} {
		c := newClient(t, tt.base, func(*http.Request) (*http.Response, error) {
			t.Errorf("%+v: request was sent", tt)
			return nil, errors.New("no")
		})
		if err := send(t.Context(), c, getRequest, grpc.PerRPCCredentials(tt.creds)); status.Code(err) != tt.want || strings.Contains(err.Error(), "a\nb") {
			t.Errorf("%+v: got %v, want %v", tt, err, tt.want)
		}
	}
}

func TestNetworkErrors(t *testing.T) {
	t.Parallel()
	reset := &net.OpError{Op: "read", Net: "tcp", Err: errors.New("connection reset by peer")}
	for name, tt := range map[string]struct {
		f    roundTrip
		want codes.Code
		text string
	}{
		"refused": {func(*http.Request) (*http.Response, error) { return nil, reset }, codes.Unavailable, "connection reset"},
		"cut off": {func(*http.Request) (*http.Response, error) {
			return response(200, io.MultiReader(strings.NewReader(`{"na`), brokenBody{reset})), nil
		}, codes.Unavailable, "read answer"},
		"cut page": {func(*http.Request) (*http.Response, error) {
			return response(404, brokenBody{io.ErrUnexpectedEOF}), nil
		}, codes.Unavailable, "404 Not Found"},
		"timeout": {func(*http.Request) (*http.Response, error) { return nil, context.DeadlineExceeded }, codes.DeadlineExceeded, "deadline"},
	} {
		c := newClient(t, "http://user:secret@h", tt.f)
		err := send(t.Context(), c, getRequest)
		if status.Code(err) != tt.want || !strings.Contains(err.Error(), tt.text) || !strings.HasPrefix(err.Error(), "GET http://h/v1/operations/x: ") {
			t.Errorf("%s: got %v, want %v with %q", name, err, tt.want, tt.text)
		}
		if _, ok := errors.AsType[*url.Error](err); ok || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: error %v holds too much", name, err)
		}
		if name == "refused" && !errors.Is(err, reset) {
			t.Errorf("%s: %v does not wrap the network's error", name, err)
		}
	}
}

// brokenBody is a reader that fails.
type brokenBody struct{ err error }

func (f brokenBody) Read([]byte) (int, error) { return 0, f.err }

// TestContextEnds shows that every call ends with its ctx, whatever it waits
// for.
func TestContextEnds(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]http.HandlerFunc{
		"hangs": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"hangs in the body": func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(`{"name":`))
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
		"drips": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				_, _ = w.Write([]byte(" "))
				w.(http.Flusher).Flush()
				select {
				case <-time.After(time.Second):
				case <-r.Context().Done():
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client := dial(t, handler)
				gone := errors.New("gone")
				for _, tt := range []struct {
					ctx  func() (context.Context, context.CancelFunc)
					code codes.Code
					err  error
				}{
					{func() (context.Context, context.CancelFunc) { return context.WithTimeout(t.Context(), 5*time.Second) }, codes.DeadlineExceeded, context.DeadlineExceeded},
					{func() (context.Context, context.CancelFunc) {
						ctx, cancel := context.WithCancelCause(t.Context())
						time.AfterFunc(5*time.Second, func() { cancel(gone) })
						return ctx, func() { cancel(nil) }
					}, codes.Canceled, context.Canceled},
				} {
					ctx, cancel := tt.ctx()
					begin := time.Now()
					err := send(ctx, client, getRequest)
					if status.Code(err) != tt.code || !errors.Is(err, tt.err) {
						t.Errorf("got %v, want %v", err, tt.code)
					}
					if took := time.Since(begin); took != 5*time.Second {
						t.Errorf("call took %v, want 5s", took)
					}
					cancel()
				}
			})
		})
	}
}

func TestMaxBody(t *testing.T) {
	t.Parallel()
	body := `{"name":"` + strings.Repeat("x", 100) + `"}`
	c := func(opts ...lrohttp.ClientOption) *lrohttp.Client {
		return newClient(t, "http://h", func(*http.Request) (*http.Response, error) { return response(200, strings.NewReader(body)), nil }, opts...)
	}
	exact, short := int64(len(body)), int64(len(body)-1)
	if err := send(t.Context(), c(lrohttp.WithMaxBody(exact)), getRequest); err != nil {
		t.Errorf("answer of just the limit: %v", err)
	}
	if err := send(t.Context(), c(lrohttp.WithMaxBody(math.MaxInt64)), getRequest, grpc.MaxCallRecvMsgSize(math.MaxInt)); err != nil {
		t.Errorf("answer without a limit: %v", err)
	}
	for name, err := range map[string]error{
		"WithMaxBody":        send(t.Context(), c(lrohttp.WithMaxBody(short)), getRequest),
		"MaxCallRecvMsgSize": send(t.Context(), c(), getRequest, grpc.MaxCallRecvMsgSize(int(short))),
	} {
		if status.Code(err) != codes.ResourceExhausted || !strings.Contains(err.Error(), "limit of 110 bytes") {
			t.Errorf("answer over %s: got %v, want RESOURCE_EXHAUSTED that names the limit", name, err)
		}
	}
	endless := newClient(t, "http://h", func(*http.Request) (*http.Response, error) { return response(200, zeros{}), nil })
	if err := send(t.Context(), endless, getRequest); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("endless answer: got %v, want RESOURCE_EXHAUSTED", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// TestRedirects shows that a redirect is not followed, above all not by turning
// POST into GET, unless the caller says so.
func TestRedirects(t *testing.T) {
	t.Parallel()
	var lines []string
	f := func(r *http.Request) (*http.Response, error) {
		lines = append(lines, r.Method+" "+r.URL.Path)
		if r.URL.Path == "/elsewhere" {
			return response(200, strings.NewReader(`{"name":"x"}`)), nil
		}
		answer := response(302, strings.NewReader(""))
		answer.Header.Set("Location", "http://user:pass@h/elsewhere?token=secret#x")
		return answer, nil
	}
	cancel := &longrunningpb.CancelOperationRequest{Name: "operations/x"}
	err := send(t.Context(), newClient(t, "http://h", f), cancel)
	if status.Code(err) != codes.Unknown || !strings.Contains(err.Error(), `redirects to "http://h/elsewhere"`) {
		t.Errorf("CancelOperation: got %v, want UNKNOWN that names the redirect", err)
	}
	if diff := cmp.Diff([]string{"POST /v1/operations/x:cancel"}, lines); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	following := &http.Client{Transport: roundTrip(f), CheckRedirect: func(*http.Request, []*http.Request) error { return nil }}
	c, err := lrohttp.NewClient("http://h", lrohttp.WithHTTPClient(following))
	if err != nil {
		t.Fatal(err)
	}
	if err := send(t.Context(), c, getRequest); err != nil {
		t.Errorf("GetOperation with an http.Client that follows: %v", err)
	}
}

func TestNewClientFails(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"", "h", "//h", "ftp://h", "http://", "http:///x", "http://h?x=1", "http://h?", "http://h#x", "http://h:x:y", "http://u:secret@h\x00"} {
		if c, err := lrohttp.NewClient(base); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("NewClient(%q) = %v, %v, want an error without secrets", base, c, err)
		}
	}
	wild := &annotations.HttpRule{Selector: "google.longrunning.Operations.GetOperation", Pattern: &annotations.HttpRule_Get{Get: "/*/{name=operations/*}"}}
	for name, opt := range map[string]lrohttp.ClientOption{
		"HTTP client":  lrohttp.WithHTTPClient(nil),
		"header name":  lrohttp.WithHeader(http.Header{"a b": {"c"}}),
		"header value": lrohttp.WithHeader(http.Header{"a": {"b\nc"}}),
		"rule":         lrohttp.WithRules(wild),
		"limit":        lrohttp.WithMaxBody(-1),
	} {
		if c, err := lrohttp.NewClient("http://h", opt); err == nil {
			t.Errorf("NewClient with a bad %s = %v, want an error", name, c)
		}
	}
}
