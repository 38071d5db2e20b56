package google

import (
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// root is the repository.
const root = "../../.."

// recipe is the proto file that recipes are tried with, in a folder with another
// one that it needs for operation_info alone.
const (
	recipeProto = "example/library/v1/library.proto"
	otherProto  = "acme/v1/archive.proto"
)

// tools builds the plugins and buf, and returns the environment of a program that
// finds them.
func tools(t *testing.T) []string {
	t.Helper()
	bin := t.TempDir()
	for pkg, modfile := range map[string]string{
		"google.golang.org/protobuf/cmd/protoc-gen-go": "tools/go.mod",
		"github.com/bufbuild/buf/cmd/buf":              "tools/buf/go.mod",
		"./cmd/protoc-gen-go-lro":                      "go.mod",
	} {
		cmd := exec.CommandContext(t.Context(), "go", "build", "-modfile="+modfile, "-o", bin+string(filepath.Separator), pkg)
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go build %s: %v\n%s", pkg, err, out)
		}
	}
	return append(os.Environ(), "PATH="+bin+string(filepath.ListSeparator)+os.Getenv("PATH"), "BUF_CACHE_DIR="+t.TempDir())
}

// block returns the block of the guide that has this text.
func block(t *testing.T, language, has string) string {
	t.Helper()
	page := read(t, root+"/docs/from-proto.md")
	for _, b := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(page, -1) {
		if strings.Contains(b[1], has) {
			return b[1]
		}
	}
	t.Fatalf("from-proto.md has no block of %s with %q", language, has)
	return ""
}

// replaced returns text with a part of it replaced.
func replaced(t *testing.T, text, old, new string) string {
	t.Helper()
	if !strings.Contains(text, old) {
		t.Fatalf("no %q in\n%s", old, text)
	}
	return strings.Replace(text, old, new, 1)
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	name = filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// writeProtos writes the two proto files into dir. Syntax is their first line, and
// goPackage the Go package of the folder that has them; none if empty.
func writeProtos(t *testing.T, dir, syntax, goPackage string) {
	t.Helper()
	option := func(name string) string {
		if goPackage == "" {
			return ""
		}
		return `option go_package = "` + path.Join(goPackage, path.Dir(name)) + `";`
	}
	write(t, dir, otherProto, syntax+"\n\npackage acme.v1;\n\n"+option(otherProto)+"\n\n// An archive.\nmessage Archive {\n  string name = 1;\n}\n")
	text := read(t, root+"/proto/"+recipeProto)
	text = replaced(t, text, `syntax = "proto3";`, syntax)
	text = regexp.MustCompile(`option go_package = .*;`).ReplaceAllString(text, option(recipeProto))
	text = replaced(t, text, "service Library {", "service LibraryService {") // what buf lint wants
	text = replaced(t, text, `response_type: "ExportBooksResponse"`, `response_type: "acme.v1.Archive"`)
	text = replaced(t, text, "import ", strings.TrimSpace(block(t, "proto", "buf:lint:ignore"))+"\nimport ")
	write(t, dir, recipeProto, text)
}

// generatedIn returns the files below dir that plugins wrote, by their names below
// the Go package.
func generatedIn(t *testing.T, dir, goPackage string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	below := strings.TrimPrefix(goPackage, "github.com/go-lro/lro/internal/lrogen/google/")
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(name, ".pb.go") {
			files[path.Join(below, name)] = read(t, filepath.Join(dir, filepath.FromSlash(name)))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// shell runs a line of the guide.
func shell(t *testing.T, dir string, env []string, line string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
	cmd.Dir, cmd.Env = dir, env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

const goPackages = "github.com/go-lro/lro/internal/lrogen/google/recipe/"

// TestRecipes runs the recipes of docs/from-proto.md and compiles what they make,
// for proto3 and for the editions. Google's proto files come from the repository
// instead of the registry.
func TestRecipes(t *testing.T) {
	t.Parallel()
	env := tools(t)
	third, err := filepath.Abs(root + "/proto/third_party")
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string]string)
	newest := protocVersion(t)
	var variants []string
	for syntax, since := range map[string]int{`syntax = "proto3";`: 0, `edition = "2023";`: 27, `edition = "2024";`: 32} {
		variant := regexp.MustCompile(`\W`).ReplaceAllString(syntax, "")
		for _, managed := range []bool{false, true} {
			dir, name := t.TempDir(), "buf_"+variant
			pkg, inProto := goPackages+name, goPackages+name
			config := block(t, "yaml", "protoc-gen-go-lro")
			if managed {
				name = "managed_" + variant
				pkg, inProto = goPackages+name, ""
				config = replaced(t, config, "plugins:", replaced(t, block(t, "yaml", "managed:"), "example.com/acme/gen", pkg)+"plugins:")
			}
			write(t, dir, "buf.gen.yaml", config)
			write(t, dir, "buf.yaml", replaced(t, replaced(t, block(t, "yaml", "deps:"), "deps:\n  - buf.build/googleapis/googleapis\n", ""),
				"  - path: proto\n", "  - path: proto\n  - path: third_party\n    name: buf.build/googleapis/googleapis\n"))
			if err := os.CopyFS(filepath.Join(dir, "third_party"), os.DirFS(third)); err != nil {
				t.Fatal(err)
			}
			writeProtos(t, filepath.Join(dir, "proto"), syntax, inProto)
			if out, err := shell(t, dir, env, "buf lint proto && buf generate proto"); err != nil {
				t.Fatalf("buf, %s, managed mode %v: %v\n%s", syntax, managed, err, out)
			}
			variants = append(variants, name)
			maps.Copy(files, generatedIn(t, filepath.Join(dir, "gen"), pkg))
		}
		if newest < since || newest < 0 {
			t.Logf("protoc %d: %s is not tried", newest, syntax)
			continue
		}
		dir, pkg := t.TempDir(), goPackages+"protoc_"+variant
		variants = append(variants, "protoc_"+variant)
		writeProtos(t, dir, syntax, pkg)
		if err := os.CopyFS(filepath.Join(dir, "third_party", "googleapis"), os.DirFS(third)); err != nil {
			t.Fatal(err)
		}
		recipe := strings.TrimSpace(block(t, "sh", "protoc -I"))
		if out, err := shell(t, dir, env, recipe+" && "+replaced(t, recipe, recipeProto, otherProto)); err != nil {
			t.Fatalf("protoc, %s: %v\n%s", syntax, err, out)
		}
		maps.Copy(files, generatedIn(t, dir, pkg))
	}
	for _, variant := range variants {
		for _, name := range []string{"library.pb.go", "library_lro.pb.go", "*server/library_lro.pb.go"} {
			if !slices.ContainsFunc(slices.Collect(maps.Keys(files)), func(file string) bool {
				ok, _ := path.Match("recipe/"+variant+"/"+path.Dir(recipeProto)+"/"+name, file)
				return ok
			}) {
				t.Errorf("%s makes no %s", variant, name)
			}
		}
	}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-overlay="+overlay(t, files), "./recipe/...").CombinedOutput(); err != nil {
		t.Errorf("compile what the recipes make: %v\n%.4000s", err, out)
	}
}

// protocVersion is the major version of the installed protoc, -1 if there is none.
func protocVersion(t *testing.T) int {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "protoc", "--version").Output()
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Errorf("protoc is not installed: %v", err)
		}
		return -1
	}
	m := regexp.MustCompile(`^libprotoc (?:3\.)?(\d+)\.`).FindSubmatch(out)
	if m == nil {
		t.Fatalf("protoc --version: got %q", out)
	}
	n, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
