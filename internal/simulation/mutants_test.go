package simulation

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	mutantsFlag = flag.String("mutants", "", "find the mutants whose names match this `pattern`")
	withinFlag  = flag.Int("within", 400, "how many seeds may be needed to find one")
)

// root is the folder of the repository.
const root = "../.."

// TestMutants puts one bug after another into a copy of the files that it
// changes, and has the simulation find it: that of the engine, or of the future
// for patches of that name, whose ordinary tests may find it too. Without the flag
// it only sees that each patch still fits. Those in the folder survivors are not found yet.
func TestMutants(t *testing.T) {
	t.Parallel()
	patches, err := filepath.Glob("testdata/mutants/*.patch")
	if err != nil || len(patches) == 0 {
		t.Fatalf("patches: %v, %v", patches, err)
	}
	survivors, err := filepath.Glob("testdata/mutants/survivors/*.patch")
	if err != nil {
		t.Fatal(err)
	}
	pattern, err := regexp.Compile(*mutantsFlag)
	if err != nil {
		t.Fatal(err)
	}
	for _, patch := range append(patches, survivors...) {
		name := strings.TrimSuffix(filepath.Base(patch), ".patch")
		t.Run(name, func(t *testing.T) {
			// One after another: each uses a processor.
			replaced := mutate(t, patch)
			if *mutantsFlag == "" || slices.Contains(survivors, patch) || !pattern.MatchString(name) {
				return
			}
			if strings.HasPrefix(name, "postgres-") {
				// These programs take real time. The last value of a flag counts.
				t.Log(hunt(t, "./server/engine/postgres/internal/faulttest", replaced, "-simulation-lanes=4", "-simulation.seeds=1-60"))
				return
			}
			if !strings.HasPrefix(name, "future-") {
				t.Log(hunt(t, "./server/engine/sqlite", replaced))
				return
			}
			found := hunt(t, "./internal/simulation/future", replaced)
			if found == "" {
				found = ordinary(t, replaced)
			}
			t.Log(found)
		})
	}
}

var patched = regexp.MustCompile(`(?m)^--- a/(.+)$`)

// mutate applies a patch to copies, and returns them by the file they replace.
func mutate(t *testing.T, patch string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(patch)
	if err != nil {
		t.Fatal(err)
	}
	dir, replaced := t.TempDir(), make(map[string]string)
	for _, m := range patched.FindAllSubmatch(text, -1) {
		name := string(m[1])
		to := filepath.Join(dir, name)
		b, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, b, 0o600); err != nil {
			t.Fatal(err)
		}
		from, err := filepath.Abs(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		replaced[from] = to
	}
	if len(replaced) == 0 {
		t.Fatalf("%s changes no file", patch)
	}
	apply := exec.CommandContext(t.Context(), "git", "apply", "-C1", "-")
	apply.Dir, apply.Stdin = dir, bytes.NewReader(text)
	if out, err := apply.CombinedOutput(); err != nil {
		t.Fatalf("%s does not fit any more: %v\n%s", patch, err, out)
	}
	for from, to := range replaced {
		if sameFiles(t, from, to) {
			t.Fatalf("%s changes nothing", patch)
		}
	}
	return replaced
}

func sameFiles(t *testing.T, a, b string) bool {
	t.Helper()
	x, errX := os.ReadFile(a)
	y, errY := os.ReadFile(b)
	if errX != nil || errY != nil {
		t.Fatal(errX, errY)
	}
	return bytes.Equal(x, y)
}

var foundBy = regexp.MustCompile(`FAIL: TestSimulation/seed_(\d+)`)

// overlay returns the flag by which the go command compiles the copies.
func overlay(t *testing.T, replaced map[string]string) string {
	t.Helper()
	text, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return "-overlay=" + file
}

var failedTest = regexp.MustCompile(`--- FAIL: (Test\w+)`)

// ordinary runs the future's own tests with a mutant, and returns one that fails.
func ordinary(t *testing.T, replaced map[string]string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", overlay(t, replaced), "-timeout=20m", ".")
	cmd.Dir = root
	out, err := cmd.Output()
	found := failedTest.FindSubmatch(out)
	switch {
	case err == nil:
		t.Fatalf("survives %d seeds and the tests: %v", *withinFlag, slices.Collect(maps.Keys(replaced)))
	case found == nil:
		t.Fatalf("the tests did not run: %v\n%.3000s", err, out)
	}
	return string(found[1])
}

// hunt runs a simulation with a mutant until it is found, and returns by
// which seed and what it showed; nothing where a mutant of the future survives.
func hunt(t *testing.T, in string, replaced map[string]string, flags ...string) string {
	t.Helper()
	args := append([]string{"test", "-count=1", overlay(t, replaced), in, "-run=^TestSimulation$", "-timeout=20m", "-v",
		fmt.Sprintf("-simulation.seeds=1-%d", *withinFlag), "-simulation.first"}, flags...)
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = root
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, io.Discard
	err := cmd.Run()
	found := foundBy.FindStringSubmatch(out.String())
	switch {
	case err == nil && strings.HasSuffix(in, "future"):
		return ""
	case err == nil:
		t.Fatalf("survives %d seeds: %v", *withinFlag, slices.Collect(maps.Keys(replaced)))
	case found == nil:
		t.Fatalf("the simulation did not run: %v\n%.3000s", err, out.String())
	}
	_, why, ok := strings.Cut(out.String(), "seed "+found[1]+":\n")
	if !ok {
		_, why, _ = strings.Cut(out.String(), "panic: ") // of the engine, or of a program that hangs
	}
	why, _, _ = strings.Cut(strings.TrimSpace(why), "\n")
	return fmt.Sprintf("seed %s: %.300s", found[1], why)
}
