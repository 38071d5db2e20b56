package arch

import (
	"bytes"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// folder is one folder with Go files.
type folder struct {
	path  string // below the root, "." for the root
	files []file
}

// file is what the rules want to know of a Go file.
type file struct {
	name      string
	pkg       string // of the package clause
	doc       string // the package comment
	test      bool   // belongs to the test binary
	generated bool
	lines     int
	imports   []string
	sleeps    []int    // lines of the sleeps that nothing excuses
	bare      []string // exported names without a comment
}

// scan reads all Go files of fsys but those in folders that the go command
// ignores too. A file that does not parse counts as far as it does: to report it
// is the compiler's part.
func scan(fsys fs.FS) ([]folder, error) {
	byPath := make(map[string]*folder)
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist): // removed while we walk
			return nil
		case err != nil:
			return err
		case d.IsDir() && name != "." && ignored(d.Name()):
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".go" || ignored(d.Name()):
			return nil
		}
		src, err := fs.ReadFile(fsys, name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		dir := path.Dir(name)
		if byPath[dir] == nil {
			byPath[dir] = &folder{path: dir}
		}
		byPath[dir].files = append(byPath[dir].files, read(path.Base(name), src))
		return nil
	})
	if err != nil {
		return nil, err
	}
	var all []folder
	for _, f := range byPath {
		all = append(all, *f)
	}
	slices.SortFunc(all, func(a, b folder) int { return strings.Compare(a.path, b.path) })
	return all, nil
}

func ignored(name string) bool {
	return name[0] == '.' || name[0] == '_' || slices.Contains([]string{"testdata", "vendor", "node_modules"}, name)
}

func read(name string, src []byte) file {
	f := file{
		name:  name,
		test:  strings.HasSuffix(name, "_test.go"),
		lines: bytes.Count(src, []byte("\n")),
	}
	fset := token.NewFileSet()
	tree, _ := parser.ParseFile(fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if tree == nil || tree.Name == nil {
		return f
	}
	f.pkg = tree.Name.Name
	f.doc = tree.Doc.Text()
	f.generated = ast.IsGenerated(tree)
	for _, spec := range tree.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err == nil {
			f.imports = append(f.imports, p)
		}
	}
	f.sleeps = sleeps(fset, tree)
	f.bare = bare(tree)
	return f
}

// sleeps returns the lines on which tree calls time.Sleep outside of the
// arguments of synctest.Test, unless a comment "// sleep: reason" stands on the
// line or the one above.
func sleeps(fset *token.FileSet, tree *ast.File) []int {
	excused := make(map[int]bool)
	for _, group := range tree.Comments {
		for _, c := range group.List {
			if reason, ok := strings.CutPrefix(c.Text, "// sleep: "); ok && strings.TrimSpace(reason) != "" {
				line := fset.Position(c.Pos()).Line
				excused[line], excused[line+1] = true, true
			}
		}
	}
	clock, bubble := importName(tree, "time"), importName(tree, "testing/synctest")
	var lines []int
	ast.Inspect(tree, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if calls(call, bubble, "Test") {
			return false
		}
		if line := fset.Position(call.Pos()).Line; calls(call, clock, "Sleep") && !excused[line] {
			lines = append(lines, line)
		}
		return true
	})
	return lines
}

// importName returns the name under which tree knows a package, "" if it does
// not import it.
func importName(tree *ast.File, pkg string) string {
	for _, spec := range tree.Imports {
		switch {
		case spec.Path.Value != strconv.Quote(pkg):
		case spec.Name != nil:
			return spec.Name.Name
		default:
			return path.Base(pkg)
		}
	}
	return ""
}

// calls reports whether call is pkg.name(...).
func calls(call *ast.CallExpr, pkg, name string) bool {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || pkg == "" || sel.Sel.Name != name {
		return false
	}
	x, ok := sel.X.(*ast.Ident)
	return ok && x.Name == pkg
}
