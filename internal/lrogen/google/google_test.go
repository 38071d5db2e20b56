package google

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	_ "github.com/googleapis/gax-go/v2" // by what is compiled
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"

	_ "github.com/go-lro/lro" // by what is compiled
	"github.com/go-lro/lro/internal/lrogen"
	_ "github.com/go-lro/lro/lrogax" // by what is compiled
	_ "github.com/go-lro/lro/server" // by what is compiled
)

// TestGoogle generates the clients of all linked services, and runs them
// together with a program in which the compiler infers that the types of each
// method are those of Google's wrapper, and which compares the method's name with
// what package lrogax makes of the wrapper, and its types with the annotation.
func TestGoogle(t *testing.T) {
	t.Parallel()
	generated := generate(t)
	checks := checksOf(generated)
	clients, err := os.ReadFile("clients_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range regexp.MustCompile(`_ "(.*)"`).FindAllStringSubmatch(string(clients), -1) {
		if checks.methods[c[1]] == 0 {
			t.Errorf("%s: no method was generated", c[1])
		}
	}
	files := map[string]string{"checked/checked.go": checks.text()}
	for _, f := range generated {
		files[path.Join("checked", packageOf(f), path.Base(f.GetName()))] = f.GetContent()
	}
	out, err := run(t, files)
	if err != nil {
		t.Fatal(err)
	}
	if out != "checked" {
		t.Errorf("methods that lrogax makes of wrappers:\n%s", out)
	}
	total := 0
	for _, n := range checks.methods {
		total += n
	}
	t.Logf("%d methods of %d clients", total, len(checks.methods))

	kinds := make(map[string]bool)
	for _, f := range generated {
		for _, k := range regexp.MustCompile(`: +server\.Kind\[.*\]\{Name: "([A-Za-z][A-Za-z0-9_.-]{0,62})", Method: "\S+"\}`).FindAllStringSubmatch(f.GetContent(), -1) {
			kinds[k[1]] = true
		}
	}
	if len(kinds) != total {
		t.Errorf("kinds: got %d valid names that differ, want one for each of %d methods", len(kinds), total)
	}

	// The compiler does see a wrong type: that of the first method as another's.
	at := regexp.MustCompile(`same\(\w+\.\w+, `).FindStringIndex(files["checked/checked.go"])
	files["checked/checked.go"] = files["checked/checked.go"][:at[0]] +
		"same(lro.Method[*anypb.Any, *anypb.Any]{}, " + files["checked/checked.go"][at[1]:]
	if _, err := run(t, files); err == nil || !strings.Contains(err.Error(), "does not match") {
		t.Errorf("compile with a wrong type: got error %v, want that types do not match", err)
	}
}

// generate returns the files made of the linked descriptors.
func generate(t *testing.T) []*pluginpb.CodeGeneratorResponse_File {
	t.Helper()
	req := &pluginpb.CodeGeneratorRequest{}
	seen := make(map[string]bool)
	var add func(protoreflect.FileDescriptor)
	add = func(file protoreflect.FileDescriptor) {
		if seen[file.Path()] {
			return
		}
		seen[file.Path()] = true
		for i := range file.Imports().Len() {
			add(file.Imports().Get(i))
		}
		req.ProtoFile = append(req.ProtoFile, protodesc.ToFileDescriptorProto(file))
	}
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		pkg := file.Options().(*descriptorpb.FileOptions).GetGoPackage()
		if strings.HasPrefix(pkg, "cloud.google.com/go/") {
			add(file)
			req.FileToGenerate = append(req.FileToGenerate, file.Path())
		}
		return true
	})
	gen, err := protogen.Options{}.New(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := lrogen.Generate(gen, lrogen.Options{PackageSuffix: "lro", ServerPackageSuffix: "server", Version: "test"}); err != nil {
		t.Fatal(err)
	}
	return gen.Response().GetFile()
}

// packageOf is the folder of a generated file, as the name of one folder.
func packageOf(f *pluginpb.CodeGeneratorResponse_File) string {
	return regexp.MustCompile(`[^a-z0-9]`).ReplaceAllString(path.Dir(f.GetName()), "_")
}

// checks is a Go program that compiles only if types are the same, and prints
// the names of methods that are not.
type checks struct {
	imports map[string]string // import paths, by name
	lines   []string
	methods map[string]int // checked, by import path of the client
}

// value matches the lro.Method of a method.
var value = regexp.MustCompile(`(?m)^var (\w+) = lro.Method\[(\S+), \S+\]\{Name: "[^"]*\.(\w+)"\}$`)

func checksOf(files []*pluginpb.CodeGeneratorResponse_File) checks {
	c := checks{imports: make(map[string]string), methods: make(map[string]int)}
	for _, f := range files {
		if strings.HasSuffix(path.Dir(f.GetName()), "server") {
			continue
		}
		client := path.Dir(path.Dir(path.Dir(f.GetName()))) // of cloud.google.com/go/redis/apiv1/redispb/redispblro
		ours, theirs := packageOf(f), regexp.MustCompile(`[^a-z0-9]`).ReplaceAllString(client, "_")
		c.imports[ours] = "github.com/go-lro/lro/internal/lrogen/google/checked/" + ours
		c.imports[theirs] = client
		for _, m := range value.FindAllStringSubmatch(f.GetContent(), -1) {
			methodOf := "MethodOf"
			if m[2] == "*emptypb.Empty" {
				methodOf = "EmptyMethodOf"
			}
			c.lines = append(c.lines, fmt.Sprintf("same(%s.%s, lrogax.%s((*%s.%sOperation)(nil)))", ours, m[1], methodOf, theirs, m[3]))
			c.methods[client]++
		}
	}
	return c
}

func (c checks) text() string {
	var imports []string
	for name, importPath := range c.imports {
		imports = append(imports, fmt.Sprintf("%s %q", name, importPath))
	}
	slices.Sort(imports)
	return `package main

import (
	"fmt"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/lrogax"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

` + strings.Join(imports, "\n") + `
)

func same[R, M proto.Message](want, got lro.Method[R, M]) {
	if want.Name != got.Name {
		fmt.Printf("%q, want %q\n", got.Name, want.Name)
	}
	if _, err := got.Resume(client, "operations/1"); err != nil { // compares the types with the annotation
		fmt.Println(err)
	}
}

var _ *anypb.Any

var client = lro.NewClient(lro.GetFunc(nil))

func main() {
` + strings.Join(c.lines, "\n") + `
fmt.Print("checked")
}
`
}

// run compiles and runs files as if they stood here, and returns what the
// program printed.
func run(t *testing.T, files map[string]string) (string, error) {
	t.Helper()
	at := overlay(t, files)
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-overlay="+at, "./checked/...").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%.4000s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), "go", "run", "-overlay="+at, "./checked").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go run: %w\n%.4000s", err, out)
	}
	return string(out), nil
}

// overlay writes down for the go command that files stand here, and returns the
// name of that file.
func overlay(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	list := make(map[string]string)
	for name, text := range files {
		write(t, dir, name, text)
		list[filepath.Join(here, filepath.FromSlash(name))] = filepath.Join(dir, filepath.FromSlash(name))
	}
	text, err := json.Marshal(map[string]any{"Replace": list})
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "overlay.json", string(text))
	return filepath.Join(dir, "overlay.json")
}
