package arch

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLinks(t *testing.T) {
	t.Parallel()
	for _, fault := range wrongLinks(linked(t), links) {
		t.Error(fault)
	}
}

// wrongLinks returns a sentence for each package that links what no rule allows.
func wrongLinks(all []program, rules []link) []string {
	var faults []string
	for _, p := range all {
		for _, r := range rules {
			i := slices.IndexFunc(p.links, func(path string) bool {
				return path == r.what || strings.HasPrefix(path, r.what+"/")
			})
			if i >= 0 && !p.passes(r.through) {
				faults = append(faults, fmt.Sprintf("%s links %s: %s", p.folder, p.links[i], r.why))
			}
		}
	}
	return faults
}

// passes reports whether the package of p, or one that it links, matches one of
// patterns.
func (p program) passes(patterns []string) bool {
	return matchesAny(patterns, p.folder) || slices.ContainsFunc(p.links, func(path string) bool {
		folder, ok := ours(path)
		return ok && matchesAny(patterns, folder)
	})
}

func TestWrongLinks(t *testing.T) {
	t.Parallel()
	rules := []link{
		{"testing", []string{"kit"}, "tests only"},
		{"example.com/db", []string{"engines/..."}, "behind an engine"},
		{modulePath + "/internal/leak", nil, "nobody"},
	}
	const lro = modulePath
	dep := func(path string, deps ...string) listed { return listed{ImportPath: path, Deps: deps} }
	all := merge([]listed{
		dep(lro, "fmt", "testing"),
		dep(lro+"/kit", "testing"),
		dep(lro+"/user", "testing", lro+"/kit"),
		dep(lro+"/engines/a", "example.com/db/driver"),
		dep(lro+"/cmd", "example.com/db/driver", lro+"/engines/a"),
		dep(lro+"/server", "example.com/db/driver", "example.com/dbx"),
		dep(lro+"/client", "example.com/dbx", "testing/iotest"),
		dep(lro + "/internal/leak"),
		dep(lro+"/x", lro+"/internal/leak"),
		dep("testing"),
	})
	want := []string{
		". links testing: tests only",
		"server links example.com/db/driver: behind an engine",
		"client links testing/iotest: tests only",
		"x links github.com/go-lro/lro/internal/leak: nobody",
	}
	if diff := cmp.Diff(want, wrongLinks(all, rules)); diff != "" {
		t.Errorf("wrongLinks(all, rules) (-want +got):\n%s", diff)
	}
}
