package mutation

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// silence is how long tests may write nothing. A change that makes them hang is
// found. Those that do not hang write a line in seconds.
const silence = 3 * time.Minute

// binaries are test binaries by package.
type binaries struct {
	dir string

	mu    sync.Mutex
	built map[string]string
}

// get builds the test binary of a package, the first time. It returns "" if a package
// does not compile with the change, which the go command says under a "# " and its name.
func (b *binaries) get(t *testing.T, pkg string, p *place) string {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if binary, ok := b.built[pkg]; ok {
		return binary
	}
	binary := filepath.Join(b.dir, strings.ReplaceAll(pkg, "/", "_")+".test")
	args := []string{"test", "-c", "-vet=off", "-ldflags=-s -w", "-o", binary}
	if p != nil {
		args = append(args, "-overlay="+overlay(t, *p, b.dir))
	}
	cmd := exec.CommandContext(t.Context(), "go", append(args, "./"+pkg)...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		if p == nil || !strings.HasPrefix(string(out), "# ") {
			t.Fatalf("build tests of %s: %v\n%s", pkg, err, out)
		}
		binary = ""
	}
	b.built[pkg] = binary
	return binary
}

// try makes a change and runs tests until one fails, once more when it runs alone
// while it passes without the change. It returns the name of that test too.
func try(t *testing.T, d drawn, sound *binaries) (outcome, by string) {
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
	changed := &binaries{dir: dir, built: make(map[string]string)}
	for _, tests := range d.target.tests {
		binary := changed.get(t, tests.pkg, &d.place)
		if binary == "" {
			return invalid, ""
		}
		r := runner{dir, filepath.Join(root, tests.pkg)}
		var skip []string
		if tests.skip != "" {
			skip = append(skip, tests.skip)
		}
		for {
			args := slices.Concat(tests.args, []string{"-test.skip=" + strings.Join(skip, "|")})
			by, test := r.run(t, binary, args)
			if by == "" {
				break
			}
			if by == hangs {
				return hangs, tests.pkg
			}
			if test {
				only := pattern(by)
				alone := slices.Concat(tests.args, []string{"-test.run=" + only})
				if again, _ := r.run(t, binary, alone); again == "" {
					skip = append(skip, only)
					continue
				}
				if before, _ := r.run(t, sound.get(t, tests.pkg, nil), alone); before != "" {
					t.Logf("%s fails without a change: %s", by, before)
					skip = append(skip, only)
					continue
				}
			}
			return killed, tests.pkg + " " + by
		}
	}
	return survived, ""
}

// pattern matches the name of a test alone.
func pattern(name string) string {
	parts := strings.Split(name, "/")
	for i, p := range parts {
		parts[i] = "^" + regexp.QuoteMeta(p) + "$"
	}
	return strings.Join(parts, "/")
}

// runner runs test binaries in a folder.
type runner struct{ tmp, folder string }

// run runs a test binary until a test fails. It returns the name of that test, or
// what ended the binary otherwise.
func (r runner) run(t *testing.T, binary string, args []string) (by string, test bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	// Most tests of the slow packages wait: more of them run at a time than there
	// are processors.
	args = append([]string{"-test.v", "-test.short", "-test.parallel=8", "-test.timeout=0"}, args...)
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir = r.folder
	cmd.Env = append(os.Environ(), "TMPDIR="+r.tmp)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	silent := time.AfterFunc(silence, func() {
		cancel()
		_ = out.Close() // which children of the tests may hold, too
	})
	by, test = firstFailure(out, func() { silent.Reset(silence) })
	hung := !silent.Stop()
	if by != "" {
		cancel() // the rest of the tests would find nothing new
	}
	err = cmd.Wait()
	switch {
	case by != "" || err == nil:
		return by, test
	case hung:
		return hangs, false
	default:
		return err.Error(), false
	}
}

// firstFailure reads what a test binary writes until a test fails or it panics.
func firstFailure(out io.Reader, read func()) (by string, test bool) {
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err == nil {
			read()
		}
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "--- FAIL: "); ok {
			name, _, _ = strings.Cut(name, " ")
			return name, true
		}
		for _, end := range []string{"panic: ", "fatal error: ", "leak: "} {
			if strings.HasPrefix(line, end) {
				return oneLine(line), false
			}
		}
		if err != nil {
			return "", false
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

func TestFirstFailure(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		out, by string
		test    bool
	}{
		{"=== RUN   TestA\n--- PASS: TestA (0.00s)\nPASS\n", "", false},
		{"--- PASS: TestA (0.00s)\n    --- FAIL: TestB/it_has/parts (1.00s)\n--- FAIL: TestB (1.00s)\n", "TestB/it_has/parts", true},
		{"=== RUN   TestA\npanic: nil map\n\ngoroutine 1\n", "panic: nil map", false},
		{"PASS\nleak: 2 goroutines\n", "leak: 2 goroutines", false},
	} {
		by, isTest := firstFailure(strings.NewReader(test.out), func() {})
		if by != test.by || isTest != test.test {
			t.Errorf("of %q: %q, %v; want %q, %v", test.out, by, isTest, test.by, test.test)
		}
	}
	if got, want := pattern("TestB/it_has(1)"), `^TestB$/^it_has\(1\)$`; got != want {
		t.Errorf("pattern %q, want %q", got, want)
	}
}
