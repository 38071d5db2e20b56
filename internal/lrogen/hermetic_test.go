package lrogen

import (
	"go/build"
	"slices"
	"testing"
)

// TestHermetic: the output depends on the request alone. Remote plugins have no
// files and no network.
func TestHermetic(t *testing.T) {
	t.Parallel()
	pkg, err := build.ImportDir(".", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"embed", "io/fs", "math/rand", "math/rand/v2", "net", "net/http", "os", "os/exec", "path/filepath", "runtime", "time"} {
		if slices.Contains(pkg.Imports, name) {
			t.Errorf("package lrogen imports %q", name)
		}
	}
	if !slices.Contains(pkg.Imports, "google.golang.org/protobuf/compiler/protogen") {
		t.Errorf("imports of package lrogen: got %q, want all of them", pkg.Imports)
	}
}
