package api

import (
	"fmt"
	"go/types"
	"regexp"
	"strings"
)

// writer writes the API of one package.
type writer struct {
	strings.Builder
	pkg      *types.Package
	standard map[string]bool // import paths of the standard library
}

// text returns the exported names of pkg, in the order of the alphabet.
func text(pkg *types.Package, standard map[string]bool) string {
	w := &writer{pkg: pkg, standard: standard}
	fmt.Fprintf(w, "package %s // %s\n", pkg.Name(), pkg.Path())
	for _, name := range pkg.Scope().Names() {
		if obj := pkg.Scope().Lookup(name); obj.Exported() {
			w.object(obj)
		}
	}
	return w.String()
}

func (w *writer) qualify(p *types.Package) string {
	switch {
	case p == w.pkg:
		return ""
	case w.standard[p.Path()]:
		return p.Name()
	}
	return p.Path()
}

func (w *writer) typeOf(t types.Type) string { return types.TypeString(t, w.qualify) }

func (w *writer) object(obj types.Object) {
	switch obj := obj.(type) {
	case *types.Const:
		fmt.Fprintf(w, "const %s %s = %s\n", obj.Name(), w.typeOf(obj.Type()), obj.Val().ExactString())
	case *types.Var:
		fmt.Fprintf(w, "var %s %s\n", obj.Name(), w.typeOf(obj.Type()))
	case *types.Func:
		fmt.Fprintf(w, "func %s%s\n", obj.Name(), w.signature(obj))
	case *types.TypeName:
		w.typeName(obj)
	}
}

// signature is a function's type without "func".
func (w *writer) signature(f *types.Func) string {
	return noName.ReplaceAllString(strings.TrimPrefix(w.typeOf(f.Type()), "func"), "")
}

// noName is what the compiler calls a result without a name.
var noName = regexp.MustCompile(`#rv\d+ `)

func (w *writer) typeName(obj *types.TypeName) {
	if obj.IsAlias() {
		fmt.Fprintf(w, "type %s = %s\n", obj.Name(), w.typeOf(types.Unalias(obj.Type())))
		return
	}
	name := w.typeOf(obj.Type())
	switch u := obj.Type().Underlying().(type) {
	case *types.Struct:
		fmt.Fprintf(w, "type %s struct\n", name)
		for f := range u.Fields() {
			w.field(f)
		}
	case *types.Interface:
		fmt.Fprintf(w, "type %s interface%s\n", name, sealed(u))
		for m := range u.Methods() {
			if m.Exported() {
				fmt.Fprintf(w, "\tmethod %s%s\n", m.Name(), w.signature(m))
			}
		}
		return
	default:
		fmt.Fprintf(w, "type %s %s\n", name, w.typeOf(u))
	}
	w.methods(obj.Type())
}

// sealed marks an interface that other packages cannot implement.
func sealed(u *types.Interface) string {
	for m := range u.Methods() {
		if !m.Exported() {
			return " with unexported methods"
		}
	}
	return ""
}

func (w *writer) field(f *types.Var) {
	switch {
	case !f.Exported():
	case f.Embedded():
		fmt.Fprintf(w, "\tembeds %s\n", w.typeOf(f.Type()))
	default:
		fmt.Fprintf(w, "\tfield %s %s\n", f.Name(), w.typeOf(f.Type()))
	}
}

// methods lists those of a value and, with a star, those of a pointer; what
// embedded fields bring is among them.
func (w *writer) methods(t types.Type) {
	values := types.NewMethodSet(t)
	for m := range types.NewMethodSet(types.NewPointer(t)).Methods() {
		if !m.Obj().Exported() {
			continue
		}
		receiver := "*"
		if values.Lookup(m.Obj().Pkg(), m.Obj().Name()) != nil {
			receiver = ""
		}
		f := m.Obj().(*types.Func)
		fmt.Fprintf(w, "\tmethod (%s) %s%s\n", receiver+t.(*types.Named).Obj().Name(), f.Name(), w.signature(f))
	}
}

// Names counts the exported names in a text of [Packages], without fields and
// methods: what a reader of the package's index sees.
func Names(text string) int {
	n := 0
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "\t") && !strings.HasPrefix(line, "package ") {
			n++
		}
	}
	return n
}
