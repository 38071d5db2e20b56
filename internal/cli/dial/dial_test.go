package dial

import (
	"context"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro/internal/cli/certs"
	"github.com/go-lro/lro/internal/cli/exit"
	"github.com/go-lro/lro/internal/cli/payload"
	"github.com/go-lro/lro/internal/cli/term"
	"github.com/go-lro/lro/internal/leak"
	"github.com/go-lro/lro/lrotest"
)

func TestMain(m *testing.M) { leak.Main(m) }

// flags parses a command line in an environment.
func flags(t *testing.T, env map[string]string, args ...string) *Flags {
	t.Helper()
	f := &Flags{}
	cmd := &cobra.Command{Use: "x", RunE: func(*cobra.Command, []string) error { return nil }, SilenceErrors: true, SilenceUsage: true}
	f.AddTo(cmd, &term.IO{Getenv: func(name string) string { return env[name] }})
	cmd.SetArgs(args)
	if err := cmd.Execute(); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestComplete(t *testing.T) {
	t.Parallel()
	type env = map[string]string
	tests := []struct {
		name string
		env  env
		args []string
		want Flags
		err  string
	}{
		{name: "nothing", err: "no service address"},
		{name: "addr", args: []string{"--addr", "host:1"}, want: Flags{Addr: "host:1"}},
		{name: "IPv6", args: []string{"--addr", "[::1]:1"}, want: Flags{Addr: "[::1]:1"}},
		{name: "variable", env: env{"LRO_ADDR": "host:1", "LRO_PLAINTEXT": "1"}, want: Flags{Addr: "host:1", Plaintext: true}},
		{name: "false", env: env{"LRO_ADDR": "host:1", "LRO_PLAINTEXT": "false"}, want: Flags{Addr: "host:1"}},
		{name: "flag wins", env: env{"LRO_URL": "http://x"}, args: []string{"--addr", "host:1"}, want: Flags{Addr: "host:1"}},
		{name: "flag wins, too", env: env{"LRO_ADDR": "host:1", "LRO_PLAINTEXT": "1"}, args: []string{"--url", "http://x"}, want: Flags{URL: "http://x"}},
		{name: "both variables", env: env{"LRO_ADDR": "host:1", "LRO_URL": "http://x"}, err: "both set"},
		{name: "no port", args: []string{"--addr", "host"}, err: "not of the form host:port"},
		{name: "empty port", args: []string{"--addr", "host:"}, err: "not of the form host:port"},
		{name: "scheme", args: []string{"--addr", "http://host:1"}, err: "not of the form host:port"},
		{name: "no host", args: []string{"--url", "https://"}, err: "not of the form"},
		{name: "other scheme", args: []string{"--url", "file:///x"}, err: "not of the form"},
		{name: "plaintext URL", args: []string{"--url", "https://x", "--plaintext"}, err: "begin --url with http://"},
		{name: "plaintext CA", args: []string{"--addr", "x:1", "--plaintext", "--ca", "f"}, err: "cannot be used with --ca"},
		{name: "plaintext forgets variables", env: env{"LRO_CA": "f", "LRO_CERT": "c", "LRO_KEY": "k"}, args: []string{"--addr", "x:1", "--plaintext"}, want: Flags{Addr: "x:1", Plaintext: true}},
		{name: "certificates", env: env{"LRO_CA": "f", "LRO_CERT": "c", "LRO_KEY": "k"}, args: []string{"--addr", "x:1"}, want: Flags{Addr: "x:1", CA: "f", Cert: "c", Key: "k"}},
		{name: "token", env: env{"LRO_TOKEN": "t"}, args: []string{"--addr", "x:1"}, want: Flags{Addr: "x:1", TokenVar: "LRO_TOKEN"}},
		{name: "token file first", env: env{"LRO_TOKEN": "t", "LRO_TOKEN_FILE": "f"}, args: []string{"--addr", "x:1"}, want: Flags{Addr: "x:1", TokenFile: "f"}},
		{name: "google first", env: env{"LRO_TOKEN": "t", "LRO_TOKEN_FILE": "f"}, args: []string{"--addr", "x:1", "--google"}, want: Flags{Addr: "x:1", Google: true}},
		{name: "no room", args: []string{"--addr", "x:1", "--max-message", "0"}, err: "--max-message 0 is not a number of MiB from 1 to 2047"},
		{name: "too much room", args: []string{"--addr", "x:1", "--max-message", "2048"}, err: "--max-message 2048 is not"},
		{name: "no such variable", args: []string{"--addr", "x:1", "--token-env", "NONE"}, err: "the variable is not set"},
		{name: "token in the clear", env: env{"LRO_TOKEN": "t"}, args: []string{"--addr", "x:1", "--plaintext"}, err: "credentials are not sent without TLS"},
		{name: "token to this machine", env: env{"LRO_TOKEN": "t"}, args: []string{"--addr", "127.0.0.9:1", "--plaintext"}, want: Flags{Addr: "127.0.0.9:1", Plaintext: true, TokenVar: "LRO_TOKEN"}},
		{name: "token in the clear over HTTP", env: env{"LRO_TOKEN": "t"}, args: []string{"--url", "http://x.localhost.example.com"}, err: "credentials are not sent without TLS"},
		{name: "token to this machine over HTTP", env: env{"LRO_TOKEN": "t"}, args: []string{"--url", "http://[::1]:8"}, want: Flags{URL: "http://[::1]:8", TokenVar: "LRO_TOKEN"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := flags(t, tt.env, tt.args...).complete()
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("complete %q in %v = %v, want %q", tt.args, tt.env, err, tt.err)
				}
				return
			}
			got.io, got.silence, got.MaxMiB = nil, silence{}, 0
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(Flags{}, silence{})); err != nil || diff != "" {
				t.Errorf("complete %q in %v: %v (-want +got):\n%s", tt.args, tt.env, err, diff)
			}
		})
	}
}

func TestAgain(t *testing.T) {
	t.Parallel()
	args := []string{
		"--addr", "host:1", "--ca", "my ca.pem", "--token-file", "t", "--header", "X-A: it's", "--header", "b: c", "--max-message", "100",
	}
	want := `--addr host:1 --ca 'my ca.pem' --token-file t --header 'X-A: it'\''s' --header 'b: c' --max-message 100`
	if got := flags(t, map[string]string{"LRO_TOKEN": "secret"}, args...).Again(); got != want {
		t.Errorf("Again of %q = %s, want %s", args, got, want)
	}
}

func TestHeadersAndTokensOfBothTransports(t *testing.T) {
	t.Parallel()
	files, err := certs.Make(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	token := filepath.Join(t.TempDir(), "token")
	srv := &lrotest.Server{}
	srv.Add("operations/x", lrotest.Succeeded(nil))
	seen := make(chan metadata.MD, 1)
	srv.OnCall = func(_ context.Context, c lrotest.Call) error {
		seen <- c.Metadata
		return nil
	}
	web := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		md := metadata.MD{}
		for name, values := range r.Header {
			md.Append(name, values...)
		}
		seen <- md
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"name":"operations/x","done":true}`))
	}))
	t.Cleanup(web.Close)
	webCA := filepath.Join(t.TempDir(), "web.pem")
	if err := os.WriteFile(webCA, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, reach := range [][]string{
		{"--addr", serveTLS(t, files, srv), "--ca", files.CA},
		{"--url", web.URL, "--ca", webCA},
	} {
		args := append(reach, "--token-file", token, "--header", "X-One: 1", "--header", "x-one: 2")
		if err := os.WriteFile(token, []byte("first\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := flags(t, nil, args...).Open(t.Context(), payload.Local{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		// The second token is written while the connection is in use.
		for _, want := range []string{"first", "second"} {
			if err := os.WriteFile(token, []byte(want+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := s.GetOperation(t.Context(), &longrunningpb.GetOperationRequest{Name: "operations/x"}); err != nil {
				t.Fatalf("%q: %v", args, err)
			}
			md := <-seen
			if got := md.Get("authorization"); len(got) != 1 || got[0] != "Bearer "+want {
				t.Errorf("%q: authorization %q, want %q", args, got, "Bearer "+want)
			}
			if got := strings.Join(md.Get("x-one"), ", "); got != "1, 2" {
				t.Errorf("%q: x-one %q, want both values", args, got)
			}
		}
	}
}

// serveTLS runs a server until the test ends and returns its address.
func serveTLS(t *testing.T, files certs.Files, srv longrunningpb.OperationsServer) string {
	t.Helper()
	creds, err := credentials.NewServerTLSFromFile(files.ServerCert, files.ServerKey)
	if err != nil {
		t.Fatal(err)
	}
	g := grpc.NewServer(grpc.Creds(creds))
	longrunningpb.RegisterOperationsServer(g, srv)
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

func TestSecretsStayOut(t *testing.T) {
	t.Parallel()
	const secret = "se cret"
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"--addr", "127.0.0.1:1", "--token-file", path},
		{"--addr", "127.0.0.1:1", "--token-env", "SECRET"},
	} {
		_, err := flags(t, map[string]string{"SECRET": secret}, args...).Open(t.Context(), payload.Local{})
		if exit.Of(err) != exit.Usage || strings.Contains(err.Error(), secret) || !strings.Contains(err.Error(), "more than one word") {
			t.Errorf("%q: %v, want a usage error without the token", args, err)
		}
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	s := &Service{Target: "HOST"}
	tests := []struct {
		err  error
		want string
		hint string
	}{
		{status.Error(codes.NotFound, "no such directory"), "get at HOST: NOT_FOUND: no such directory", ""},
		{status.Error(codes.Canceled, ""), "get at HOST: CANCELLED", ""},
		{status.Error(codes.Unauthenticated, "who?"), "get at HOST: UNAUTHENTICATED: who?", "--token-file"},
		{status.Error(codes.Unimplemented, "no"), "get at HOST: UNIMPLEMENTED: no", "lro doctor"},
		{status.Error(codes.DeadlineExceeded, "late"), "get at HOST: DEADLINE_EXCEEDED: late", "did not answer in time"},
		{
			status.Error(codes.Unavailable, `connection error: desc = "transport: Error while dialing: dial tcp: refused"`),
			"get at HOST: UNAVAILABLE: Error while dialing: dial tcp: refused", "is the service running",
		},
		{
			status.Error(codes.Unavailable, `connection error: desc = "transport: authentication handshake failed: tls: first record does not look like a TLS handshake"`),
			"get at HOST: UNAVAILABLE: authentication handshake failed: tls: first record does not look like a TLS handshake", "--plaintext",
		},
		{detailed(t, codes.Unavailable, "the store is unavailable"), "get at HOST: UNAVAILABLE: the store is unavailable", ""},
		{
			status.Error(codes.Unavailable, `net/http: HTTP/1.x transport connection broken: malformed HTTP response "\x00\x00\x06\x04\x00"`),
			"get at HOST: UNAVAILABLE: the answer is HTTP/2, as for gRPC, and not HTTP/1.1", "that port speaks gRPC: give --addr",
		},
		{errors.New("other"), "get at HOST: other", ""},
	}
	for _, tt := range tests {
		err := s.Explain(t.Context(), "get", tt.err)
		if err.Error() != tt.want || !strings.Contains(exit.HintOf(err), tt.hint) || tt.hint == "" && exit.HintOf(err) != "" {
			t.Errorf("Explain(%v) = %q, hint %q, want %q, hint with %q", tt.err, err, exit.HintOf(err), tt.want, tt.hint)
		}
		if !errors.Is(err, tt.err) {
			t.Errorf("Explain(%v) does not wrap it", tt.err)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(exit.ErrInterrupted)
	err := s.Explain(ctx, "get", status.Error(codes.Canceled, "context canceled"))
	if err.Error() != "get at HOST: interrupted" || exit.Of(err) != exit.Interrupted {
		t.Errorf("Explain after Ctrl-C = %q with status %d", err, exit.Of(err))
	}
	if err := s.Explain(t.Context(), "get", nil); err != nil {
		t.Errorf("Explain(nil) = %v", err)
	}
}

// detailed is an error as a service answers with it.
func detailed(t *testing.T, code codes.Code, message string) error {
	t.Helper()
	st, err := status.New(code, message).WithDetails(&errdetails.ErrorInfo{Reason: "WHY", Domain: "example.com"})
	if err != nil {
		t.Fatal(err)
	}
	return st.Err()
}

// Over HTTP an UNAVAILABLE of the service is distinguished from that of a proxy in
// front of it, and from a port with no listener or a gRPC server.
func TestExplainUnavailable(t *testing.T) {
	t.Parallel()
	proper := `{"error": {"code": 503, "status": "UNAVAILABLE", "message": "not now"}}`
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		want   string
	}{
		{"service", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(503)
			_, _ = w.Write([]byte(proper))
		}, ""},
		{"proxy", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(503)
			_, _ = w.Write([]byte("<html><title>Not now</title></html>"))
		}, "is the service running"},
		{"gRPC", func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = conn.Write([]byte("\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x05\x00\x00\x40\x00\n"))
			_ = conn.Close()
		}, "that port speaks gRPC"},
		{"nobody", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "is the service running"},
	} {
		server := httptest.NewServer(tt.answer)
		s, err := flags(t, nil, "--url", server.URL).Open(t.Context(), payload.Local{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.GetOperation(t.Context(), &longrunningpb.GetOperationRequest{Name: "operations/x"})
		err = s.ExplainOperation(t.Context(), "get", "operations/x", err)
		if hint := exit.HintOf(err); status.Code(err) != codes.Unavailable || !strings.HasPrefix(hint, tt.want) || tt.want == "" && hint != "" {
			t.Errorf("%s: %v, hint %q, want UNAVAILABLE, hint %q", tt.name, err, hint, tt.want)
		}
		s.Close()
		server.Close()
	}
}

// TestExplainPlaintext: a port with TLS, called without, is named as such.
func TestExplainPlaintext(t *testing.T) {
	t.Parallel()
	web := httptest.NewUnstartedServer(http.NotFoundHandler())
	web.EnableHTTP2 = true
	web.Config.ErrorLog = log.New(io.Discard, "", 0)
	web.StartTLS()
	t.Cleanup(web.Close)
	addr := web.Listener.Addr().String()
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"--addr", addr, "--plaintext"}, "the service does not speak gRPC in plain text here: leave --plaintext out"},
		{[]string{"--url", "http://" + addr}, "the service uses TLS: begin --url with https://"},
	} {
		s, err := flags(t, nil, tt.args...).Open(t.Context(), payload.Local{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.GetOperation(t.Context(), &longrunningpb.GetOperationRequest{Name: "operations/x"})
		err = s.ExplainOperation(t.Context(), "get", "operations/x", err)
		if hint := exit.HintOf(err); !strings.HasPrefix(hint, tt.want) {
			t.Errorf("%q: %v, hint %q, want %q", tt.args, err, hint, tt.want)
		}
		s.Close()
	}
}

// What sends people to lro doctor is left out where they are.
func TestExplainInDoctor(t *testing.T) {
	t.Parallel()
	s := &Service{Target: "HOST", Doctor: true}
	for _, code := range []codes.Code{codes.Unavailable, codes.DeadlineExceeded, codes.Unimplemented} {
		if hint := exit.HintOf(s.Explain(t.Context(), "get", status.Error(code, "why"))); strings.Contains(hint, "doctor") {
			t.Errorf("hint for %v = %q", code, hint)
		}
	}
}

// A name without a collection is taken for an ID where there is such an
// operation, and not where services have bare names.
func TestExplainName(t *testing.T) {
	t.Parallel()
	s := &Service{Target: "HOST", OperationsClient: knows("operations/x y")}
	for _, code := range []codes.Code{codes.NotFound, codes.InvalidArgument} {
		for name, want := range map[string]string{"x y": "did you mean 'operations/x y'?", "4b5e": "lro list shows the operations that the service knows"} {
			err := s.ExplainOperation(t.Context(), "get", name, status.Error(code, "why"))
			if got := exit.HintOf(err); got != want {
				t.Errorf("hint for %q, %v = %q, want %q", name, code, got, want)
			}
		}
	}
}

// knows is a service of one operation, by its name.
func knows(name string) longrunningpb.OperationsClient { return known{name: name} }

type known struct {
	longrunningpb.OperationsClient
	name string
}

func (k known) GetOperation(_ context.Context, req *longrunningpb.GetOperationRequest, _ ...grpc.CallOption) (*longrunningpb.Operation, error) {
	if req.GetName() != k.name {
		return nil, status.Error(codes.NotFound, "no")
	}
	return &longrunningpb.Operation{Name: k.name}, nil
}

func TestExplainOperation(t *testing.T) {
	t.Parallel()
	s := &Service{Target: "HOST"}
	for code, want := range map[codes.Code]string{
		codes.NotFound:    "lro list shows",
		codes.Unavailable: "is the service running",
		codes.Internal:    "",
	} {
		err := s.ExplainOperation(t.Context(), "get", "operations/x", status.Error(code, "why"))
		text := `get operation "operations/x" at HOST: ` + CodeName(code) + ": why"
		if hint := exit.HintOf(err); err.Error() != text || !strings.HasPrefix(hint, want) || want == "" && hint != "" {
			t.Errorf("ExplainOperation of %v = %q, hint %q, want %q, hint %q", code, err, hint, text, want)
		}
	}
}

// What a web server says about a path is told from what a service says about an
// operation.
func TestNoSuchPath(t *testing.T) {
	t.Parallel()
	proper := `{"error": {"code": 404, "status": "NOT_FOUND", "message": "the answer is 42"`
	tests := []struct {
		status int
		body   string
		want   bool
	}{
		{404, "<html><title>Not here</title></html>", true},
		{404, "", true},
		{404, "404 page not found\n", true},
		{404, proper + `, "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "PATH_NOT_FOUND"}]}}`, true},
		{404, proper + `, "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "OPERATION_NOT_FOUND"}]}}`, false},
		{404, `{"error": {"code": 404, "status": "NOT_FOUND", "message": "no such operation"}}`, false},
		{503, "<html><title>Not now</title></html>", false},
	}
	for _, tt := range tests {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(tt.status)
			_, _ = w.Write([]byte(tt.body))
		}))
		s, err := flags(t, nil, "--url", server.URL).Open(t.Context(), payload.Local{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.GetOperation(t.Context(), &longrunningpb.GetOperationRequest{Name: "operations/x"})
		if got := NoSuchPath(err); err == nil || got != tt.want {
			t.Errorf("NoSuchPath(%v) = %t, want %t", err, got, tt.want)
		}
		s.Close()
		server.Close()
	}
	if NoSuchPath(status.Error(codes.NotFound, "the answer is a page")) {
		t.Error("NoSuchPath of an error over gRPC = true")
	}
}

func TestCodeName(t *testing.T) {
	t.Parallel()
	for code, want := range map[codes.Code]string{
		codes.OK: "UNKNOWN", codes.Canceled: "CANCELLED", codes.InvalidArgument: "INVALID_ARGUMENT",
		codes.ResourceExhausted: "RESOURCE_EXHAUSTED", codes.Unauthenticated: "UNAUTHENTICATED", 99: "CODE(99)",
	} {
		if got := CodeName(code); got != want {
			t.Errorf("CodeName(%d) = %q, want %q", code, got, want)
		}
	}
}
