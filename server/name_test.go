package server

import (
	"strings"
	"testing"
)

func TestCheckName(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		ok   bool
	}{
		{"operations/abc", true},
		{"projects/p/locations/l/operations/abc", true},
		{"projects/example.com:p/operations/a-1_2~3", true},
		{"operations/ABC", true}, // cannot exist, but is a name
		{"operations/operations", true},
		{"", false},
		{"abc", false},
		{"operations", false},
		{"operations/", false},
		{"/operations/abc", false},
		{"projects//operations/abc", false},
		{"projects/p/operations/abc/", false},
		{"projects/p/jobs/abc", false},
		{"xoperations/abc", false},
		{"operations/.", false},
		{"operations/..", false},
		{"../operations/abc", false},
		{"operations/a b", false},
		{"operations/a\x00b", false},
		{"operations/a\nb", false},
		{"operations/ä", false},
		{"operations/%2e%2e", false},
		{"operations/a?b", false},
		{"operations/\xff", false},
		{"projects/*/operations/a", false},
		{strings.Repeat("p/", 600) + "operations/a", false},
	} {
		if err := checkName(tc.name); (err == nil) != tc.ok {
			t.Errorf("checkName(%q) = %v, want ok %t", tc.name, err, tc.ok)
		}
	}
}

func TestParentOf(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, want string
		ok         bool
	}{
		{"", "", true},
		{"operations", "", true},
		{"projects/p/locations/l", "projects/p/locations/l", true},
		{"projects/p/locations/l/operations", "projects/p/locations/l", true},
		{"projects/-", "projects/-", true},
		{"-", "-", true},
		{"/", "", false},
		{"projects/p/", "", false},
		{"projects/p/operations/", "", false},
		{"a/../b", "", false},
		{"/operations", "", false},
	} {
		got, err := parentOf(tc.name)
		if (err == nil) != tc.ok || err == nil && got != tc.want {
			t.Errorf("parentOf(%q) = %q, %v, want %q, ok %t", tc.name, got, err, tc.want, tc.ok)
		}
	}
}

func TestMatchesParent(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		pattern, parent string
		want            bool
	}{
		{"-", "", true},
		{"-", "projects/p/locations/l", true},
		{"projects/-", "projects/p", true},
		{"projects/-", "projects/p/locations/l", false},
		{"projects/-", "", false},
		{"projects/-/locations/l", "projects/p/locations/l", true},
		{"projects/-/locations/l", "projects/p/locations/m", false},
	} {
		if got := matchesParent(strings.Split(tc.pattern, "/"), tc.parent); got != tc.want {
			t.Errorf("matchesParent(%q, %q) = %t, want %t", tc.pattern, tc.parent, got, tc.want)
		}
	}
}

// TestNameErrorShowsTheCharacter: not one of its bytes.
func TestNameErrorShowsTheCharacter(t *testing.T) {
	t.Parallel()
	if err := checkSegment("a日"); err == nil || !strings.Contains(err.Error(), "'日'") {
		t.Errorf("checkSegment(%q) = %v, want an error with the character", "a日", err)
	}
}

// A name that passes has the form the rest of the program relies on.
func FuzzCheckName(f *testing.F) {
	for _, seed := range []string{"operations/a", "p/q/operations/a", "operations/../a", "a//operations/b", "\xff/operations/a", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if checkName(name) != nil {
			return
		}
		segments := strings.Split(name, "/")
		if n := len(segments); n < 2 || segments[n-2] != "operations" {
			t.Fatalf("checkName(%q) = nil, want an error", name)
		}
		for _, s := range segments {
			if s == "" || s == "." || s == ".." || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '%' || r == '?' }) {
				t.Fatalf("checkName(%q) = nil, want an error about %q", name, s)
			}
		}
	})
}
