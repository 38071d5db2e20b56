//go:build !windows

package cli_test

import (
	"bufio"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

func page(t *testing.T, address string) (int, string) {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: transport}).Get(address)
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

// TestServeConsole looks at an operation where its server shows it.
func TestServeConsole(t *testing.T) {
	t.Parallel()
	_, addr, stderr := startServer(t, "--db", t.TempDir()+"/serve.db")
	at := scanFor(t, stderr, regexp.MustCompile(`^console: (http://\S+)$`))[1]
	name := runProcess(t, []string{"LRO_ADDR=" + addr, "LRO_PLAINTEXT=1"}, "start", "simulate", `{"echo": "hello"}`)
	if code, body := page(t, at); code != http.StatusOK || !strings.Contains(body, url.QueryEscape(name)[len("operations%2F"):]) {
		t.Errorf("GET %s = %d, want %q in\n%s", at, code, name, body)
	}
}

// TestConsole looks at the operations of a service over the network.
func TestConsole(t *testing.T) {
	t.Parallel()
	_, addr, _ := startServer(t, "--db", t.TempDir()+"/serve.db", "--parent", "projects/p")
	name := runProcess(t, []string{"LRO_ADDR=" + addr, "LRO_PLAINTEXT=1"}, "start", "simulate", `{"duration": "3600s", "echo": "hello"}`)
	for transport, flags := range map[string][]string{
		"gRPC": {"--addr", addr, "--plaintext"}, "HTTP/JSON": {"--url", "http://" + addr},
	} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			cmd := command(t, append([]string{"console", "--listen", "127.0.0.1:0", "--parent", "projects/p"}, flags...)...)
			stderr := bufio.NewScanner(capture(t, cmd))
			at := scanFor(t, stderr, regexp.MustCompile(`^console of \S+: (http://\S+/); press Ctrl-C to stop$`))[1]
			code, body := page(t, at+"operation?name="+url.QueryEscape(name))
			if code != http.StatusOK {
				t.Errorf("GET the page of %q = %d\n%s", name, code, body)
			}
			for _, want := range []string{"simulate", "Running", "no change feed", "lro get " + strings.Join(flags, " ") + " " + name} {
				if !strings.Contains(body, want) {
					t.Errorf("the page has no %q", want)
				}
			}
			if code, body := page(t, at); code != http.StatusOK || !strings.Contains(body, `href="./?state=running"`) {
				t.Errorf("GET the list = %d, want tabs by state in\n%s", code, body)
			}
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != 0 {
				t.Errorf("exit status after SIGTERM = %d, want 0", code)
			}
		})
	}
}

func TestConsoleUsage(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ args, want string }{
		{"--addr h:1 --listen 0.0.0.0:0", "would let other machines use your credentials"},
		{"--addr h:1 --listen nonsense", "--listen"},
		{"--addr h:1 --poll 1ms", "--poll is shorter"},
		{"", "no service address"},
		{"--addr h:1 foo", `lro: console takes no arguments, but got "foo"`},
	} {
		got := runCommand(t, nil, append([]string{"console"}, strings.Fields(tt.args)...)...)
		if got.status != 2 || !strings.Contains(got.err, tt.want) {
			t.Errorf("lro console %s = status %d, %q, want 2 and %q", tt.args, got.status, got.err, tt.want)
		}
	}
}
