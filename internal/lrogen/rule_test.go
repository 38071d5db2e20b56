package lrogen

import (
	"regexp"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// These names are stored with operations: a change of one loses operations.
func TestKindName(t *testing.T) {
	t.Parallel()
	valid := regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,62}$`)
	long := "google.cloud.networkconnectivity.v1.PolicyBasedRoutingService."
	tests := []struct{ method, want string }{
		{"example.library.v1.Library.ExportBooks", "example.library.v1.Library.ExportBooks"},
		{long + "A", long + "A"}, // 63 bytes
		{long + "DeletePolicyBasedRoute", "v1.PolicyBasedRoutingService.DeletePolicyBasedRoute-" + "HASH"},
		{strings.Repeat("a", 70) + ".S.M", "S.M-HASH"},
		{"p." + strings.Repeat("S", 70), strings.Repeat("S", 54) + "-HASH"},
		{"_p.S.M", "p.S.M-HASH"},
		{"_p." + strings.Repeat("_", 60) + "S", "S-HASH"},
	}
	seen := make(map[string]string)
	for _, test := range tests {
		got := kindName(protoreflect.FullName(test.method))
		want := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(test.want), "HASH", "[0-9a-f]{8}") + "$")
		if !want.MatchString(got) || !valid.MatchString(got) {
			t.Errorf("kindName(%q): got %q, want %s", test.method, got, test.want)
		}
		if other, ok := seen[got]; ok {
			t.Errorf("kindName: %q for both %q and %q", got, test.method, other)
		}
		seen[got] = test.method
	}
	const want = "v1.PolicyBasedRoutingService.DeletePolicyBasedRoute-1c15bf37"
	if got := kindName(protoreflect.FullName(long + "DeletePolicyBasedRoute")); got != want {
		t.Errorf("kindName: got %q, want %q", got, want)
	}
	// Methods of two packages that end alike.
	if a, b := kindName("a."+protoreflect.FullName(strings.Repeat("S", 70))), kindName("b."+protoreflect.FullName(strings.Repeat("S", 70))); a == b {
		t.Errorf("kindName: %q for methods of two packages", a)
	}
}
