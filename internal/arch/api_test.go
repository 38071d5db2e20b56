package arch

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-lro/lro/internal/api"
)

// apiFolder has a file for each public package with all it exports; see package
// api.
const apiFolder = "testdata/api"

// TestAPI fails when the public API changes, so that this happens on purpose
// only: "make api" writes the files anew, and the diff is read like code.
func TestAPI(t *testing.T) {
	t.Parallel()
	tree(t) // so that the test cache watches the files that "go list" reads
	texts, err := api.Packages(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(texts) == 0 {
		t.Fatalf("api.Packages(%q) names no package", root)
	}
	now := make(map[string]string)
	for path, text := range texts {
		now[apiFile(path)] = text
	}
	kept, err := filepath.Glob(filepath.Join(apiFolder, "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		old, err := os.ReadFile(name)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		diff := cmp.Diff(string(old), now[name])
		switch {
		case diff == "":
		case *update:
			writeAPI(t, name, now[name])
		default:
			t.Errorf("the public API has changed (-%s +now); if it is meant, run make api, and say in the changelog what users must do:\n%s", name, diff)
		}
	}
	for _, name := range kept {
		switch _, there := now[filepath.ToSlash(name)]; {
		case there:
		case *update:
			if err := os.Remove(name); err != nil {
				t.Error(err)
			}
		default:
			t.Errorf("%s is of a package that is gone; if it is meant, run make api", name)
		}
	}
}

// apiFile is where the API of a package is kept: lro.txt, server.engine.txt.
func apiFile(importPath string) string {
	name := strings.TrimPrefix(importPath, modulePath+"/")
	if importPath == modulePath {
		name = "lro"
	}
	return apiFolder + "/" + strings.ReplaceAll(name, "/", ".") + ".txt"
}

func writeAPI(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestRootStaysSmall counts what package lro exports, fields and methods aside.
func TestRootStaysSmall(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(apiFile(modulePath))
	if err != nil {
		t.Fatal(err)
	}
	if n := api.Names(string(text)); n > maxRootNames {
		t.Errorf("package lro exports %d names, more than %d: put what few callers need into a package of its own", n, maxRootNames)
	}
}
