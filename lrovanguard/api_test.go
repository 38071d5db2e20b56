package lrovanguard

import (
	"flag"
	"testing"

	"github.com/go-lro/lro/internal/api"
)

var update = flag.Bool("update", false, "write testdata/api.txt anew")

// TestAPI fails when the public API changes, as its namesake in internal/arch
// does for the root module.
func TestAPI(t *testing.T) {
	t.Parallel()
	const file = "testdata/api.txt"
	diff, err := api.Golden(".", "github.com/go-lro/lro/lrovanguard", file, *update)
	if err != nil {
		t.Fatal(err)
	}
	if diff != "" {
		t.Errorf("the public API has changed (-%s +now); if it is meant, run make api:\n%s", file, diff)
	}
}
