package arch

import (
	"fmt"
	"os"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// root is the root of the repository, seen from this package.
const root = "../.."

func TestDirections(t *testing.T) {
	t.Parallel()
	for _, fault := range wrongImports(tree(t), directions) {
		t.Error(fault)
	}
}

// tree reads the repository.
func tree(t *testing.T) []folder {
	t.Helper()
	// The test cache watches the files that a test opens. What "go list" opens it
	// does not see, so the one file that only "go list" needs is opened here.
	if _, err := os.ReadFile(root + "/go.mod"); err != nil {
		t.Fatal(err)
	}
	folders, err := scan(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	return folders
}

// wrongImports returns a sentence for each import that no rule allows.
func wrongImports(folders []folder, rules []direction) []string {
	var faults []string
	for _, dir := range folders {
		rule, ok := ruleFor(owner(dir.path), rules)
		for _, f := range dir.files {
			if f.test {
				continue
			}
			for _, imp := range f.imports {
				to, isOurs := ours(imp)
				switch {
				case !isOurs || owner(to) == owner(dir.path) || matchesAny(everyone, to):
				case !ok:
					faults = append(faults, fmt.Sprintf("%s/%s imports %s: the package has no rule yet, add one", dir.path, f.name, to))
				case !matchesAny(rule.may, owner(to)):
					faults = append(faults, fmt.Sprintf("%s/%s imports %s: %s", dir.path, f.name, to, rule.why))
				}
			}
		}
	}
	return faults
}

// ruleFor returns the rule with the longest pattern that fits folder.
func ruleFor(folder string, rules []direction) (direction, bool) {
	var best direction
	for _, r := range rules {
		if matches(r.from, folder) && len(r.from) > len(best.from) {
			best = r
		}
	}
	return best, best.from != ""
}

func TestWrongImports(t *testing.T) {
	t.Parallel()
	rules := []direction{
		{".", nil, "stands alone"},
		{"server", []string{"server/engine"}, "knows the contract"},
		{"server/engine", nil, "is the contract"},
		{"cmd/...", []string{"..."}, "puts all together"},
		{"cmd/narrow", []string{"server"}, "is special"},
	}
	const leaf, ours = "package p\n", `import _ "github.com/go-lro/lro/`
	fsys := fstest.MapFS{
		"a.go":                    {Data: []byte(leaf + ours + "server\"\n")},
		"a_test.go":               {Data: []byte(leaf + ours + "server\"\n")},
		"b.go":                    {Data: []byte(leaf + ours + "lropb\"\nimport _ \"net/http\"\n")},
		"server/a.go":             {Data: []byte(leaf + ours + "server/engine\"\n" + ours + "server/internal/x\"\n")},
		"server/b_windows.go":     {Data: []byte("//go:build windows\n\n" + leaf + ours + "server/engine/sqlite\"\n")},
		"server/internal/x/x.go":  {Data: []byte(leaf + "import _ \"github.com/go-lro/lro\"\n")},
		"server/engine/a.go":      {Data: []byte(leaf + ours + "server\"\n")},
		"server/engine/b.go":      {Data: []byte(leaf + ours + "server/internal/x\"\n")},
		"cmd/lro/main.go":         {Data: []byte(leaf + ours + "server/engine\"\n")},
		"cmd/narrow/main.go":      {Data: []byte(leaf + ours + "server/engine\"\n")},
		"fresh/a.go":              {Data: []byte(leaf + ours + "server\"\n")},
		"alone/a.go":              {Data: []byte(leaf)},
		"server/testdata/x.go":    {Data: []byte(leaf + ours + "cmd/lro\"\n")},
		".cache/server/a.go":      {Data: []byte(leaf + ours + "server\"\n")},
		"server/engine/broken.go": {Data: []byte(leaf + ours + "cmd/lro\"\nfunc {")},
	}
	folders, err := scan(fsys)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"./a.go imports server: stands alone",
		"cmd/narrow/main.go imports server/engine: is special",
		"fresh/a.go imports server: the package has no rule yet, add one",
		"server/b_windows.go imports server/engine/sqlite: knows the contract",
		"server/engine/a.go imports server: is the contract",
		"server/engine/b.go imports server/internal/x: is the contract",
		"server/engine/broken.go imports cmd/lro: is the contract",
		"server/internal/x/x.go imports .: knows the contract",
	}
	if diff := cmp.Diff(want, wrongImports(folders, rules)); diff != "" {
		t.Errorf("wrongImports(folders, rules) (-want +got):\n%s", diff)
	}
}
