package cli_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/reflection"
	v1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro/internal/cli/certs"
	"github.com/go-lro/lro/internal/cli/dyntest"
	"github.com/go-lro/lro/lrohttp"
	"github.com/go-lro/lro/lrotest"
)

// serveForeign runs a foreign service until the test ends.
func serveForeign(t *testing.T, srv longrunningpb.OperationsServer, reflect bool, opts ...grpc.ServerOption) string {
	t.Helper()
	g := grpc.NewServer(opts...)
	longrunningpb.RegisterOperationsServer(g, srv)
	if reflect {
		files, err := dyntest.Files()
		if err != nil {
			t.Fatal(err)
		}
		v1.RegisterServerReflectionServer(g, reflection.NewServerV1(reflection.ServerOptions{Services: g, DescriptorResolver: files}))
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = g.Serve(listener) })
	t.Cleanup(func() {
		g.Stop()
		serving.Wait()
	})
	return listener.Addr().String()
}

func thing(t *testing.T, text string) *anypb.Any {
	t.Helper()
	packed, err := dyntest.New(text)
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

// TestPayloadsOfOtherServices decodes messages that are linked nowhere.
func TestPayloadsOfOtherServices(t *testing.T) {
	t.Parallel()
	srv := &lrotest.Server{}
	srv.Add("operations/x", lrotest.Succeeded(thing(t, `{"shape": {"sides": 3}}`)).
		WithMetadata(thing(t, `{"progressPercent": 42, "statusMessage": "going on"}`)))
	set, err := proto.Marshal(dyntest.Set())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "set.pb")
	if err := os.WriteFile(path, set, 0o600); err != nil {
		t.Fatal(err)
	}
	handler, err := lrohttp.NewHandler(srv)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(handler)
	t.Cleanup(web.Close)
	const decoded = `"shape":{"sides":3}`
	tests := []struct {
		name string
		args []string
		want []string
	}{
		{"reflection", []string{"--addr", serveForeign(t, srv, true), "--plaintext"}, []string{decoded, `"percent":42`, `"message":"going on"`}},
		{"no reflection", []string{"--addr", serveForeign(t, srv, false), "--plaintext"}, []string{`"response":{"@type":"type.googleapis.com/lro.dyntest.v1.Thing","value":"`}},
		{"descriptor set", []string{"--addr", serveForeign(t, srv, false), "--plaintext", "--descriptor-set", path}, []string{decoded, `"percent":42`}},
		{"descriptor set over HTTP", []string{"--url", web.URL, "--descriptor-set", path}, []string{decoded, `"percent":42`}},
		{"nothing over HTTP", []string{"--url", web.URL}, []string{`"response":{"@type":"type.googleapis.com/lro.dyntest.v1.Thing","value":"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, verb := range []string{"get", "wait"} {
				got := runCommand(t, nil, append([]string{verb, "--output", "json", "operations/x"}, tt.args...)...)
				for _, want := range tt.want {
					if got.status != 0 || !strings.Contains(got.out, want) {
						t.Errorf("lro %s %q = %+v, want %s", verb, tt.args, got, want)
					}
				}
			}
		})
	}
}

// TestSameOverHTTP: what the command shows of metadata of a type that is not
// linked is the same over gRPC, where reflection has the type, and over HTTP,
// where the JSON is all there is.
func TestSameOverHTTP(t *testing.T) {
	t.Parallel()
	srv := &lrotest.Server{}
	srv.Add("operations/running", lrotest.Running(thing(t, `{"progressPercent": 42, "statusMessage": "going on",
		"createTime": "2026-01-02T03:04:05Z", "target": "shelves/1", "verb": "dust", "shape": {"sides": 3}}`)))
	srv.Add("operations/done", lrotest.Succeeded(thing(t, `{"shape": {"sides": 3}}`)).
		WithMetadata(thing(t, `{"progressPercent": 100, "createTime": "2026-01-02T03:04:05Z", "endTime": "2026-01-02T03:04:06Z"}`)))
	files, err := dyntest.Files()
	if err != nil {
		t.Fatal(err)
	}
	handler, err := lrohttp.NewHandler(srv, lrohttp.WithResolver(dynamicpb.NewTypes(files)))
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(handler)
	t.Cleanup(web.Close)
	grpcFlags := []string{"--addr", serveForeign(t, srv, true), "--plaintext"}
	httpFlags := []string{"--url", web.URL}
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"list"}, "operations/running\tRUNNING\t42%\t2026-01-02T03:04:05Z\tdust\tgoing on\n"},
		{[]string{"list"}, "operations/done\tSUCCEEDED\t100%\t2026-01-02T03:04:05Z\tThing\t\n"},
		{[]string{"list", "--output", "json"}, `"state":"RUNNING","kind":"dust","target":"shelves/1","progress":{"percent":42,"done":0},"message":"going on","createTime":"2026-01-02T03:04:05Z","metadata":{"@type":"type.googleapis.com/lro.dyntest.v1.Thing",`},
		{[]string{"get", "operations/running"}, "progress  42%\nmessage   going on\nkind      dust\ntarget    shelves/1\ncreated   2026-01-02T03:04:05Z\n"},
		{[]string{"wait", "operations/done"}, "kind      Thing\ncreated   2026-01-02T03:04:05Z\nended     2026-01-02T03:04:06Z\n"},
	}
	for _, tt := range tests {
		overGRPC := runCommand(t, nil, append(slices.Clone(tt.args), grpcFlags...)...)
		overHTTP := runCommand(t, nil, append(slices.Clone(tt.args), httpFlags...)...)
		if !strings.Contains(overGRPC.out, tt.want) {
			t.Errorf("lro %q over gRPC = %+v, want %s", tt.args, overGRPC, tt.want)
		}
		if diff := cmp.Diff(overGRPC.out, overHTTP.out); diff != "" {
			t.Errorf("lro %q (-gRPC +HTTP):\n%s", tt.args, diff)
		}
	}
}

// TestLargeAnswers: an answer over the command's limit names the option that
// raises it.
func TestLargeAnswers(t *testing.T) {
	t.Parallel()
	srv := &lrotest.Server{}
	srv.Add("operations/x", lrotest.Succeeded(wrapperspb.String(strings.Repeat("x", 2<<20))))
	handler, err := lrohttp.NewHandler(srv)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(handler)
	t.Cleanup(web.Close)
	for _, reach := range [][]string{{"--url", web.URL}, {"--addr", serveForeign(t, srv, false), "--plaintext"}} {
		for _, verb := range [][]string{{"get", "operations/x"}, {"wait", "operations/x"}, {"list"}} {
			args := slices.Concat(verb, []string{"--output", "json", "--max-message", "1"}, reach)
			got := runCommand(t, nil, args...)
			if got.status != 1 || !strings.Contains(got.err, "RESOURCE_EXHAUSTED") || !strings.HasSuffix(got.err, "\n--max-message MIB raises the limit\n") || strings.Contains(got.err, "raise it with") {
				t.Errorf("lro %q = %+v, want a line that names --max-message", args, got)
			}
			args[len(verb)+3] = "3"
			if got := runCommand(t, nil, args...); got.status != 0 || len(got.out) < 2<<20 {
				t.Errorf("lro %q = status %d, %q, want the operation", args, got.status, got.err)
			}
		}
	}
}

func TestDoctorOfOtherServices(t *testing.T) {
	t.Parallel()
	srv := &lrotest.Server{Without: []lrotest.RPC{lrotest.WaitOperation, lrotest.DeleteOperation}}
	got := runCommand(t, nil, "doctor", "--addr", serveForeign(t, srv, false), "--plaintext")
	for _, want := range []string{
		"GetOperation      yes\n",
		"WaitOperation     no  (UNIMPLEMENTED",
		"DeleteOperation   no  (UNIMPLEMENTED",
		"lro.v1.Starter    no\n",
		"reflection        no\n",
		"health            no\n",
		"waiting           polling with GetOperation: first after 100ms, then at growing intervals of at most 20s  (the service has no WaitOperation)\n",
	} {
		if got.status != 0 || !strings.Contains(got.out, want) {
			t.Errorf("lro doctor = %+v\nwant %q", got, want)
		}
	}
	srv = &lrotest.Server{Without: []lrotest.RPC{lrotest.GetOperation}}
	got = runCommand(t, nil, "doctor", "--addr", serveForeign(t, srv, false), "--plaintext")
	if got.status != 1 || !strings.Contains(got.out, "waiting           not at all  (the service has no GetOperation)\n") {
		t.Errorf("lro doctor of a service without GetOperation = %+v, want status 1", got)
	}
}

// TestNothingServed: a web server that serves no operations is told from a
// service that does not know one, however it says so.
func TestNothingServed(t *testing.T) {
	t.Parallel()
	handler, err := lrohttp.NewHandler(&lrotest.Server{})
	if err != nil {
		t.Fatal(err)
	}
	gateway := func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"code":5,"message":"Not Found","details":[]}`))
	}
	tests := []struct {
		name, prefix string
		served       bool
		answer       http.HandlerFunc
	}{
		{"grpc-gateway", "", false, func(w http.ResponseWriter, _ *http.Request) { gateway(w) }},
		{"nonsense below grpc-gateway", "/api/v7", false, func(w http.ResponseWriter, _ *http.Request) { gateway(w) }},
		{"Express", "", false, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusNotFound)
			_, _ = fmt.Fprintf(w, "<!DOCTYPE html><html><body><pre>Cannot %s %s</pre></body></html>", r.Method, r.URL.Path)
		}},
		{"Nest", "", false, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusNotFound)
			_, _ = fmt.Fprintf(w, `{"message":"Cannot %s %s","error":"Not Found","statusCode":404}`, r.Method, r.URL.Path)
		}},
		{"a service", "", true, handler.ServeHTTP},
		{"nonsense below a service", "/v1/nonsense", false, handler.ServeHTTP},
		{"nonsense far below a service", "/v1/a/b", false, handler.ServeHTTP},
		{"the version twice", "/v1/v1", false, handler.ServeHTTP},
		{"a service of few words", "", true, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/v1/operations" {
				handler.ServeHTTP(w, r)
				return
			}
			gateway(w)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			web := httptest.NewServer(tt.answer)
			t.Cleanup(web.Close)
			url := web.URL + tt.prefix
			doctor := runCommand(t, nil, "doctor", "--url", url)
			if tt.served != (doctor.status == 0 && strings.Contains(doctor.out, "GetOperation      yes\n")) {
				t.Errorf("lro doctor = %+v, want it served: %t", doctor, tt.served)
			}
			if !tt.served && !strings.Contains(doctor.out, "waiting           not at all") {
				t.Errorf("lro doctor = %s, want no waiting", doctor.out)
			}
			if tt.name == "a service of few words" {
				return // no telling for lro get
			}
			get := runCommand(t, nil, "get", "--url", url, "operations/x")
			if asks := strings.Contains(get.err, "is the path of --url right?"); get.status != 1 || asks == tt.served {
				t.Errorf("lro get = %+v, want it served: %t", get, tt.served)
			}
		})
	}
}

// TestGoogleCredentials gets a token the way Google's clients do: from the
// endpoint that a service account's key names.
func TestGoogleCredentials(t *testing.T) {
	t.Parallel()
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"access_token":"issued","token_type":"Bearer","expires_in":3600}`))
	}))
	t.Cleanup(issuer.Close)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	account, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "test@example.com", "private_key_id": "1",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"token_uri":   issuer.URL,
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "account.json")
	if err := os.WriteFile(path, account, 0o600); err != nil {
		t.Fatal(err)
	}
	files, err := certs.Make(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	creds, err := credentials.NewServerTLSFromFile(files.ServerCert, files.ServerKey)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var seen []string
	srv := &lrotest.Server{OnCall: func(_ context.Context, c lrotest.Call) error {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, c.Metadata.Get("authorization")...)
		return nil
	}}
	srv.Add("operations/x", lrotest.Succeeded(nil))
	addr := serveForeign(t, srv, false, grpc.Creds(creds))
	cmd := command(t, "get", "--addr", addr, "--ca", files.CA, "--google", "operations/x")
	cmd.Env = append(os.Environ(), "GOOGLE_APPLICATION_CREDENTIALS="+path)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("lro get --google: %v\n%s", err, out)
	}
	if len(seen) != 1 || seen[0] != "Bearer issued" {
		t.Errorf("the service saw %q, want the issued token", seen)
	}
}

// TestManyOperations lists 100,000 operations, page by page.
func TestManyOperations(t *testing.T) {
	t.Parallel()
	const n = 100_000
	pages := make([]*longrunningpb.ListOperationsResponse, 0, n/1000)
	for i := range n {
		if i%1000 == 0 {
			pages = append(pages, &longrunningpb.ListOperationsResponse{NextPageToken: fmt.Sprint(len(pages) + 1)})
		}
		page := pages[len(pages)-1]
		page.Operations = append(page.Operations, &longrunningpb.Operation{Name: fmt.Sprintf("operations/%06d", i)})
	}
	pages[len(pages)-1].NextPageToken = ""
	addr := serveForeign(t, pager{pages: pages}, false)
	for _, format := range []string{"text", "json"} {
		got := runCommand(t, nil, "list", "--all", "--output", format, "--addr", addr, "--plaintext")
		if lines := strings.Count(got.out, "\n"); got.status != 0 || lines != n || got.err != "" {
			t.Errorf("list of %d operations as %s: status %d, %d lines, %q", n, format, got.status, lines, got.err)
		}
	}
}

// pager is a service that has pages.
type pager struct {
	longrunningpb.UnimplementedOperationsServer
	pages []*longrunningpb.ListOperationsResponse
}

func (p pager) ListOperations(_ context.Context, req *longrunningpb.ListOperationsRequest) (*longrunningpb.ListOperationsResponse, error) {
	i := 0
	if req.GetPageToken() != "" {
		if _, err := fmt.Sscan(req.GetPageToken(), &i); err != nil {
			return nil, err
		}
	}
	return p.pages[i], nil
}
