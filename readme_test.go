package lro_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each block of Go in the README is part of a file that compiles, but for its
// indentation: of the examples of this package or of a program.
func TestReadmeIsCompiled(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var compiled strings.Builder
	for _, file := range []string{"example_test.go", "lrogax/example_test.go", "examples/hello/main.go", "lrotest/example_test.go"} {
		code, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		compiled.WriteString(flat(string(code)))
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	if len(blocks) < 4 {
		t.Fatalf("README has %d blocks of Go, want some", len(blocks))
	}
	for _, block := range blocks {
		for part := range strings.SplitSeq(block[1], "\n\n") {
			if want := flat(part); !strings.Contains(compiled.String(), want) {
				t.Errorf("README has code that no example compiles:\n%s", part)
			}
		}
	}
}

// flat drops indentation and empty lines.
func flat(code string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(code, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

// The tests that docs/from-python.md calls as witnesses exist.
func TestFromPythonNamesTests(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("docs/from-python.md")
	if err != nil {
		t.Fatal(err)
	}
	var code strings.Builder
	for _, pattern := range []string{"*_test.go", "lrohttp/*_test.go", "internal/transporttest/*_test.go"} {
		files, err := filepath.Glob(pattern)
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
