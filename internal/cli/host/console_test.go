package host

import (
	"bufio"
	"context"
	"encoding/base64"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/credentials/insecure"

	"github.com/go-lro/lro/lropb"
)

func TestConsole(t *testing.T) {
	t.Parallel()
	addr := serve(t, Config{})
	op, err := lropb.NewStarterClient(dial(t, addr, insecure.NewCredentials())).
		StartOperation(t.Context(), &lropb.StartOperationRequest{Kind: "simulate"})
	if err != nil {
		t.Fatal(err)
	}
	code, body := fetch(t, client(t, nil), "http://"+addr+"/operation?name="+op.GetName())
	if code != http.StatusOK || !strings.Contains(body, "lro get --addr "+addr+" --plaintext "+op.GetName()) {
		t.Errorf("GET the page of an operation = %d, want the command for it in\n%s", code, body)
	}
}

// TestConsoleHosts: a page of another site whose name resolves to this machine
// gets nothing.
func TestConsoleHosts(t *testing.T) {
	t.Parallel()
	addr := serve(t, Config{Hosts: []string{}})
	for host, want := range map[string]int{"evil.example": http.StatusForbidden, "localhost": http.StatusOK} {
		for _, path := range []string{"/", "/v1/operations"} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Host = host
			resp, err := client(t, nil).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != want {
				t.Errorf("GET %s of %q = %d, want %d", path, host, resp.StatusCode, want)
			}
		}
	}
}

func TestConsoleTokens(t *testing.T) {
	t.Parallel()
	const token = "a-token-of-some-length"
	path := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(path, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	tokens, err := ReadTokens(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	addr := serve(t, Config{Tokens: tokens})
	basic := func(user, password string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	}
	for authorization, want := range map[string]int{
		"": 401, basic("", token): 200, basic("anybody", token): 200, basic(token, "x"): 401, basic("", token+"x"): 401,
		"Bearer " + token: 200, "Basic " + token: 401,
	} {
		var header []string
		if authorization != "" {
			header = []string{"Authorization", authorization}
		}
		if code, body := fetch(t, client(t, nil), "http://"+addr+"/", header...); code != want {
			t.Errorf("GET / with %q = %d %.80s, want %d", authorization, code, body, want)
		}
	}
}

// TestConsoleStop: an open live page does not delay the end of the server.
func TestConsoleStop(t *testing.T) {
	t.Parallel()
	h, err := Open(t.Context(), Config{DB: filepath.Join(t.TempDir(), "test.db"), Grace: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var running sync.WaitGroup
	running.Go(func() {
		if err := h.Serve(ctx, listener); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+listener.Addr().String()+"/events?page=overview", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client(t, nil).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	if !lines.Scan() || lines.Text() != "event: hello" {
		t.Fatalf("stream begins with %q, %v", lines.Text(), lines.Err())
	}
	begin := time.Now()
	stop()
	running.Wait()
	if time.Since(begin) >= 30*time.Second {
		t.Error("Serve waited for a live page")
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
}
