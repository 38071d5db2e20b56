package host

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server/guard"
)

const someToken = "a-token-of-some-length"

func writeTokens(t *testing.T, path string, lines ...string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
}

// readTokens makes tokens of a file with these lines.
func readTokens(t *testing.T, lines ...string) *Tokens {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokens")
	writeTokens(t, path, lines...)
	tokens, err := ReadTokens(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

// TestStrangersAreCheap sends what would take hundreds of MB as messages, without
// a token.
func TestStrangersAreCheap(t *testing.T) { // not parallel: it measures memory
	addr := serve(t, Config{Tokens: readTokens(t, someToken)})
	const size = 4<<20 - 1000
	body := `{"kind":"simulate","request":{"@type":"type.googleapis.com/google.protobuf.ListValue","value":[` +
		strings.Repeat("0,", size/2-100) + "0]}}"
	c := client(t, nil)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	resp, err := c.Post("http://"+addr+"/v1/operations:start", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	runtime.ReadMemStats(&after)
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("POST = %d %s, %v, want 401", resp.StatusCode, answer, err)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > size/2 {
		t.Errorf("a stranger's request of %d bytes took %d", len(body), got)
	}
}

// TestUnauthenticated: the error is the same over both transports, with an
// ErrorInfo, and nothing of the message is needed for it.
func TestUnauthenticated(t *testing.T) {
	t.Parallel()
	addr := serve(t, Config{Tokens: readTokens(t, someToken)})
	conn := dial(t, addr, insecure.NewCredentials())
	for authorization, reason := range map[string]string{"": "CREDENTIALS_MISSING", "Basic x": "CREDENTIALS_MISSING", "Bearer nonsense": "TOKEN_UNKNOWN"} {
		ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", authorization)
		st := status.Convert(list(ctx, conn))
		if details := st.Details(); st.Code() != codes.Unauthenticated || len(details) != 1 || details[0].(*errdetails.ErrorInfo).GetReason() != reason {
			t.Errorf("gRPC with %q: %v %v, want UNAUTHENTICATED and %s", authorization, st, details, reason)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+"/v1/operations", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", authorization)
		resp, err := client(t, nil).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 401 || resp.Header.Get("WWW-Authenticate") != "Bearer" || !strings.Contains(string(body), `"reason":"`+reason+`"`) {
			t.Errorf("HTTP with %q: %d %v %s, want 401, WWW-Authenticate and %s", authorization, resp.StatusCode, resp.Header, body, reason)
		}
	}
}

// TestLimits: the servers of a host have the limits of package guard.
func TestLimits(t *testing.T) {
	t.Parallel()
	addr := serve(t, Config{})
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, preface); err != nil {
		t.Fatal(err)
	}
	frame, err := http2.NewFramer(conn, conn).ReadFrame()
	settings, ok := frame.(*http2.SettingsFrame)
	if err != nil || !ok {
		t.Fatalf("first frame is %v, %v", frame, err)
	}
	if got, _ := settings.Value(http2.SettingMaxConcurrentStreams); got != guard.DefaultStreams {
		t.Errorf("a gRPC connection may have %d streams, want %d", got, guard.DefaultStreams)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+"/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X", strings.Repeat("x", 2*guard.DefaultHeaderSize))
	resp, err := client(t, nil).Do(req)
	if err != nil {
		return // the connection was closed before all was sent
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("headers that are too large: %s, want 431", resp.Status)
	}
}

// TestCompressed: gRPC clients may compress, which this test registers nowhere,
// and the limit of a message is that of what comes out.
func TestCompressed(t *testing.T) {
	t.Parallel()
	conn := dial(t, serve(t, Config{}), insecure.NewCredentials())
	start := func(size int) error {
		packed, err := anypb.New(wrapperspb.String(strings.Repeat("x", size)))
		if err != nil {
			t.Fatal(err)
		}
		_, err = lropb.NewStarterClient(conn).StartOperation(t.Context(),
			&lropb.StartOperationRequest{Kind: "simulate", Request: packed}, grpc.UseCompressor("gzip"))
		return err
	}
	if err := start(1000); status.Code(err) != codes.InvalidArgument { // not what the kind takes
		t.Errorf("a compressed request: %v, want INVALID_ARGUMENT of the kind", err)
	}
	if err := start(64 << 20); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a compressed request of 64 MiB: %v, want RESOURCE_EXHAUSTED", err)
	}
}

// TestNoTLS: who speaks without TLS to a port that has it hears why.
func TestNoTLS(t *testing.T) {
	t.Parallel()
	files, _ := pki(t)
	config, err := TLSFiles{Cert: files.ServerCert, Key: files.ServerKey}.TLS(nil)
	if err != nil {
		t.Fatal(err)
	}
	addr := serve(t, Config{TLS: config})
	for _, verb := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
		req, err := http.NewRequestWithContext(t.Context(), verb, "http://"+addr+"/v1/operations", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client(t, nil).Do(req)
		if err != nil {
			t.Fatalf("%s without TLS: %v", verb, err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(body), "TLS only: use https") {
			t.Errorf("%s without TLS = %d %q, %v", verb, resp.StatusCode, body, err)
		}
	}
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "EHLO example\r\n"); err != nil {
		t.Fatal(err)
	}
	if answer, _ := io.ReadAll(conn); bytes.Contains(answer, []byte("TLS alone")) {
		t.Errorf("a client of another protocol got %q", answer)
	}
}

// TestMetricsShowLimits: what may run at once, and what waits.
func TestMetricsShowLimits(t *testing.T) {
	t.Parallel()
	addr := serve(t, Config{Metrics: true, Concurrency: 7, Kinds: map[string]int{"simulate": 1}})
	starter := lropb.NewStarterClient(dial(t, addr, insecure.NewCredentials()))
	packed, err := anypb.New(&lropb.SimulateRequest{Duration: durationpb.New(time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := starter.StartOperation(t.Context(), &lropb.StartOperationRequest{Kind: "simulate", Request: packed}); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		`lro_attempts_limit{kind=""} 7`, `lro_attempts_limit{kind="simulate"} 1`,
		`lro_operations_pending{kind="checksum"} 0`, `lro_operations_pending{kind="simulate"} 2`, `lro_attempts_running{kind="simulate"} 1`,
	}
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) { // sleep: the attempt begins in its own time
		_, body := fetch(t, client(t, nil), "http://"+addr+"/metrics")
		missing := slices.DeleteFunc(slices.Clone(want), func(line string) bool { return strings.Contains(body, line+"\n") })
		if len(missing) == 0 {
			return
		}
		if time.Since(begin) > 30*time.Second {
			t.Fatalf("metrics have no %q:\n%s", missing, body)
		}
	}
}
