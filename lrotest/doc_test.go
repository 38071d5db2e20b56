package lrotest_test

import (
	"go/doc/comment"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"
)

// What doc.go shows is what the tests run: each block of code in it stands in
// one of the files, but for the indentation.
func TestDocIsTested(t *testing.T) {
	t.Parallel()
	var tested strings.Builder
	for _, file := range []string{"example_test.go", "recipes_test.go"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		tested.WriteString(unindented(string(text)))
	}
	file, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	blocks := 0
	for _, block := range new(comment.Parser).Parse(file.Doc.Text()).Content {
		code, ok := block.(*comment.Code)
		if !ok {
			continue
		}
		blocks++
		for part := range strings.SplitSeq(strings.TrimSpace(code.Text), "\n\n") {
			if !strings.Contains(tested.String(), unindented(part)) {
				t.Errorf("doc.go shows code that no test runs:\n%s", part)
			}
		}
	}
	if blocks < 10 {
		t.Errorf("doc.go has %d blocks of code, want 10 or more: is it read right?", blocks)
	}
}

func unindented(code string) string {
	var b strings.Builder
	for line := range strings.Lines(code) {
		b.WriteString(strings.TrimSpace(line) + "\n")
	}
	return b.String()
}
