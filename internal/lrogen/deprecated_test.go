package lrogen

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

// TestDeprecated: what is generated of a deprecated service or method says so, so
// that linters find its use.
func TestDeprecated(t *testing.T) {
	t.Parallel()
	marked := make(map[string]bool) // by name
	for name, text := range generated(t, module+",server_package_suffix=server", golden[0]) {
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				marked[d.Name.Name] = strings.Contains(d.Doc.Text(), "Deprecated: ")
			case *ast.GenDecl:
				markSpecs(d, marked)
			}
		}
	}
	for _, name := range []string{
		"Archive_Move_Method", "Move", "ResumeMove", "ArchiveHandler.Move", "ArchiveKinds.Move",
		"OldLROClient", "NewOldLROClient", "OldHandler", "OldKinds", "NewOldKinds", "HandleOld", "RegisterOld",
	} {
		got, ok := marked[name]
		if !ok {
			t.Errorf("%s is not generated", name)
		} else if !got {
			t.Errorf("%s is not marked as deprecated", name)
		}
	}
	for _, name := range []string{"Archive_Purge_Method", "Purge", "ResumePurge", "ArchiveKinds.Purge", "ArchiveKinds", "RegisterArchive"} {
		if got, ok := marked[name]; !ok || got {
			t.Errorf("%s is marked as deprecated: got %v (generated: %v), want false", name, got, ok)
		}
	}
}

// markSpecs notes which of the declared names, and of the fields and methods of
// types, are marked.
func markSpecs(d *ast.GenDecl, marked map[string]bool) {
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.ValueSpec:
			marked[spec.Names[0].Name] = strings.Contains(d.Doc.Text(), "Deprecated: ")
		case *ast.TypeSpec:
			marked[spec.Name.Name] = strings.Contains(d.Doc.Text(), "Deprecated: ")
			fields := &ast.FieldList{}
			switch t := spec.Type.(type) {
			case *ast.StructType:
				fields = t.Fields
			case *ast.InterfaceType:
				fields = t.Methods
			}
			for _, f := range fields.List {
				for _, name := range f.Names {
					marked[spec.Name.Name+"."+name.Name] = strings.Contains(f.Doc.Text(), "Deprecated: ")
				}
			}
		}
	}
}
