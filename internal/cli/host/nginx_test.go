package host

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro/internal/cli/certs"
)

// nginxConf is that of docs/serving.md: one port for gRPC and HTTP, TLS in front.
const nginxConf = `
daemon off; pid DIR/nginx.pid; error_log stderr warn; worker_processes 1;
events {}
http {
  access_log off; client_body_temp_path DIR; proxy_temp_path DIR; fastcgi_temp_path DIR; uwsgi_temp_path DIR; scgi_temp_path DIR;
  server {
    listen 127.0.0.1:PORT ssl http2;
    server_name lro.example;
    ssl_certificate CERT;
    ssl_certificate_key KEY;
    location / {
      proxy_pass http://UPSTREAM;
      proxy_http_version 1.1;
      HOST
      proxy_read_timeout 1h;
    }
    location ~ ^/(google\.longrunning|lro\.v1|grpc\.) {
      grpc_pass grpc://UPSTREAM;
      grpc_read_timeout 1h;
    }
  }
}
`

// nginx runs nginx before a server and returns its address.
func nginx(t *testing.T, upstream, hostLines string, files certs.Files) string {
	t.Helper()
	binary, err := exec.LookPath("nginx")
	if err != nil {
		binary = "/usr/sbin/nginx" // of Debian, where PATH may lack it
	}
	if _, err := os.Stat(binary); err != nil {
		t.Skip("nginx is not installed: make test-proxy installs it")
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	free.Close()
	_, port, _ := net.SplitHostPort(addr)
	dir := t.TempDir()
	conf := strings.NewReplacer("DIR", dir, "PORT", port, "CERT", files.ServerCert, "KEY", files.ServerKey, "UPSTREAM", upstream, "HOST", hostLines).Replace(nginxConf)
	path := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "-p", dir, "-c", path)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) { // sleep: a process of its own begins to listen
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
			return addr
		}
		if time.Since(begin) > 30*time.Second {
			t.Fatalf("nginx does not listen: %v", err)
		}
	}
}

// TestNginx uses a server through nginx as browsers, curl and gRPC clients do,
// whether nginx keeps the Host or sets another.
func TestNginx(t *testing.T) {
	t.Parallel()
	files, pool := pki(t)
	local, err := ParseProxies([]string{"127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		lines  string
		config Config
		host   string // that the console shows in commands
	}{
		"Host is kept":      {"proxy_set_header Host $http_host;", Config{Hosts: []string{"lro.example"}}, ""},
		"Host is rewritten": {"", Config{Hosts: []string{"lro.example"}}, ""},
		"trusted proxy": {
			"proxy_set_header X-Forwarded-Host $http_host; proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
			Config{Hosts: []string{"lro.example"}, Proxies: local}, "lro get --addr lro.example:443 operations/"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.config.Tokens = readTokens(t, someToken)
			addr := nginx(t, serve(t, tt.config), tt.lines, files)
			trust := keyPair(t, files.ClientCert, files.ClientKey, pool)
			trust.ServerName = "localhost" // that of the certificate
			do := func(method, path, body string) *http.Response {
				t.Helper()
				req, err := http.NewRequestWithContext(t.Context(), method, "https://"+addr+path, strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				req.Host = "lro.example"
				req.SetBasicAuth("", someToken)
				if strings.HasPrefix(path, "/v1/") {
					req.Header.Set("Authorization", "Bearer "+someToken)
				}
				req.Header.Set("Content-Type", "application/json")
				req.Header.Set("Origin", "https://lro.example") // as the page of a browser
				resp, err := client(t, trust.Clone()).Do(req)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { resp.Body.Close() })
				return resp
			}
			started := do(http.MethodPost, "/v1/operations:start", `{"kind":"simulate"}`)
			text, _ := io.ReadAll(started.Body)
			if started.StatusCode != 200 {
				t.Fatalf("start = %s %s", started.Status, text)
			}
			_, rest, _ := strings.Cut(string(text), `"name":"`)
			operation, _, _ := strings.Cut(rest, `"`)
			for _, path := range []string{"/", "/overview", "/v1/operations", "/v1/" + operation} {
				if resp := do(http.MethodGet, path, ""); resp.StatusCode != 200 {
					text, _ := io.ReadAll(resp.Body)
					t.Errorf("GET %s = %s %s", path, resp.Status, text)
				}
			}
			page, _ := io.ReadAll(do(http.MethodGet, "/operation?name="+operation, "").Body)
			if !strings.Contains(string(page), tt.host) {
				t.Errorf("the page of an operation has no %q:\n%s", tt.host, page)
			}
			events := do(http.MethodGet, "/events?page=overview", "")
			if lines := bufio.NewScanner(events.Body); !lines.Scan() || lines.Text() != "event: hello" {
				t.Errorf("a live page begins with %q, %v", lines.Text(), lines.Err())
			}
			conn := dial(t, addr, credentials.NewTLS(trust.Clone()))
			for token, want := range map[string]codes.Code{someToken: codes.OK, "nonsense": codes.Unauthenticated} {
				ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token)
				if err := list(ctx, conn); status.Code(err) != want {
					t.Errorf("gRPC with %q: %v, want %v", token, err, want)
				}
			}
			if resp := do(http.MethodPost, "/delete", fmt.Sprintf("name=%s", operation)); resp.StatusCode == http.StatusForbidden {
				t.Errorf("POST of the console = %s", resp.Status)
			}
		})
	}
}
