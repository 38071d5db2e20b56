package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/go-lro/lro/internal/leak"
	"github.com/go-lro/lro/internal/pgtest"
)

func TestMain(m *testing.M) { leak.Main(pgtest.Shared(m)) }

// root is the repository.
const root = ".."

// page is a file of the manual.
type page struct {
	path string // below the root, with slashes
	text string
}

// pages returns all pages that people read, from README.md on.
func pages(t *testing.T) []page {
	t.Helper()
	var all []page
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			name, err := filepath.Rel(root, file)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, page{filepath.ToSlash(name), string(text)})
		}
	}
	if len(all) < 10 {
		t.Fatalf("found %d pages, want the whole manual", len(all))
	}
	return all
}

// TestCodeIsCompiled: each block of Go in the manual is part of a file that
// compiles, but for its indentation. Where nothing else has it, write it in a
// test of this folder.
func TestCodeIsCompiled(t *testing.T) {
	t.Parallel()
	var compiled strings.Builder
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "node_modules"):
			return fs.SkipDir
		case filepath.Ext(path) != ".go":
			return nil
		}
		code, err := os.ReadFile(path)
		compiled.WriteString(flat(string(code)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	blocks := 0
	for _, p := range pages(t) {
		for _, block := range regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(p.text, -1) {
			blocks++
			for part := range strings.SplitSeq(block[1], "\n\n") {
				if want := flat(part); !strings.Contains(compiled.String(), want) {
					t.Errorf("%s has code that is compiled nowhere:\n%s", p.path, part)
				}
			}
		}
	}
	if blocks < 20 {
		t.Errorf("the manual has %d blocks of Go, want more: is the pattern wrong?", blocks)
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

var (
	fence = regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")
	link  = regexp.MustCompile(`\]\(([^)\s]+)\)`)
)

// TestLinks: what a page links to within the repository is there, headings too.
func TestLinks(t *testing.T) {
	t.Parallel()
	for _, p := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(p.text, ""), -1) {
			target, heading, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			file := filepath.Join(root, p.path)
			if target != "" {
				file = filepath.Join(root, filepath.Dir(p.path), target)
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s links to %q, which is not there", p.path, m[1])
				continue
			}
			if heading != "" && !hasHeading(t, file, heading) {
				t.Errorf("%s links to %q, which has no such heading", p.path, m[1])
			}
		}
	}
}

// hasHeading reports whether a page has a heading with this anchor.
func hasHeading(t *testing.T, file, anchor string) bool {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " ")
		if ok && strings.HasPrefix(line, "#") && anchorOf(title) == anchor {
			return true
		}
	}
	return false
}

var notInAnchors = regexp.MustCompile(`[^\p{L}\p{N} _-]`)

// anchorOf makes an anchor of a heading as public forges do.
func anchorOf(title string) string {
	return strings.ReplaceAll(notInAnchors.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), ""), " ", "-")
}

// TestContents: every page of docs is in its table of contents.
func TestContents(t *testing.T) {
	t.Parallel()
	contents, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pages(t) {
		name, ok := strings.CutPrefix(p.path, "docs/")
		if ok && !strings.Contains(name, "/") && name != "README.md" && !strings.Contains(string(contents), "("+name+")") {
			t.Errorf("docs/README.md does not link to %s", name)
		}
	}
}
