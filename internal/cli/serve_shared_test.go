//go:build !windows

package cli_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// TestServeReload: SIGHUP reads tokens again and does not end the server.
func TestServeReload(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tokens, mine := filepath.Join(dir, "tokens"), filepath.Join(dir, "mine")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(tokens, "a-token-of-some-length\n")
	write(mine, "another-token-of-some-length\n")
	cmd, addr, stderr := startServer(t, "--db", filepath.Join(dir, "serve.db"), "--token-file", tokens)
	reach := []string{"list", "--url", "http://" + addr, "--token-file", mine}
	if got := failProcess(t, nil, reach...); !strings.Contains(got, "UNAUTHENTICATED") {
		t.Errorf("before: %q", got)
	}
	write(tokens, "another-token-of-some-length\n")
	for range 2 {
		if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		scanFor(t, stderr, regexp.MustCompile("^certificates and tokens were read again$"))
		runProcess(t, nil, reach...)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	scanFor(t, stderr, regexp.MustCompile("^stopping$"))
	if err := cmd.Wait(); err != nil {
		t.Errorf("serve after SIGTERM: %v", err)
	}
}

// TestServeChecksumRoot: a server that others reach, also through a proxy, reads no
// files but those below --checksum-root.
func TestServeChecksumRoot(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root := filepath.Join(dir, "root")
	if err := os.Mkdir(root, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		args   []string
		inside bool // may be read
		beside bool
	}{
		"this machine": {nil, true, true},
		"root":         {[]string{"--checksum-root", root}, true, false},
		"proxy":        {[]string{"--trusted-proxy", "10.0.0.0/8"}, false, false},
		"host":         {[]string{"--host", "lro.example"}, false, false},
		"host, root":   {[]string{"--host", "lro.example", "--checksum-root", root}, true, false},
		"others":       {[]string{"--listen", "0.0.0.0:0", "--insecure-allow-anyone"}, false, false},
	} {
		_, addr, _ := startServer(t, append([]string{"--db", filepath.Join(dir, name+".db")}, tt.args...)...)
		addr = "127.0.0.1" + addr[strings.LastIndexByte(addr, ':'):]
		for path, may := range map[string]bool{root: tt.inside, dir: tt.beside} {
			args := []string{"start", "--addr", addr, "--plaintext", "checksum", `{"dir": "` + path + `"}`}
			if may {
				runProcess(t, nil, args...)
			} else if got := failProcess(t, nil, args...); !strings.Contains(got, "PERMISSION_DENIED") || !strings.Contains(got, "--checksum-root") {
				t.Errorf("%s: checksum of %q said %q", name, path, got)
			}
		}
	}
}
