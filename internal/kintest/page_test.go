package kintest

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// maxRecipe is how many lines of code a block of docs/kin.md may have.
const maxRecipe = 30

// TestRecipesAreShort: that the blocks are the code of this package is tested in
// docs.
func TestRecipesAreShort(t *testing.T) {
	t.Parallel()
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(must(os.ReadFile("../../docs/kin.md"))), -1)
	if len(blocks) == 0 {
		t.Fatal("the page has no recipe")
	}
	for _, b := range blocks {
		n := 0
		for line := range strings.Lines(b[1]) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
				n++
			}
		}
		if n > maxRecipe {
			t.Errorf("%d lines, want at most %d:\n%s", n, maxRecipe, b[1])
		}
	}
}
