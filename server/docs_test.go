package server_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	testName = regexp.MustCompile(`\b((?:Test|Fuzz)[A-Z]\w*)(?:/([\w,*]+\w|[\w,]+_\*))?`)
	testFunc = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
)

// TestConformanceTable keeps docs/aip-conformance.md true: every test it names
// exists, and every sub-test of a conformance test is named.
func TestConformanceTable(t *testing.T) {
	t.Parallel()
	page := read(t, "../docs/aip-conformance.md")
	source := map[string]string{} // test function, its text
	for _, pattern := range []string{"*_test.go", "internal/*/*_test.go", "../lrohttp/*_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text := read(t, file)
			at := testFunc.FindAllStringSubmatchIndex(text, -1)
			for i, m := range at {
				end := len(text)
				if i+1 < len(at) {
					end = at[i+1][0]
				}
				source[text[m[2]:m[3]]] = text[m[0]:end]
			}
		}
	}
	for _, m := range testName.FindAllStringSubmatch(page, -1) {
		body, ok := source[m[1]]
		if !ok {
			t.Errorf("the page names %s, which does not exist", m[1])
			continue
		}
		sub, family := strings.CutSuffix(m[2], "*")
		literal := `"` + sub + `"`
		if family {
			literal = `"` + sub
		}
		if sub != "" && !strings.Contains(body, literal) && !strings.Contains(body, strings.ReplaceAll(literal, "_", " ")) {
			t.Errorf("the page names %s, whose sub-test does not exist", m[0])
		}
	}
	for name, body := range source {
		if !strings.HasPrefix(name, "TestConformance") || name == "TestConformanceTable" {
			continue
		}
		for _, m := range regexp.MustCompile(`(?m)t\.Run\("(\w+)"|^\t\t\{"(\w+)", "`).FindAllStringSubmatch(body, -1) {
			if sub := m[1] + m[2]; !strings.Contains(page, name+"/"+sub) {
				t.Errorf("the page does not name %s/%s", name, sub)
			}
		}
	}
}

// TestErrorTable keeps docs/errors.md complete: it has a row for each reason.
func TestErrorTable(t *testing.T) {
	t.Parallel()
	find := func(text, pattern string) []string {
		var out []string
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
			out = append(out, m[1])
		}
		slices.Sort(out)
		return out
	}
	made := find(read(t, "reasons.go"), `= "([A-Z_]+)"`)
	told := find(read(t, "../docs/errors.md"), "(?m)^\\| `([A-Z_]+)` \\|")
	if d := cmp.Diff(made, told); d != "" {
		t.Errorf("reasons (-reasons.go +docs/errors.md):\n%s", d)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
