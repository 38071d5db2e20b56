package cli_test

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/go-lro/lro/internal/leak"
	"github.com/go-lro/lro/internal/pgtest"
)

// built is the command as people have it, made once by the first test that
// needs it: tests that start processes start this, and not an instrumented
// binary, whose start takes a second under the race detector.
var built struct {
	once sync.Once
	dir  string
	path string
	err  error
}

// TestMain removes the command when all tests have ended.
func TestMain(m *testing.M) { leak.Main(pgtest.Shared(cleaner{m})) }

type cleaner struct{ m *testing.M }

// Run runs the tests.
func (c cleaner) Run() int {
	code := c.m.Run()
	if built.dir != "" {
		if err := os.RemoveAll(built.dir); err != nil && code == 0 {
			return 1
		}
	}
	return code
}

// binary returns the path of the command.
func binary(t testing.TB) string {
	t.Helper()
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "lro-cli-test-"); built.err != nil {
			return
		}
		built.path = filepath.Join(built.dir, "lro")
		if runtime.GOOS == "windows" {
			built.path += ".exe"
		}
		build := exec.Command("go", "build", "-o", built.path, "github.com/go-lro/lro/cmd/lro")
		build.Stderr = os.Stderr
		built.err = build.Run()
	})
	if built.err != nil {
		t.Fatalf("build the command: %v", built.err)
	}
	return built.path
}

// command returns the command with args, ready to be started. It is killed at
// the end of the test.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	return exec.CommandContext(t.Context(), binary(t), args...)
}

// capture starts cmd with its standard error read by the returned reader.
func capture(t *testing.T, cmd *exec.Cmd) io.Reader {
	t.Helper()
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() }) // the test's context has ended, and killed it
	return stderr
}
