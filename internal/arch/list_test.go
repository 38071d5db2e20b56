package arch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
)

// systems are the operating systems we build for.
var systems = []string{"linux", "darwin", "windows"}

// program is what a program links that imports one package of ours.
type program struct {
	folder  string   // of the package
	links   []string // import paths of all its dependencies
	modules []string // of its dependencies, without ours and the standard library
}

// programs asks "go list" for all packages of the root module, on each system.
var programs = sync.OnceValues(func() ([]program, error) {
	all := make(map[string]program)
	for _, system := range systems {
		packages, err := list(system)
		if err != nil {
			return nil, err
		}
		for _, p := range merge(packages) {
			p.links = append(p.links, all[p.folder].links...)
			p.modules = append(p.modules, all[p.folder].modules...)
			all[p.folder] = p
		}
	}
	var sorted []program
	for _, folder := range slices.Sorted(maps.Keys(all)) {
		p := all[folder]
		slices.Sort(p.links)
		slices.Sort(p.modules)
		sorted = append(sorted, program{folder, slices.Compact(p.links), slices.Compact(p.modules)})
	}
	return sorted, nil
})

// listed is an entry of "go list -json".
type listed struct {
	ImportPath string
	Standard   bool
	Deps       []string
	Module     *struct{ Path string }
}

// list returns all packages of the root module and those they depend on. Packages
// with errors are listed as far as they go: to report them is the compiler's part.
func list(system string) ([]listed, error) {
	cmd := exec.Command("go", "list", "-e", "-deps", "-json=ImportPath,Standard,Deps,Module", "./...")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOOS="+system, "GOARCH=amd64", "CGO_ENABLED=0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("list packages for %s: %w\n%s", system, err, &stderr)
	}
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("read package list for %s: %w", system, err)
		}
		all = append(all, p)
	}
}

// merge returns what each of our packages among all links.
func merge(all []listed) []program {
	module := make(map[string]string)
	for _, p := range all {
		if p.Module != nil && !p.Standard && p.Module.Path != modulePath {
			module[p.ImportPath] = p.Module.Path
		}
	}
	var programs []program
	for _, p := range all {
		folder, ok := ours(p.ImportPath)
		if !ok {
			continue
		}
		prog := program{folder: folder, links: p.Deps}
		for _, dep := range p.Deps {
			if m := module[dep]; m != "" {
				prog.modules = append(prog.modules, m)
			}
		}
		programs = append(programs, prog)
	}
	return programs
}

func linked(t *testing.T) []program {
	t.Helper()
	tree(t) // so that the test cache watches the files that "go list" reads
	all, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("go list ./... names no package of ours: the rules would hold for nothing")
	}
	return all
}
