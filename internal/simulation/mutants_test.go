package simulation

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
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

// mostReal is how many seeds may be needed on PostgreSQL and Temporal, where programs
// take real time.
const mostReal = 40

// root is the folder of the repository.
const root = "../.."

// TestMutants puts one bug after another into a copy of the files that it
// changes, and has the simulation find it: that of the engine, or of the future
// for patches of that name, whose ordinary tests may find it too. Without the flag
// it only sees that each patch still fits.
func TestMutants(t *testing.T) {
	t.Parallel()
	pattern, err := regexp.Compile(*mutantsFlag)
	if err != nil {
		t.Fatal(err)
	}
	matched := false
	for _, patch := range patches(t) {
		name := nameOf(patch)
		if !pattern.MatchString(name) {
			continue
		}
		matched = true
		t.Run(name, func(t *testing.T) {
			// One after another: each uses a processor.
			replaced := mutate(t, patch)
			if *mutantsFlag == "" {
				return
			}
			within, found := *withinFlag, ""
			switch kind, _, _ := strings.Cut(name, "-"); kind {
			case "postgres":
				within = min(within, mostReal)
				found = hunt(t, "./server/engine/postgres/internal/faulttest", replaced, within, "-simulation-lanes=4")
			case "temporal":
				within = min(within, mostReal)
				found = hunt(t, "./temporal/internal/faulttest", replaced, within, "-simulation-lanes=4")
			case "future":
				if found = hunt(t, "./internal/simulation/future", replaced, within); found == "" {
					found = ordinary(t, replaced)
				}
			default:
				found = hunt(t, "./server/engine/sqlite", replaced, within)
			}
			if found == "" {
				t.Fatalf("survives seeds 1 to %d", within)
			}
			t.Log(found)
		})
	}
	if !matched {
		t.Errorf("no mutant matches %q", pattern)
	}
}

// patches are the files of the mutants.
func patches(t *testing.T) []string {
	t.Helper()
	all, err := filepath.Glob("testdata/mutants/*.patch")
	if err != nil || len(all) == 0 {
		t.Fatalf("patches: %v, %v", all, err)
	}
	return all
}

func nameOf(patch string) string { return strings.TrimSuffix(filepath.Base(patch), ".patch") }

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

// ordinary runs the future's own tests with a mutant, and returns one that fails;
// nothing where it survives them too.
func ordinary(t *testing.T, replaced map[string]string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", overlay(t, replaced), "-timeout=20m", ".")
	cmd.Dir = root
	out, err := cmd.Output()
	found := failedTest.FindSubmatch(out)
	switch {
	case err == nil:
		return ""
	case found == nil:
		t.Fatalf("the tests did not run: %v\n%.3000s", err, out)
	}
	return string(found[1])
}

// moduleOf returns the folder of the module of a package, which is named by its
// folder, and its name there.
func moduleOf(in string) (module, name string) {
	if rest, ok := strings.CutPrefix(in, "./temporal/"); ok {
		return filepath.Join(root, "temporal"), "./" + rest
	}
	return root, in
}

// hunt runs a simulation with a mutant until it is found, and returns by
// which seed and what it showed; nothing where the mutant survives. Without the
// mutant, nothing must be wrong with that seed.
func hunt(t *testing.T, in string, replaced map[string]string, within int, flags ...string) string {
	t.Helper()
	module, in := moduleOf(in)
	simulate := func(seeds string, further ...string) (string, error) {
		args := slices.Concat([]string{"test", "-count=1", in, "-run=^TestSimulation$", "-timeout=20m", "-v", "-simulation.seeds=" + seeds, "-simulation.first"}, flags, further)
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir, cmd.Env = module, append(os.Environ(), "LRO_TEMPORAL=1", "LRO_POSTGRES=1")
		out, err := cmd.Output()
		return string(out), err
	}
	out, err := simulate(fmt.Sprintf("1-%d", within), overlay(t, replaced))
	found := foundBy.FindStringSubmatch(out)
	switch {
	case err == nil:
		return ""
	case found == nil:
		t.Fatalf("the simulation did not run: %v\n%.3000s", err, out)
	}
	if out, err := simulate(found[1]); err != nil {
		t.Fatalf("seed %s fails without the mutant too: %v\n%.3000s", found[1], err, out)
	}
	_, why, ok := strings.Cut(out, "seed "+found[1]+":\n")
	if !ok {
		_, why, _ = strings.Cut(out, "panic: ") // of the engine, or of a program that hangs
	}
	why, _, _ = strings.Cut(strings.TrimSpace(why), "\n")
	return fmt.Sprintf("seed %s: %.300s", found[1], why)
}

// TestMutantsPage: the page has a row for each patch, with what the patch begins with.
func TestMutantsPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join(root, "docs/reliability/mutants.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := make(map[string]string)
	for _, row := range regexp.MustCompile(`(?m)^\| ([a-z-]+) \| (.+) \| [^|]+ \|$`).FindAllStringSubmatch(string(page), -1) {
		rows[row[1]] = row[2]
	}
	for _, patch := range patches(t) {
		text, err := os.ReadFile(patch)
		if err != nil {
			t.Fatal(err)
		}
		name := nameOf(patch)
		bug, _, _ := strings.Cut(string(text), "\n\n")
		if bug = strings.ReplaceAll(bug, "\n", " "); rows[name] != bug {
			t.Errorf("the row of %s says %q, and its patch %q", name, rows[name], bug)
		}
		delete(rows, name)
	}
	for name := range rows {
		t.Errorf("the page has %s, which has no patch", name)
	}
}
