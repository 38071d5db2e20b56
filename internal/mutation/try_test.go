package mutation

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// try makes a change and runs tests until one fails, within a limit. It returns
// the name of that one too. Without a file, it runs the tests of the target alone.
func try(t *testing.T, d drawn, limit time.Duration) (outcome, by string) {
	t.Helper()
	// Not of testing: another user, as whom PostgreSQL runs, must be able to enter.
	dir, err := os.MkdirTemp("", "lro-mutation-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir) // what killed tests leave there too
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	build := []string{"test", "-c", "-vet=off", "-ldflags=-s -w", "-o"}
	built := make(map[string]string)
	for _, tests := range d.target.tests {
		binary := built[tests.pkg]
		if binary == "" {
			binary = filepath.Join(dir, strings.ReplaceAll(tests.pkg, "/", "_")+".test")
			built[tests.pkg] = binary
			args := append(build, binary)
			if d.file != "" {
				args = append(args, "-overlay="+overlay(t, d.place, dir))
			}
			cmd := exec.CommandContext(t.Context(), "go", append(args, "./"+tests.pkg)...)
			cmd.Dir = root
			if out, err := cmd.CombinedOutput(); err != nil {
				if d.file == "" || !strings.Contains(string(out), filepath.Base(d.file)) {
					t.Fatalf("%v: %v\n%s", d, err, out)
				}
				return invalid, ""
			}
		}
		by, err := run(ctx, dir, binary, tests)
		switch {
		case ctx.Err() != nil:
			return hangs, tests.pkg
		case err != nil:
			return killed, tests.pkg + " " + by
		}
	}
	return survived, ""
}

// run runs a test binary until a test fails. It returns the name of that test, or
// what ended the binary otherwise.
func run(ctx context.Context, dir, binary string, tests tests) (by string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	binary, err = filepath.Abs(binary)
	if err != nil {
		return "", err
	}
	// Most tests of the slow packages wait: more of them run at a time than there
	// are processors.
	args := append([]string{"-test.v", "-test.short", "-test.parallel=8", "-test.timeout=0"}, tests.args...)
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir = filepath.Join(root, tests.pkg)
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return "", err
	}
	failed := firstFailure(out)
	if failed != "" {
		cancel() // the rest of the tests would find nothing new
	}
	_, copyErr := io.Copy(io.Discard, out)
	if err := cmd.Wait(); err != nil || failed != "" {
		return failed, errors.Join(errors.New("tests fail"), err, copyErr)
	}
	return "", nil
}

// firstFailure reads what a test binary writes until a test fails or it panics.
func firstFailure(out io.Reader) string {
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "--- FAIL: "); ok {
			name, _, _ = strings.Cut(name, " ")
			return name
		}
		for _, end := range []string{"panic: ", "fatal error: ", "leak: "} {
			if strings.HasPrefix(line, end) {
				return oneLine(line)
			}
		}
		if err != nil {
			return ""
		}
	}
}

// overlay writes a changed file and what has the compiler take it.
func overlay(t *testing.T, p place, dir string) string {
	t.Helper()
	file, err := filepath.Abs(filepath.Join(root, p.file))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(dir, filepath.Base(p.file))
	if err := os.WriteFile(to, []byte(p.mutated(string(text))), 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(map[string]any{"Replace": map[string]string{file: to}})
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
