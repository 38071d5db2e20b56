package command

import (
	"bytes"
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/go-lro/lro/internal/cli"
	"github.com/go-lro/lro/internal/cli/host"
	"github.com/go-lro/lro/internal/cli/term"
	"github.com/go-lro/lro/internal/leak"
	"github.com/go-lro/lro/temporal/internal/testserver"
)

func TestMain(m *testing.M) { leak.Main(m) }

// run runs the command and returns its status and what it wrote to standard
// error.
func run(t *testing.T, args ...string) (int, string) {
	t.Helper()
	var stderr bytes.Buffer
	status := cli.Edition{Name: "lro-temporal", Store: &store{}}.Run(t.Context(), args,
		&term.IO{In: strings.NewReader(""), Out: &bytes.Buffer{}, Err: &stderr})
	return status, stderr.String()
}

func TestWrongFlags(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	empty, short := filepath.Join(dir, "empty"), filepath.Join(dir, "short")
	for path, text := range map[string]string{empty: "\n", short: "secret"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		flags []string
		want  string
	}{
		{[]string{"--role", "boss"}, `--role "boss": must be all, server or worker`},
		{[]string{"--concurrency", "0"}, "--concurrency \"0\": must be a number of at least 1"},
		{[]string{"--temporal", "temporal"}, `--temporal "temporal": address temporal: missing port`},
		{[]string{"--namespace", ""}, "--namespace is empty"},
		{[]string{"--temporal-cert", "x"}, "--temporal-cert and --temporal-key belong together"},
		{[]string{"--temporal-cert", empty, "--temporal-key", empty}, "--temporal-cert and --temporal-key: "},
		{[]string{"--temporal-ca", empty}, "has no PEM certificate"},
		{[]string{"--temporal-ca", filepath.Join(dir, "none")}, "--temporal-ca: open "},
		{[]string{"--temporal-api-key-file", empty}, "is empty"},
		{[]string{"--temporal-api-key-file", filepath.Join(dir, "none")}, "--temporal-api-key-file: open "},
		{[]string{"--page-key-file", short}, "has 6 bytes, fewer than 16"},
		{[]string{"--page-key-file", filepath.Join(dir, "none")}, "--page-key-file: open "},
		{[]string{"--db", "lro.db"}, "unknown flag: --db"},
	}
	for _, tt := range tests {
		status, stderr := run(t, append([]string{"serve"}, tt.flags...)...)
		if status != 2 || !strings.Contains(stderr, tt.want) {
			t.Errorf("lro-temporal serve %q = %d, %q, want 2 and %q", tt.flags, status, stderr, tt.want)
		}
	}
}

func TestCannotReach(t *testing.T) {
	t.Parallel()
	status, stderr := run(t, "serve", "--temporal", "127.0.0.1:1")
	want := "lro-temporal: cannot reach Temporal at 127.0.0.1:1: "
	if status != 1 || !strings.HasPrefix(stderr, want) || !strings.Contains(stderr, "does it run") {
		t.Errorf("lro-temporal serve --temporal 127.0.0.1:1 = %d, %q, want 1 and %q with a hint", status, stderr, want)
	}
}

func TestNoNamespace(t *testing.T) {
	t.Parallel()
	server := testserver.Start(t, testserver.Options{})
	status, stderr := run(t, "serve", "--temporal", server.HostPort(), "--namespace", "nope")
	want := "lro-temporal: the Temporal service at " + server.HostPort() + ` has no namespace "nope"`
	if status != 1 || !strings.HasPrefix(stderr, want) || !strings.Contains(stderr, "temporal operator namespace create") {
		t.Errorf("lro-temporal serve --namespace nope = %d, %q, want 1 and %q with a hint", status, stderr, want)
	}
}

// TestPageKey checks that servers of the same operations share a key, and no
// others.
func TestPageKey(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("sixteen bytes or more"), 0o600); err != nil {
		t.Fatal(err)
	}
	key := func(args ...string) string {
		t.Helper()
		s := &store{}
		f := pflag.NewFlagSet("serve", pflag.ContinueOnError)
		s.AddFlags(f)
		if err := f.Parse(args); err != nil {
			t.Fatal(err)
		}
		var c host.Config
		if err := s.Configure(&c); err != nil {
			t.Fatal(err)
		}
		if len(c.PageKey) != sha256.Size {
			t.Errorf("Configure(%q): key of %d bytes", args, len(c.PageKey))
		}
		return string(c.PageKey)
	}
	if key() != key("--role", "server", "--lease", "3s") {
		t.Error("two servers of the same operations have different keys")
	}
	seen := make(map[string]bool)
	for _, args := range [][]string{nil, {"--namespace", "other"}, {"--task-queue", "other"}, {"--page-key-file", secret}} {
		seen[key(args...)] = true
	}
	if len(seen) != 4 {
		t.Errorf("4 different services have %d keys", len(seen))
	}
}
