package lrovanguard

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-lro/lro/internal/api"
)

var update = flag.Bool("update", false, "write testdata/api.txt anew")

// TestAPI fails when the public API changes, as its namesake in internal/arch
// does for the root module.
func TestAPI(t *testing.T) {
	t.Parallel()
	const file = "testdata/api.txt"
	texts, err := api.Packages(".")
	if err != nil {
		t.Fatal(err)
	}
	const path = "github.com/go-lro/lro/lrovanguard"
	now, ok := texts[path]
	if !ok || len(texts) != 1 {
		t.Fatalf("api.Packages(%q) = %v, want %q alone", ".", texts, path)
	}
	if *update {
		if err := os.WriteFile(file, []byte(now), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	old, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(old), now); diff != "" {
		t.Errorf("the public API has changed (-%s +now); if it is meant, run make api:\n%s", file, diff)
	}
}
