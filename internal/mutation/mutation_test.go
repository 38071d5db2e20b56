package mutation

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	sampleFlag  = flag.Int("mutation.sample", 0, "how many changes to make in all, with those that the file has")
	seedFlag    = flag.Uint64("mutation.seed", 1, "what draws the places")
	fileFlag    = flag.String("mutation.file", "", "the `file` that has the outcomes, and gets more")
	forFlag     = flag.Duration("mutation.for", 0, "make no further change after this time; 0 for no limit")
	explainFlag = flag.String("mutation.again", "", "make the changes whose lines contain this `text` again, whatever the file has")
)

// root is the folder of the repository.
const root = "../.."

// target is a package whose code is changed, and the tests that have to find it:
// what comes first is the quickest.
type target struct {
	folder string
	tests  [][]string // arguments of go test
}

var targets = []target{
	{".", [][]string{
		{"."},
		{"./lrohttp", "./lrogax", "./lroext", "./lrotest"},
		{"./server"},
	}},
	{"server", [][]string{
		{"./server"},
		{"./server/engine/sqlite", "-run=^TestEngine$"},
		{"./server/engine/sqlite", "-run=^TestSimulation$", "-simulation.seeds=1-150", "-simulation.first"},
		{"./server/servertest", "./server/serverotel", "./lrohttp"},
	}},
	{"server/engine/sqlite", [][]string{
		{"./server/engine/sqlite"},
		{"./server/engine/sqlite", "-run=^TestSimulation$", "-simulation.seeds=1-150", "-simulation.first"},
	}},
	{"server/engine/postgres", [][]string{
		{"./server/engine/postgres"},
		{"./server/engine/postgres/internal/faulttest", "-fault-rounds=1", "-parallel=2"},
	}},
}

// TestSample makes the changes. The outcome of each is a line of the file.
func TestSample(t *testing.T) {
	t.Parallel()
	if *sampleFlag == 0 {
		t.Skip("SKIPPED: run make mutation")
	}
	began := time.Now()
	done, err := outcomes(*fileFlag)
	if err != nil {
		t.Fatal(err)
	}
	all := draw(t, *seedFlag)
	made := 0
	sound := make(map[string]bool)
	for _, d := range all {
		if made == *sampleFlag || *forFlag > 0 && time.Since(began) > *forFlag {
			break
		}
		again := *explainFlag != "" && strings.Contains(d.String(), *explainFlag)
		outcome, known := done[d.String()]
		if known && !again {
			if outcome != invalid {
				made++
			}
			continue
		}
		if *explainFlag != "" && !again {
			continue
		}
		if !sound[d.target.folder] {
			// The tests must pass without a change, or their failures say nothing.
			if outcome, out := try(t, drawn{place{file: d.file}, d.target}); outcome != survived {
				t.Fatalf("%s without a change: %s\n%s", d.target.folder, outcome, out)
			}
			sound[d.target.folder] = true
		}
		outcome, _ = try(t, d)
		t.Logf("%s\t%v", outcome, d)
		if outcome != invalid {
			made++
		}
		if again {
			continue
		}
		if err := note(*fileFlag, outcome, d.String()); err != nil {
			t.Fatal(err)
		}
	}
}

// Outcomes of a change.
const (
	killed   = "killed"
	hangs    = "hangs" // found by the time that the tests take
	survived = "SURVIVED"
	invalid  = "does not compile"
)

// outcomes reads what earlier runs have found.
func outcomes(file string) (map[string]string, error) {
	b, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	all := make(map[string]string)
	for line := range strings.Lines(string(b)) {
		if outcome, what, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t"); ok {
			all[what] = outcome
		}
	}
	return all, nil
}

func note(file, outcome, what string) error {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(f, "%s\t%s\n", outcome, what); err != nil {
		return err
	}
	return f.Close()
}

// drawn is a place with the tests of its package.
type drawn struct {
	place
	target target
}

// draw returns all places in the order of a seed.
func draw(t *testing.T, seed uint64) []drawn {
	t.Helper()
	var all []drawn
	for _, tg := range targets {
		files, err := filepath.Glob(filepath.Join(root, tg.folder, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if strings.HasSuffix(f, "_test.go") {
				continue
			}
			found, err := places(root, filepath.ToSlash(filepath.Join(tg.folder, filepath.Base(f))))
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range found {
				all = append(all, drawn{p, tg})
			}
		}
	}
	if len(all) == 0 {
		t.Fatal("there is no place")
	}
	r := rand.New(rand.NewPCG(seed, 0))
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// limit is how long the tests of a change may take. A change that makes them hang
// is found.
const limit = 15 * time.Minute

// try makes a change and runs tests until one fails. It returns what that one
// wrote too.
func try(t *testing.T, d drawn) (outcome, out string) {
	t.Helper()
	overlay := overlay(t, d.place)
	folder := "./" + d.target.folder
	if out, err := command(t, "build", "-overlay="+overlay, folder); err != nil {
		if !strings.Contains(out, d.file) {
			t.Fatalf("%v: %v\n%s", d, err, out)
		}
		return invalid, out
	}
	for _, tests := range d.target.tests {
		args := append([]string{"test", "-overlay=" + overlay, "-count=1", "-vet=off", "-short", "-failfast", "-timeout=" + limit.String()}, tests...)
		if out, err := command(t, args...); err != nil {
			if strings.Contains(out, "[setup failed]") {
				t.Fatalf("%v: %v\n%s", d, err, out)
			}
			if strings.Contains(out, "test timed out") {
				return hangs, out
			}
			return killed, out
		}
	}
	return survived, ""
}

func overlay(t *testing.T, p place) string {
	t.Helper()
	file, err := filepath.Abs(filepath.Join(root, p.file))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
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

func command(t *testing.T, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	const code = `package a

import "x"

func f(n int) (ok bool) {
	if n < 2 && !ok {
		n++
	}
	for {
		defer x.Close()
		n = 7
		break
	}
	switch {
	case n > 0:
		n -= 1
		return true
	}
	return false
}
`
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.go"), []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	found, err := places(dir, "a.go")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range found {
		if p.mutated(code) == code {
			t.Errorf("%v changes nothing", p)
		}
		got = append(got, p.String())
	}
	want := []string{
		"a.go:6: n < 2 && !ok → !(n < 2 && !ok)", "a.go:6: && → ||", "a.go:6: < → <=", "a.go:6: 2 → (2 + 1)", "a.go:6: ! → nothing",
		"a.go:7: ++ → --", "a.go:10: defer x.Close() → {}", "a.go:11: n = 7 → {}", "a.go:11: 7 → (7 + 1)", "a.go:12: break → continue",
		"a.go:15: n -= 1 return true → nothing", "a.go:15: > → >=", "a.go:15: 0 → (0 + 1)", "a.go:16: -= → +=", "a.go:16: n -= 1 → {}",
		"a.go:16: 1 → (1 + 1)", "a.go:17: true → false", "a.go:19: false → true",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("places (-want +got):\n%s", diff)
	}
}

// TestDraw: a seed draws the same places each time, of all packages.
func TestDraw(t *testing.T) {
	t.Parallel()
	a, b := draw(t, 1), draw(t, 1)
	folders := make(map[string]bool)
	for i, d := range a {
		if i < 300 {
			folders[d.target.folder] = true
		}
		if d.String() != b[i].String() {
			t.Fatalf("place %d is %v and %v", i, d, b[i])
		}
	}
	if len(folders) != len(targets) {
		t.Errorf("the first places are in %v", folders)
	}
	t.Logf("%d places", len(a))
}
