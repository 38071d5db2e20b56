package docs_test

import (
	"go/parser"
	"go/scanner"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/examples/library/librarypb"
	"github.com/go-lro/lro/lrotest"
)

func barClient(conn grpc.ClientConnInterface) *librarypb.LibraryLROClient {
	bar := lro.NewClientConn(conn, lro.WithPolicy(lro.Policy{MaxInterval: time.Second}))
	library := librarypb.NewLibraryLROClient(conn, bar)
	return library
}

// TestBar: the policy that your-service.md recommends for progress shows each
// step of a minute; without it, few are seen.
func TestBar(t *testing.T) {
	t.Parallel()
	const steps = 60
	for _, tt := range []struct {
		name     string
		client   func(grpc.ClientConnInterface) *librarypb.LibraryLROClient
		min, max int
	}{
		{"default", func(conn grpc.ClientConnInterface) *librarypb.LibraryLROClient {
			return librarypb.NewLibraryLROClient(conn, nil)
		}, 5, 25},
		{"each second", barClient, steps - 10, steps + 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var script []lrotest.Step
				for i := range steps {
					script = append(script, lrotest.Running(&librarypb.ExportBooksMetadata{BooksExported: int64(i)}).For(time.Second))
				}
				var srv lrotest.Server
				srv.Add("operations/export", append(script, lrotest.Succeeded(&librarypb.ExportBooksResponse{}))...)
				conn := srv.Dial()
				defer conn.Close()
				op, err := tt.client(conn).ResumeExportBooks("operations/export")
				if err != nil {
					t.Fatal(err)
				}
				seen := map[int64]bool{}
				for state, err := range op.Progress(t.Context()) {
					if err != nil {
						t.Fatal(err)
					}
					if md, ok := state.Metadata(); ok {
						seen[md.GetBooksExported()] = true
					}
				}
				if n := len(seen); n < tt.min || n > tt.max {
					t.Errorf("Progress showed %d of %d steps, want %d to %d", n, steps, tt.min, tt.max)
				}
			})
		})
	}
}

// TestLibraryLines: your-service.md says how many lines are written by hand for
// the example. Files about books and archives alone are not counted, and must not
// know of operations.
func TestLibraryLines(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("your-service.md")
	if err != nil {
		t.Fatal(err)
	}
	said := regexp.MustCompile("these are (\\d+) lines of Go in `service.go` and\n`main.go`, and (\\d+) in `client.go`").FindSubmatch(page)
	if said == nil {
		t.Fatal("your-service.md does not say how many lines there are")
	}
	files, err := filepath.Glob(filepath.Join(root, "examples", "library", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	lines := map[string]int{} // by what they are for
	for _, file := range files {
		switch name := filepath.Base(file); {
		case strings.HasSuffix(name, "_test.go"):
		case name == "library.go", name == "archive.go":
			if own := ownImports(t, file); len(own) != 1 || own[0] != "examples/library/librarypb" {
				t.Errorf("%s imports %q, want nothing that is about operations", name, own)
			}
		case name == "client.go":
			lines["client"] += linesOf(t, file)
		default:
			lines["service"] += linesOf(t, file)
		}
	}
	for i, what := range []string{"service", "client"} {
		n, err := strconv.Atoi(string(said[i+1]))
		if err != nil || n != lines[what] {
			t.Errorf("lines of the %s: your-service.md says %s, want %d", what, said[i+1], lines[what])
		}
	}
	if lines["service"] > 70 || lines["client"] > 15 {
		t.Errorf("lines: got %v, want at most 70 and 15", lines)
	}
}

// ownImports returns the imports of a file that are of this repository.
func ownImports(t *testing.T, file string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var own []string
	for _, spec := range parsed.Imports {
		if name, ok := strings.CutPrefix(strings.Trim(spec.Path.Value, `"`), "github.com/go-lro/lro/"); ok {
			own = append(own, name)
		}
	}
	return own
}

// linesOf counts the lines of a file that have code, without its package clause
// and imports.
func linesOf(t *testing.T, file string) int {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	parsed, err := parser.ParseFile(fset, file, text, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	head := fset.Position(parsed.Name.End()).Line
	for _, d := range parsed.Decls {
		head = max(head, fset.Position(d.End()).Line)
	}
	var s scanner.Scanner
	source := fset.AddFile(file, -1, len(text))
	s.Init(source, text, nil, 0) // without comments
	lines := make(map[int]bool)
	for {
		pos, tok, lit := s.Scan()
		if tok == token.EOF {
			return len(lines)
		}
		first := source.Line(pos)
		if first <= head || tok == token.SEMICOLON && lit == "\n" {
			continue
		}
		for i := range strings.Count(lit, "\n") + 1 {
			lines[first+i] = true
		}
	}
}

// TestLinesOf counts lines of a file that has all that is not counted.
func TestLinesOf(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "a.go")
	const text = `// Package a is one.
package a

import "fmt"

import (
	"os"
)

/* A comment
of two lines. */
var a = 1 // one

// b has a text of two lines.
const b = ` + "`x\n\n`" + `

func f() {
	// nothing

	fmt.Println(a, b, os.Args) /* all
	of it */
}
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := linesOf(t, file); got != 7 { // a, b and what is in it, f and its statement
		t.Errorf("linesOf: got %d, want 7", got)
	}
}
