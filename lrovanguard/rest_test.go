package lrovanguard_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"connectrpc.com/vanguard"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	spb "google.golang.org/genproto/googleapis/rpc/status"

	"github.com/go-lro/lro/examples/library/librarypb"
	"github.com/go-lro/lro/lrohttp"
	"github.com/go-lro/lro/lrovanguard"
)

// library is a service whose answers depend on the publisher.
type library struct {
	librarypb.UnimplementedLibraryServer
	longrunningpb.UnimplementedOperationsServer
}

// unlinked is an Any of a type that is linked nowhere.
var unlinked = &anypb.Any{TypeUrl: "type.googleapis.com/nobody.Knows", Value: []byte{8, 1}}

func (library) ListBooks(ctx context.Context, req *librarypb.ListBooksRequest) (*librarypb.ListBooksResponse, error) {
	switch req.GetParent() {
	case "publishers/acme":
		return &librarypb.ListBooksResponse{Books: []*librarypb.Book{{Name: "publishers/acme/books/1"}}, NextPageToken: fmt.Sprint(req.GetPageSize())}, nil
	case "publishers/plain":
		return nil, errors.New("no status")
	case "publishers/busy":
		return nil, withDetails(codes.Unavailable, "busy", pack(&errdetails.RetryInfo{RetryDelay: durationpb.New(1500 * time.Millisecond)}))
	case "publishers/header":
		return &librarypb.ListBooksResponse{}, grpc.SetHeader(ctx, metadata.Pairs("x-books", "none"))
	}
	return nil, withDetails(codes.NotFound, `no publisher "none"`, pack(&errdetails.ErrorInfo{Reason: "NO_PUBLISHER", Domain: "library.example"}), unlinked)
}

func (library) CreateBook(_ context.Context, req *librarypb.CreateBookRequest) (*librarypb.Book, error) {
	return req.GetBook(), nil
}

func (library) ExportBooks(context.Context, *librarypb.ExportBooksRequest) (*longrunningpb.Operation, error) {
	return &longrunningpb.Operation{Name: "publishers/acme/operations/x", Metadata: unlinked}, nil
}

func withDetails(code codes.Code, message string, details ...*anypb.Any) error {
	return status.ErrorProto(&spb.Status{Code: int32(code), Message: message, Details: details})
}

func pack(m proto.Message) *anypb.Any {
	a, err := anypb.New(m)
	if err != nil {
		panic(err)
	}
	return a
}

// newLibrary returns a gRPC server of a library.
func newLibrary(opts ...grpc.ServerOption) *grpc.Server {
	server := grpc.NewServer(opts...)
	librarypb.RegisterLibraryServer(server, library{})
	longrunningpb.RegisterOperationsServer(server, library{})
	return server
}

// request is what is sent over REST.
type request struct {
	line   string // such as "GET /v1/x"
	media  string // Content-Type; empty for application/json if there is a body
	body   string
	header http.Header
}

func (r request) send(handler http.Handler) *httptest.ResponseRecorder {
	method, target, _ := strings.Cut(r.line, " ")
	req := httptest.NewRequest(method, target, strings.NewReader(r.body))
	maps.Copy(req.Header, r.header)
	if r.media != "" {
		req.Header.Set("Content-Type", r.media)
	} else if r.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, req)
	return w
}

// failure is the body of an error (AIP-193).
type failure struct {
	Error struct {
		Code    int
		Status  string
		Message string
		Details []map[string]any
	}
}

// readFirst reads bodies before it passes requests on. Otherwise grpc-go reads
// beside the call, and vanguard answers what it cannot decode from both: a data
// race, which guarded avoids.
type readFirst struct{ next http.Handler }

func (f readFirst) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err == nil && len(body) > 0 {
		r.Body = io.NopCloser(bytes.NewReader(body))
		f.next.ServeHTTP(w, r)
	}
}

// TestErrors shows the errors of REST, beside what vanguard alone answers. Where
// that has become right, this package need not do it.
func TestErrors(t *testing.T) {
	t.Parallel()
	handler := newHandler(t, newLibrary(), lrovanguard.Config{ErrorDomain: "library.example", MaxMessage: 100 << 10})
	plain := newLibrary()
	t.Cleanup(plain.Stop)
	bare, err := vanguard.NewTranscoder([]*vanguard.Service{vanguard.NewService("example.library.v1.Library", readFirst{plain},
		vanguard.WithTargetProtocols(vanguard.ProtocolGRPC), vanguard.WithTargetCodecs(vanguard.CodecProto))})
	if err != nil {
		t.Fatal(err)
	}
	large := `{"title":"` + strings.Repeat("x", 100<<10) + `"}`
	for _, tt := range []struct {
		name    string
		request request
		code    int
		status  string
		reason  string // of the ErrorInfo
		message string // part of it
		bare    int    // vanguard's own code
	}{
		{"of the service", request{line: "GET /v1/publishers/none/books"}, 404, "NOT_FOUND", "NO_PUBLISHER", `no publisher "none"`, 404},
		{"without a status", request{line: "GET /v1/publishers/plain/books"}, 500, "UNKNOWN", "", "no status", 500},
		{"not JSON", request{line: "POST /v1/publishers/acme/books", body: `{"title":"x",}`}, 400, "INVALID_ARGUMENT", "INVALID_BODY", "body: ", 500},
		{"half of it", request{line: "POST /v1/publishers/acme/books", body: `{"title":"x"`}, 400, "INVALID_ARGUMENT", "INVALID_BODY", "body: ", 500},
		{"another type", request{line: "POST /v1/publishers/acme/books", body: `{"title":1}`}, 400, "INVALID_ARGUMENT", "INVALID_BODY", "title", 500},
		{"unknown field", request{line: "POST /v1/publishers/acme/books", body: `{"titel":"x"}`}, 400, "INVALID_ARGUMENT", "INVALID_BODY", "titel", 200},
		{"unknown parameter", request{line: "GET /v1/publishers/acme/books?pagSize=1"}, 400, "INVALID_ARGUMENT", "INVALID_REQUEST", "pagSize", 500},
		{"wrong parameter", request{line: "GET /v1/publishers/acme/books?pageSize=x"}, 400, "INVALID_ARGUMENT", "INVALID_REQUEST", "page_size", 400},
		{"body of a GET", request{line: "GET /v1/publishers/acme/books", body: `{}`}, 400, "INVALID_ARGUMENT", "INVALID_REQUEST", "body", 500},
		{"broken gzip", request{line: "POST /v1/publishers/acme/books", body: `{}`, header: http.Header{"Content-Encoding": {"gzip"}}}, 400, "INVALID_ARGUMENT", "INVALID_REQUEST", "EOF", 500},
		{"too large", request{line: "POST /v1/publishers/acme/books", body: large}, 413, "INVALID_ARGUMENT", "BODY_TOO_LARGE", "102400", 200},
		{"too complex", request{line: "POST /v1/publishers/acme/books", body: `{"title":[` + strings.Repeat("0,", 40<<10) + `0]}`}, 413, "INVALID_ARGUMENT", "BODY_TOO_COMPLEX", "values", 500},
		{"form", request{line: "POST /v1/publishers/acme/books", media: "application/x-www-form-urlencoded", body: `{}`}, 415, "INVALID_ARGUMENT", "NOT_JSON", "x-www-form-urlencoded", 415},
		{"unknown compression", request{line: "POST /v1/publishers/acme/books", body: `{}`, header: http.Header{"Content-Encoding": {"zip"}}}, 415, "INVALID_ARGUMENT", "INVALID_REQUEST", "zip", 415},
		{"wrong timeout", request{line: "GET /v1/publishers/acme/books", header: http.Header{"X-Server-Timeout": {"soon"}}}, 400, "INVALID_ARGUMENT", "INVALID_REQUEST", "soon", 400},
		{"other method", request{line: "PUT /v1/publishers/acme/books"}, 405, "UNIMPLEMENTED", "HTTP_METHOD_NOT_ALLOWED", "only GET, POST", 405},
		{"no path", request{line: "GET /v2/x"}, 404, "NOT_FOUND", "PATH_NOT_FOUND", "/v2/x", 404},
		{"empty segment", request{line: "GET /v1/publishers//books"}, 404, "NOT_FOUND", "PATH_NOT_FOUND", "/v1/publishers//books", 404},
		{"empty segment at the end", request{line: "GET /v1/publishers/acme/books/"}, 404, "NOT_FOUND", "PATH_NOT_FOUND", "/v1/publishers/acme/books/", 404},
		{"no method of Operations", request{line: "PATCH /v1/publishers/acme/operations/x"}, 405, "UNIMPLEMENTED", "HTTP_METHOD_NOT_ALLOWED", "only DELETE, GET", 404},
		{"unimplemented", request{line: "GET /v1/publishers/acme/operations/x"}, 501, "UNIMPLEMENTED", "", "GetOperation", 404},
	} {
		w := tt.request.send(handler)
		var got failure
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Errorf("%s: body %q: %v", tt.name, w.Body, err)
			continue
		}
		var reason string
		for _, d := range got.Error.Details {
			if text, ok := d["reason"].(string); ok {
				reason = text
			}
		}
		if w.Code != tt.code || got.Error.Code != tt.code || got.Error.Status != tt.status || reason != tt.reason || !strings.Contains(got.Error.Message, tt.message) {
			t.Errorf("%s: got %d %s, want %d %s with reason %q and message %q", tt.name, w.Code, w.Body, tt.code, tt.status, tt.reason, tt.message)
		}
		if media := w.Header().Get("Content-Type"); !strings.HasPrefix(media, "application/json") {
			t.Errorf("%s: Content-Type %q, want JSON", tt.name, media)
		}
		for key := range w.Header() {
			if strings.HasPrefix(key, "Grpc-") || key == "Trailer" {
				t.Errorf("%s: the answer has the header %q", tt.name, key)
			}
		}
		if w := tt.request.send(bare); w.Code != tt.bare {
			t.Errorf("%s: vanguard alone answers %d, want %d", tt.name, w.Code, tt.bare)
		}
	}
}

// TestUnlinked shows that details and metadata whose types are not linked are
// kept, which vanguard alone answers with 500 and another message.
func TestUnlinked(t *testing.T) {
	t.Parallel()
	handler := newHandler(t, newLibrary(), lrovanguard.Config{})
	w := request{line: "GET /v1/publishers/none/books"}.send(handler)
	if text := w.Body.String(); !strings.Contains(text, "nobody.Knows") || !strings.Contains(text, "NO_PUBLISHER") {
		t.Errorf("error with an unlinked detail = %s", text)
	}
	w = request{line: "POST /v1/publishers/acme/books:export", body: "{}"}.send(handler)
	if text := w.Body.String(); w.Code != http.StatusOK || !strings.Contains(text, "nobody.Knows") {
		t.Errorf("operation with unlinked metadata = %d %s", w.Code, text)
	}
}

// TestSuccess shows what is let through.
func TestSuccess(t *testing.T) {
	t.Parallel()
	handler := newHandler(t, newLibrary(), lrovanguard.Config{})
	const books = `{"books":[{"name":"publishers/acme/books/1"}],"nextPageToken":"0"}`
	for _, tt := range []struct {
		name    string
		request request
		want    string
	}{
		{"plain", request{line: "GET /v1/publishers/acme/books"}, books},
		{"parameter", request{line: "GET /v1/publishers/acme/books?page_size=7"}, strings.ReplaceAll(books, `"0"`, `"7"`)},
		{"system parameters", request{line: "GET /v1/publishers/acme/books?%24alt=json%3Benum-encoding=int&pageSize=7&$x=1"}, strings.ReplaceAll(books, `"0"`, `"7"`)},
		{"charset", request{line: "POST /v1/publishers/acme/books", media: "application/json;charset=UTF-8", body: `{"title":"x"}`}, `{"title":"x"}`},
		{"no body", request{line: "POST /v1/publishers/acme/books"}, `{}`},
		{"Connect", request{line: "POST /example.library.v1.Library/ListBooks", body: `{"parent":"publishers/acme"}`}, books},
		{"Connect with its header", request{line: "POST /example.library.v1.Library/ListBooks", body: `{"parent":"publishers/acme"}`,
			header: http.Header{"Connect-Protocol-Version": {"1"}}}, books},
	} {
		w := tt.request.send(handler)
		var compact bytes.Buffer
		if err := json.Compact(&compact, w.Body.Bytes()); err != nil || w.Code != http.StatusOK || compact.String() != tt.want {
			t.Errorf("%s: got %d %s, want %s", tt.name, w.Code, w.Body, tt.want)
		}
		if date, ok := w.Header()["Date"]; ok && date == nil && !strings.HasPrefix(tt.name, "Connect") {
			t.Errorf("%s: the answer is without Date", tt.name)
		}
	}
	if w := (request{line: "GET /v1/publishers/header/books"}).send(handler); w.Header().Get("X-Books") != "none" {
		t.Errorf("header of the service: got %v", w.Header())
	}
	if w := (request{line: "GET /v1/publishers/busy/books"}).send(handler); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "2" {
		t.Errorf("RetryInfo of 1.5 s: got %d, Retry-After %q, want 503 and 2", w.Code, w.Header().Get("Retry-After"))
	}
}

// TestConfig shows what other options do.
func TestConfig(t *testing.T) {
	t.Parallel()
	rule := &annotations.HttpRule{
		Selector: "google.longrunning.Operations.GetOperation",
		Pattern:  &annotations.HttpRule_Get{Get: "/v7/{name=publishers/*/operations/*}"},
	}
	handler := newHandler(t, newLibrary(), lrovanguard.Config{Operations: []lrohttp.HandlerOption{lrohttp.WithRules(rule)}})
	if w := (request{line: "GET /v7/publishers/acme/operations/x"}).send(handler); w.Code != http.StatusNotImplemented {
		t.Errorf("GET by a rule: got %d %s, want 501 of the service", w.Code, w.Body)
	}
	if w := (request{line: "GET /v1/publishers/acme/operations/x"}).send(handler); w.Code != http.StatusNotFound && w.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET by the default: got %d %s, want 404 or 405", w.Code, w.Body)
	}
	if _, err := lrovanguard.NewHandler(nil, lrovanguard.Config{}); err == nil {
		t.Error("NewHandler(nil) succeeds")
	}
	server := newLibrary()
	t.Cleanup(server.Stop)
	if _, err := lrovanguard.NewHandler(server, lrovanguard.Config{Operations: []lrohttp.HandlerOption{lrohttp.WithMaxBody(-1)}}); err == nil {
		t.Error("NewHandler with a negative limit succeeds")
	}
}
