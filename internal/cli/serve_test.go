//go:build !windows

package cli_test

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-lro/lro/internal/cli/certs"
	"github.com/go-lro/lro/internal/cli/exit"
)

var listeningLine = regexp.MustCompile(`^serving operations on (\S+), stored in `)

// startServer starts "lro serve" as a process and returns its address.
func startServer(t *testing.T, args ...string) (*exec.Cmd, string, *bufio.Scanner) {
	t.Helper()
	cmd := command(t, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)
	stderr := bufio.NewScanner(capture(t, cmd))
	return cmd, scanFor(t, stderr, listeningLine)[1], stderr
}

func runProcess(t *testing.T, env []string, args ...string) string {
	t.Helper()
	cmd := command(t, args...)
	cmd.Env = append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("lro %q: %v\n%s%s", args, err, out, &stderr)
	}
	return strings.TrimSpace(string(out))
}

// TestServeKilled: what a server of another life was asked to do is done.
func TestServeKilled(t *testing.T) {
	t.Parallel()
	db := filepath.Join(t.TempDir(), "serve.db")
	first, addr, _ := startServer(t, "--db", db, "--parent", "projects/p")
	env := []string{"LRO_ADDR=" + addr, "LRO_PLAINTEXT=1"}
	name := runProcess(t, env, "start", "simulate", `{"duration": "2s", "steps": 100, "echo": "hello"}`)
	if !strings.HasPrefix(name, "projects/p/operations/") {
		t.Errorf("started %q, want it below --parent", name)
	}
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait()

	second, addr, stderr := startServer(t, "--db", db)
	out := runProcess(t, []string{"LRO_URL=http://" + addr}, "wait", "--timeout", "1m", name)
	if !strings.Contains(out, `"echo": "hello"`) {
		t.Errorf("wait after the server was killed printed\n%s", out)
	}
	if err := second.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	scanFor(t, stderr, regexp.MustCompile("^stopping$"))
	if err := second.Wait(); err != nil {
		t.Errorf("serve after SIGTERM: %v, want exit status 0", err)
	}
}

// TestServeStopsWithWork: the first signal says what the server waits for, and
// the second ends it.
func TestServeStopsWithWork(t *testing.T) {
	t.Parallel()
	srv, addr, stderr := startServer(t, "--db", filepath.Join(t.TempDir(), "serve.db"), "--drain", "10m")
	env := []string{"LRO_ADDR=" + addr, "LRO_PLAINTEXT=1"}
	name := runProcess(t, env, "start", "simulate", `{"duration": "3600s", "steps": 10}`)
	for !strings.Contains(runProcess(t, env, "get", name), "RUNNING") {
		time.Sleep(10 * time.Millisecond) // sleep: until a real process has begun to run it
	}
	if err := srv.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	scanFor(t, stderr, regexp.MustCompile("^stopping: 1 running operation may finish within 10m0s; Ctrl-C again ends the process, "))
	time.Sleep(200 * time.Millisecond) // sleep: two signals within 100 ms are one
	if err := srv.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = srv.Wait()
	if code := srv.ProcessState.ExitCode(); code != exit.Interrupted {
		t.Errorf("serve after two signals ended with %d, want %d", code, exit.Interrupted)
	}
}

func TestServeSecured(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files, err := certs.Make(dir)
	if err != nil {
		t.Fatal(err)
	}
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte("a-token-of-some-length\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, addr, _ := startServer(t, "--db", filepath.Join(dir, "serve.db"), "--cert", files.ServerCert, "--key", files.ServerKey,
		"--client-ca", files.CA, "--token-file", token)
	env := []string{"LRO_CA=" + files.CA, "LRO_CERT=" + files.ClientCert, "LRO_KEY=" + files.ClientKey}
	for _, reach := range [][]string{{"--addr", addr}, {"--url", "https://" + addr}} {
		runProcess(t, env, append([]string{"list", "--token-file", token}, reach...)...)
		runProcess(t, append(env, "LRO_TOKEN_FILE="+token), append([]string{"doctor"}, reach...)...)
		got := failProcess(t, env, append([]string{"doctor"}, reach...)...)
		for _, want := range []string{"GetOperation      refused  (UNAUTHENTICATED: ", "waiting           not known", "lro: call GetOperation at ", "--token-file"} {
			if !strings.Contains(got, want) {
				t.Errorf("doctor %q without a token said %q, want %q", reach, got, want)
			}
		}
		got = failProcess(t, env, append([]string{"list"}, reach...)...)
		if !strings.Contains(got, "UNAUTHENTICATED: a bearer token is required") || !strings.Contains(got, "--token-file") {
			t.Errorf("list %q without a token said %q", reach, got)
		}
		got = failProcess(t, []string{"LRO_CA=" + files.CA, "LRO_TOKEN_FILE=" + token}, append([]string{"list"}, reach...)...)
		if !strings.Contains(got, "UNAVAILABLE") {
			t.Errorf("list %q without a certificate said %q", reach, got)
		}
		got = failProcess(t, []string{"LRO_TOKEN_FILE=" + token}, append([]string{"list"}, reach...)...)
		if !strings.Contains(got, "certificate") || !strings.Contains(got, "--ca FILE") {
			t.Errorf("list %q without the authority said %q", reach, got)
		}
	}
}

// failProcess runs a command that must end with status 1 and returns what it
// says.
func failProcess(t *testing.T, env []string, args ...string) string {
	t.Helper()
	cmd := command(t, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err == nil || err.Error() != "exit status 1" {
		t.Errorf("lro %q: %v, want exit status 1\n%s", args, err, out)
	}
	return string(out)
}

func TestServeUsage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files, err := certs.Make(dir)
	if err != nil {
		t.Fatal(err)
	}
	cert := []string{"--cert", files.ServerCert, "--key", files.ServerKey}
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"--db", "postgres://lro@x/x", "--role", "worker", "--listen", "127.0.0.1:0"}, "--listen: a worker answers no calls"},
		{[]string{"--db", "postgres://lro@x/x", "--role", "worker", "--token-file", "tokens"}, "--token-file: a worker answers no calls"},
		{[]string{"--listen", ":0"}, "would answer other machines without TLS and authentication"},
		{[]string{"--listen", "0.0.0.0:0"}, "would answer other machines without TLS and authentication"},
		{append([]string{"--listen", "[::]:0"}, cert...), "would answer other machines without authentication"},
		{[]string{"--listen", "nonsense"}, `--listen "nonsense": `},
		{[]string{"--client-ca", files.CA}, "--client-ca needs --cert and --key"},
		{[]string{"--cert", files.ServerCert}, "--cert needs --key"},
		{[]string{"--cert", "missing.pem", "--key", files.ServerKey}, "--cert and --key: "},
		{[]string{"--token-file", "missing"}, "--token-file: "},
		{[]string{"--trusted-proxy", "nginx"}, `--trusted-proxy: "nginx" is neither`},
		{[]string{"--checksum-root", filepath.Join(dir, "missing")}, "is not a directory"},
		{[]string{"--concurrency", "0"}, "must be a number of at least 1"},
		{[]string{"--concurrency", "copy=3"}, "the kinds are checksum and simulate"},
		{[]string{"--host", "not a name"}, "--host"},
		{[]string{"nonsense"}, `lro: serve takes no arguments, but got "nonsense"`},
	}
	for _, tt := range tests {
		args := append([]string{"serve", "--db", filepath.Join(dir, "x.db")}, tt.args...)
		if got := runCommand(t, nil, args...); got.status != 2 || !strings.Contains(got.err, tt.want) {
			t.Errorf("lro %q = %+v, want status 2 and %q", args, got, tt.want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "x.db")); err == nil {
		t.Error("a command line that was refused made a database")
	}
}

// TestServeOneOwner: a second server on the file names the first.
func TestServeOneOwner(t *testing.T) {
	t.Parallel()
	db := filepath.Join(t.TempDir(), "serve.db")
	startServer(t, "--db", db)
	got := failProcess(t, nil, "serve", "--listen", "127.0.0.1:0", "--db", db)
	if !strings.Contains(got, "in use by process") {
		t.Errorf("a second server said %q", got)
	}
}
