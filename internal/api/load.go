package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/importer"
	"go/token"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// listed is an entry of "go list -json".
type listed struct {
	ImportPath string
	Name       string
	Standard   bool
	DepOnly    bool
	Export     string // file with the types
	Module     *struct{ Main bool }
}

// private are folders whose packages cannot be imported from outside.
var private = []string{"internal", "examples", "interop", "bench"}

// IsPublic reports whether a package with this folder or import path is for
// others to import, if it is no program.
func IsPublic(path string) bool {
	return !slices.ContainsFunc(strings.Split(path, "/"), func(folder string) bool {
		return slices.Contains(private, folder)
	})
}

// Packages returns the text of each public package of the module in dir, by its
// import path: of all but programs, those below a folder in private, those with
// generated messages (named *pb), and those with tests only. It runs
// the go command, which compiles them if need be.
func Packages(dir string) (map[string]string, error) {
	all, err := list(dir)
	if err != nil {
		return nil, err
	}
	exports := make(map[string]string, len(all))
	for _, p := range all {
		exports[p.ImportPath] = p.Export
	}
	imports := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("no compiled package %q", path)
		}
		return os.Open(exports[path])
	})
	texts := make(map[string]string)
	for _, p := range all {
		if p.DepOnly || p.Module == nil || !p.Module.Main || !public(p) {
			continue
		}
		pkg, err := imports.Import(p.ImportPath)
		if err != nil {
			return nil, fmt.Errorf("import %q: %w", p.ImportPath, err)
		}
		texts[p.ImportPath] = text(pkg, standard(all))
	}
	return texts, nil
}

func public(p listed) bool {
	return p.Export != "" && p.Name != "main" && !strings.HasSuffix(p.Name, "pb") && IsPublic(p.ImportPath)
}

// standard returns the import paths of the standard library.
func standard(all []listed) map[string]bool {
	paths := make(map[string]bool)
	for _, p := range all {
		if p.Standard {
			paths[p.ImportPath] = true
		}
	}
	return paths
}

// list asks for all packages of the module in dir and what they import.
func list(dir string) ([]listed, error) {
	cmd := exec.Command("go", "list", "-deps", "-export", "-json=ImportPath,Name,Standard,DepOnly,Export,Module", "./...")
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("list packages in %q: %w\n%s", dir, err, &stderr)
	}
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("read package list of %q: %w", dir, err)
		}
		all = append(all, p)
	}
}
