package arch

import (
	"slices"
	"strings"
	"testing"
)

// matches reports whether folder fits pattern; see direction.
func matches(pattern, folder string) bool {
	if pattern == "..." {
		return true
	}
	tree, ok := strings.CutSuffix(pattern, "/...")
	return folder == tree || ok && strings.HasPrefix(folder, tree+"/")
}

func matchesAny(patterns []string, folder string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, folder) })
}

// ours returns the folder of an import path, and whether it is one of ours.
func ours(importPath string) (string, bool) {
	if importPath == modulePath {
		return ".", true
	}
	return strings.CutPrefix(importPath, modulePath+"/")
}

// owner returns the folder that answers for folder: the one that holds its
// internal folder, or itself. The internal folder of the root has no owner.
func owner(folder string) string {
	if i := strings.Index(folder+"/", "/internal/"); i > 0 {
		return folder[:i]
	}
	return folder
}

func TestMatches(t *testing.T) {
	t.Parallel()
	tests := []struct {
		pattern, folder string
		want            bool
	}{
		{".", ".", true},
		{".", "server", false},
		{"server", "server", true},
		{"server", "server/engine", false},
		{"server/...", "server", true},
		{"server/...", "server/engine", true},
		{"server/...", "serverless", false},
		{"...", ".", true},
		{"...", "server/engine", true},
	}
	for _, tt := range tests {
		if got := matches(tt.pattern, tt.folder); got != tt.want {
			t.Errorf("matches(%q, %q) = %t, want %t", tt.pattern, tt.folder, got, tt.want)
		}
	}
}

func TestOwner(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		".":                         ".",
		"server":                    "server",
		"server/internal/grpc":      "server",
		"server/internal":           "server",
		"internal/leak":             "internal/leak",
		"server/engine/internal/ab": "server/engine",
		"server/internals":          "server/internals",
	}
	for in, want := range tests {
		if got := owner(in); got != want {
			t.Errorf("owner(%q) = %q, want %q", in, got, want)
		}
	}
}
