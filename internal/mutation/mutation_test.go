package mutation

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	sampleFlag = flag.Int("mutation.sample", 0, "how many changes to make in all, with those that the file has")
	seedFlag   = flag.Uint64("mutation.seed", 1, "what draws the places")
	fileFlag   = flag.String("mutation.file", "", "the `file` that has the outcomes, and gets more")
	forFlag    = flag.Duration("mutation.for", 0, "make no further change after this time; 0 for no limit")
	lanesFlag  = flag.Int("mutation.lanes", 1, "how many changes to make at a time, each on a processor of its own")
	againFlag  = flag.String("mutation.again", "", "make only the changes whose lines in the file contain this `text`, again")
)

// root is the folder of the repository.
const root = "../.."

// target is a package whose code is changed, and the tests that have to find it:
// what comes first is the quickest.
type target struct {
	folder string
	tests  []tests
}

// tests are a package and what its test binary runs.
type tests struct {
	pkg  string
	skip string
	args []string
}

var (
	engine     = []string{"-test.run=^TestEngine$"}
	simulation = []string{"-test.run=^TestSimulation$", "-simulation.seeds=1-150", "-simulation.first"}
)

var targets = []target{
	{".", []tests{{pkg: "."}, {pkg: "lrotest"}, {pkg: "lrohttp"}, {pkg: "lrogax"}, {pkg: "lroext"}, {pkg: "server"}}},
	{"server", []tests{
		{pkg: "server"},
		{pkg: "server/engine/sqlite", args: engine}, {pkg: "server/engine/sqlite", args: simulation},
		{pkg: "server/servertest"}, {pkg: "server/serverotel"}, {pkg: "lrohttp"},
	}},
	{"server/engine/sqlite", []tests{
		{pkg: "server/engine/sqlite", skip: "^TestSimulation$"},
		{pkg: "server/engine/sqlite", args: simulation},
	}},
	{"server/engine/postgres", []tests{
		{pkg: "server/engine/postgres", args: engine},
		{pkg: "server/engine/postgres", skip: "^TestEngine$"},
		{pkg: "server/engine/postgres/internal/faulttest", args: []string{"-fault-rounds=1"}},
	}},
}

// TestSample makes the changes. The outcome of each is a line of the file.
func TestSample(t *testing.T) {
	t.Parallel()
	if *sampleFlag == 0 {
		t.Skip("SKIPPED: run make mutation")
	}
	file, err := readOutcomes(*fileFlag)
	if err != nil {
		t.Fatal(err)
	}
	all := draw(t, *seedFlag)
	t.Cleanup(func() { t.Log(file.summary(all, *sampleFlag)) })
	s := &sample{began: time.Now(), left: all, file: file}
	sound := &binaries{dir: t.TempDir(), built: make(map[string]string)}
	for lane := range *lanesFlag {
		t.Run(fmt.Sprint(lane), func(t *testing.T) {
			t.Parallel()
			for d, ok := s.next(); ok; d, ok = s.next() {
				began := time.Now()
				outcome, by := try(t, d, sound)
				t.Logf("%s\t%v\t%s\t(%s:%d, %v)", outcome, d, by, d.file, d.line, time.Since(began).Round(time.Second))
				if err := s.made(d, outcome, by); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// sample hands the places out, each once.
type sample struct {
	began time.Time

	mu    sync.Mutex
	left  []drawn // in the order of the seed
	count int     // places handed out or known, without those that do not compile
	file  *outcomes
}

// next returns a place whose change is to be made.
func (s *sample) next() (drawn, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.left) > 0 && s.count < *sampleFlag && (*forFlag == 0 || time.Since(s.began) < *forFlag) {
		d := s.left[0]
		s.left = s.left[1:]
		known, ok := s.file.get(d.String())
		if !ok || known.outcome != invalid {
			s.count++
		}
		if again := *againFlag; again == "" && !ok || again != "" && ok && strings.Contains(known.String(), again) {
			return d, true
		}
	}
	return drawn{}, false
}

func (s *sample) made(d drawn, outcome, by string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if outcome == invalid {
		s.count--
	}
	s.file.set(line{outcome, d.String(), by})
	return s.file.write(*fileFlag)
}

// drawn is a place with the tests of its package.
type drawn struct {
	place
	target target
}

// draw returns all places in the order of a seed. The order depends on the code
// of each place alone: what else changes leaves the others where they are.
func draw(t *testing.T, seed uint64) []drawn {
	t.Helper()
	type key [sha256.Size]byte
	keys := make(map[string]key)
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
				keys[p.String()] = sha256.Sum256(fmt.Appendf(nil, "%d %v", seed, p))
			}
		}
	}
	if len(all) == 0 || len(all) != len(keys) {
		t.Fatalf("there are %d places of %d names", len(all), len(keys))
	}
	slices.SortFunc(all, func(a, b drawn) int {
		x, y := keys[a.String()], keys[b.String()]
		return slices.Compare(x[:], y[:])
	})
	return all
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
		got = append(got, p.String()[:strings.Index(p.String(), " in ")])
	}
	want := []string{
		"a.go: n < 2 && !ok → !(n < 2 && !ok)", "a.go: && → ||", "a.go: < → <=", "a.go: 2 → (2 + 1)", "a.go: ! → nothing",
		"a.go: ++ → --", "a.go: defer x.Close() → {}", "a.go: n = 7 → {}", "a.go: 7 → (7 + 1)", "a.go: break → continue",
		"a.go: n -= 1 return true → nothing", "a.go: > → >=", "a.go: 0 → (0 + 1)", "a.go: -= → +=", "a.go: n -= 1 → {}",
		"a.go: 1 → (1 + 1)", "a.go: true → false", "a.go: false → true",
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

// TestPlaceNames: the name of a place says where it is, stays when lines move,
// and is that of no other place.
func TestPlaceNames(t *testing.T) {
	t.Parallel()
	const code = "if n == 1 && m == 1 {\n\t}\n"
	names := func(before string) (all []string) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "a.go"), []byte("package a\n"+before+"func f(n, m int) {\n\t"+code+"}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		found, err := places(dir, "a.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range found {
			all = append(all, p.String())
		}
		return all
	}
	got := names("")
	want := []string{
		"a.go: n == 1 && m == 1 → !(n == 1 && m == 1) in if n == 1 && m == 1 {",
		"a.go: && → || in if n == 1 && m == 1 {",
		"a.go: == → != in if n == 1 && m == 1 {",
		"a.go: 1 → (1 + 1) in if n == 1 && m == 1 {",
		"a.go: == → != in if n == 1 && m == 1 { (2)",
		"a.go: 1 → (1 + 1) in if n == 1 && m == 1 { (2)",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(got, names("\n// moved\n\n")); diff != "" {
		t.Errorf("names after lines moved (-before +after):\n%s", diff)
	}
}
