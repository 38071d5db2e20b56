package host

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro/internal/cli/certs"
	"github.com/go-lro/lro/lropb"
)

// serve runs a host until the test ends and returns its address.
func serve(t *testing.T, c Config) string {
	t.Helper()
	c.DB, c.Drain, c.Grace = filepath.Join(t.TempDir(), "test.db"), -1, time.Second
	h, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := h.Serve(ctx, listener); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	t.Cleanup(func() {
		cancel()
		running.Wait()
		if err := h.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return listener.Addr().String()
}

func dial(t *testing.T, addr string, creds credentials.TransportCredentials) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(creds))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// list calls the service over gRPC.
func list(ctx context.Context, conn *grpc.ClientConn) error {
	_, err := longrunningpb.NewOperationsClient(conn).ListOperations(ctx, &longrunningpb.ListOperationsRequest{Name: "operations"})
	return err
}

// fetch calls it over HTTP.
func fetch(t *testing.T, c *http.Client, url string, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// client returns an HTTP client that leaves no connection behind.
func client(t *testing.T, c *tls.Config) *http.Client {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: c}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func TestOnePort(t *testing.T) {
	t.Parallel()
	addr := serve(t, Config{Metrics: true})
	conn := dial(t, addr, insecure.NewCredentials())
	if err := list(t.Context(), conn); err != nil {
		t.Errorf("gRPC: %v", err)
	}
	if _, err := lropb.NewStarterClient(conn).StartOperation(t.Context(), &lropb.StartOperationRequest{Kind: "simulate"}); err != nil {
		t.Errorf("start: %v", err)
	}
	health, err := healthpb.NewHealthClient(conn).Check(t.Context(), &healthpb.HealthCheckRequest{})
	if err != nil || health.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("health = %v, %v, want SERVING", health, err)
	}
	c := client(t, nil)
	for path, want := range map[string]string{
		"/v1/operations": `"operations/`,
		"/v1/kinds":      `"simulate"`,
		"/healthz":       "ok\n",
		"/readyz":        "ok\n",
		"/metrics":       `lro_starts_total{kind="simulate",code="OK"} 1`,
	} {
		if code, body := fetch(t, c, "http://"+addr+path); code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("GET %s = %d %s, want 200 and %q", path, code, body, want)
		}
	}
	if code, body := fetch(t, c, "http://"+addr+"/v1/nonsense"); code != http.StatusNotFound || !strings.Contains(body, `"status":"NOT_FOUND"`) {
		t.Errorf("GET /v1/nonsense = %d %s, want an error of AIP-193", code, body)
	}
}

func TestNoMetricsUnlessAskedFor(t *testing.T) {
	t.Parallel()
	addr := serve(t, Config{})
	if code, _ := fetch(t, client(t, nil), "http://"+addr+"/metrics"); code != http.StatusNotFound {
		t.Errorf("GET /metrics = %d, want 404", code)
	}
}

func TestOtherOriginsAreRefused(t *testing.T) {
	t.Parallel()
	addr := serve(t, Config{})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+"/v1/operations:start", strings.NewReader(`{"kind":"simulate"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	resp, err := client(t, nil).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("POST from a page of another site = %d, want 403", resp.StatusCode)
	}
}

// pki makes certificates and what clients need of them.
func pki(t *testing.T) (certs.Files, *x509.CertPool) {
	t.Helper()
	files, err := certs.Make(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(files.CA)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return files, pool
}

func TestTLS(t *testing.T) {
	t.Parallel()
	files, pool := pki(t)
	for _, mutual := range []bool{false, true} {
		names := TLSFiles{Cert: files.ServerCert, Key: files.ServerKey}
		if mutual {
			names.ClientCA = files.CA
		}
		config, err := names.TLS(nil)
		if err != nil {
			t.Fatal(err)
		}
		addr := serve(t, Config{TLS: config})
		stranger := &tls.Config{RootCAs: pool}
		known := stranger.Clone()
		pair, err := tls.LoadX509KeyPair(files.ClientCert, files.ClientKey)
		if err != nil {
			t.Fatal(err)
		}
		known.Certificates = []tls.Certificate{pair}

		if err := list(t.Context(), dial(t, addr, credentials.NewTLS(known))); err != nil {
			t.Errorf("gRPC, mutual %t: %v", mutual, err)
		}
		if code, body := fetch(t, client(t, known.Clone()), "https://"+addr+"/v1/operations"); code != http.StatusOK {
			t.Errorf("HTTPS, mutual %t: %d %s", mutual, code, body)
		}
		// A browser offers both protocols, and must not end at gRPC.
		both := known.Clone()
		both.NextProtos = []string{"h2", "http/1.1"}
		if code, _ := fetch(t, client(t, both), "https://"+addr+"/healthz"); code != http.StatusOK {
			t.Errorf("HTTPS with ALPN h2 and http/1.1, mutual %t: %d", mutual, code)
		}

		err = list(t.Context(), dial(t, addr, credentials.NewTLS(stranger.Clone())))
		if got, want := status.Code(err), codes.Unavailable; mutual && got != want || !mutual && err != nil {
			t.Errorf("gRPC without a certificate, mutual %t: %v", mutual, err)
		}
		resp, err := client(t, stranger.Clone()).Get("https://" + addr + "/healthz")
		if err == nil {
			resp.Body.Close()
		}
		if mutual != (err != nil) {
			t.Errorf("HTTPS without a certificate, mutual %t: %v", mutual, err)
		}
		if err := list(t.Context(), dial(t, addr, insecure.NewCredentials())); status.Code(err) != codes.Unavailable {
			t.Errorf("gRPC in plain text to a TLS server: %v, want UNAVAILABLE", err)
		}
	}
}

func TestTLSFiles(t *testing.T) {
	t.Parallel()
	files, _ := pki(t)
	for _, f := range []TLSFiles{
		{ClientCA: files.CA},
		{Cert: files.ServerCert},
		{Cert: files.ServerCert, Key: files.ClientKey},
		{Cert: files.ServerCert, Key: files.ServerKey, ClientCA: files.ServerKey},
		{Cert: files.ServerCert, Key: files.ServerKey, ClientCA: "missing.pem"},
	} {
		if c, err := f.TLS(nil); err == nil {
			t.Errorf("%+v.TLS() = %v, want an error", f, c)
		}
	}
	if c, err := (TLSFiles{}).TLS(nil); c != nil || err != nil {
		t.Errorf("TLS() without files = %v, %v, want none", c, err)
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	const token = "a-token-of-some-length"
	path := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(path, []byte("# who may call\n\nanother-token-of-some-length\n"+token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tokens, err := ReadTokens(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	addr := serve(t, Config{Tokens: tokens, Metrics: true})
	conn := dial(t, addr, insecure.NewCredentials())
	c := client(t, nil)
	for _, tt := range []struct {
		authorization string
		code          codes.Code
		http          int
	}{
		{"Bearer " + token, codes.OK, 200},
		{"bearer " + token, codes.OK, 200},
		{"Bearer another-token-of-some-length", codes.OK, 200},
		{"", codes.Unauthenticated, 401},
		{"Bearer ", codes.Unauthenticated, 401},
		{"Bearer " + token + "x", codes.Unauthenticated, 401},
		{"Bearer # who may call", codes.Unauthenticated, 401},
		{"Basic " + token, codes.Unauthenticated, 401},
		{token, codes.Unauthenticated, 401},
	} {
		ctx := t.Context()
		if tt.authorization != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, "authorization", tt.authorization)
		}
		if err := list(ctx, conn); status.Code(err) != tt.code {
			t.Errorf("gRPC with %q = %v, want %v", tt.authorization, err, tt.code)
		}
		var header []string
		if tt.authorization != "" {
			header = []string{"Authorization", tt.authorization}
		}
		for _, path := range []string{"/v1/operations", "/metrics"} {
			if code, body := fetch(t, c, "http://"+addr+path, header...); code != tt.http {
				t.Errorf("GET %s with %q = %d %s, want %d", path, tt.authorization, code, body, tt.http)
			}
		}
		if code, _ := fetch(t, c, "http://"+addr+"/healthz", header...); code != 200 {
			t.Errorf("GET /healthz with %q = %d, want 200", tt.authorization, code)
		}
	}
	if _, err := healthpb.NewHealthClient(conn).Check(t.Context(), &healthpb.HealthCheckRequest{}); err != nil {
		t.Errorf("health without a token: %v", err)
	}
}

func TestReadTokens(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                         "has no token",
		"# nothing\n":              "has no token",
		"short\n":                  "line 1 has a token of fewer than 16 characters",
		"\na-token and-more-of-it": "line 2 is more than one word",
	} {
		path := filepath.Join(t.TempDir(), "tokens")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadTokens(path, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ReadTokens of %q = %v, want %q", text, err, want)
		}
	}
	if _, err := ReadTokens("missing", nil); err == nil {
		t.Error("ReadTokens of a missing file succeeded")
	}
}
