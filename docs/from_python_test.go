package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The tests that from-python.md calls as witnesses exist.
func TestFromPythonNamesTests(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("from-python.md")
	if err != nil {
		t.Fatal(err)
	}
	var code strings.Builder
	for _, pattern := range []string{"*_test.go", "lrohttp/*_test.go", "lroext/*_test.go", "internal/transporttest/*_test.go"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			code.Write(text)
		}
	}
	names := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(string(page), -1)
	if len(names) < 15 {
		t.Fatalf("the page names %d tests, want one for each defect", len(names))
	}
	for _, name := range names {
		if !strings.Contains(code.String(), "func "+name[1]+"(t ") {
			t.Errorf("the page names %s, which is no test", name[1])
		}
	}
}
