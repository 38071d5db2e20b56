package arch

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write testdata/links.txt and testdata/api anew")

// linksFile lists, for each package that promises to stay light, the modules
// that a program links by importing it: the import path of the package on a
// line, then the modules, indented by a tab.
const linksFile = "testdata/links.txt"

// TestModules fails when the modules change, in either direction, so that no
// dependency is added by accident.
func TestModules(t *testing.T) {
	t.Parallel()
	old, err := os.ReadFile(linksFile)
	if err != nil {
		t.Fatal(err)
	}
	got, err := relist(string(old), linked(t))
	if err != nil {
		t.Fatal(err)
	}
	diff := cmp.Diff(string(old), got)
	if diff == "" {
		return
	}
	if !*update {
		t.Fatalf("modules linked (-%s +now); if the change is meant, run go test ./internal/arch -update:\n%s", linksFile, diff)
	}
	if err := os.WriteFile(linksFile, []byte(got), 0o644); err != nil {
		t.Fatal(err)
	}
}

// relist returns the text of linksFile for the packages that old names.
func relist(old string, all []program) (string, error) {
	var text strings.Builder
	for line := range strings.Lines(old) {
		if strings.HasPrefix(line, "\t") {
			continue
		}
		importPath := strings.TrimSpace(line)
		folder, _ := ours(importPath)
		i := slices.IndexFunc(all, func(p program) bool { return p.folder == folder })
		if i < 0 {
			return "", fmt.Errorf("list modules of %q: no such package", importPath)
		}
		fmt.Fprintln(&text, importPath)
		for _, m := range all[i].modules {
			fmt.Fprintf(&text, "\t%s\n", m)
		}
	}
	return text.String(), nil
}

func TestRelist(t *testing.T) {
	t.Parallel()
	all := []program{
		{folder: ".", modules: []string{"example.com/a", "example.com/b"}},
		{folder: "server"},
	}
	const old = modulePath + "/server\n\texample.com/gone\n" + modulePath + "\n\texample.com/a\n"
	const want = modulePath + "/server\n" + modulePath + "\n\texample.com/a\n\texample.com/b\n"
	if got, err := relist(old, all); err != nil || got != want {
		t.Errorf("relist(old, all) = %q, %v, want %q", got, err, want)
	}
	if got, err := relist(modulePath+"/none\n", all); err == nil {
		t.Errorf("relist of a package that does not exist = %q, want an error", got)
	}
}
