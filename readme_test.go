package lro_test

import (
	"os"
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
