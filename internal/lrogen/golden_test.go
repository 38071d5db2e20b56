package lrogen

import (
	"errors"
	"flag"
	"go/format"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bufbuild/protocompile"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/cmd/protoc-gen-go/internal_gengo"
	"google.golang.org/protobuf/compiler/protogen"
)

var update = flag.Bool("update", false, "write the packages of testpb anew, with the messages")

// golden are the proto files of testdata that testpb is made of, by package.
var golden = [][]string{
	{"archive/v1/archive.proto", "archive/v1/deep.proto", "archive/v1/press.proto", "archive/v1/shared.proto"},
	{"editions/edition2023.proto", "editions/edition2024.proto", "editions/proto2.proto"},
}

const module = "module=github.com/go-lro/lro/internal"

// TestGolden compares with files that the go command compiles, and that other
// tests run.
func TestGolden(t *testing.T) {
	t.Parallel()
	files := generated(t, module+",server_package_suffix=server", golden...)
	maps.Copy(files, generated(t, module+",package_suffix=lro", golden[0]))
	for name, got := range files {
		name = filepath.Join("..", name)
		if *update {
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if !strings.HasSuffix(name, "_lro.pb.go") {
			continue // those of protoc-gen-go change with its version
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (-file +now); if the change is meant, run go test ./internal/lrogen -update:\n%s", name, diff)
		}
	}
	kept, err := fs.Glob(os.DirFS(".."), "testpb/*/*_lro.pb.go")
	below, err2 := fs.Glob(os.DirFS(".."), "testpb/*/*/*_lro.pb.go")
	kept = append(kept, below...)
	if err := errors.Join(err, err2); err != nil || len(kept) == 0 || len(below) == 0 {
		t.Fatalf("list files of testpb: %q, %v", kept, err)
	}
	for _, name := range kept {
		if _, ok := files[name]; !ok {
			t.Errorf("%s: no proto file makes it", name)
		}
	}
}

// generated returns what the plugins make of files of testdata.
func generated(t *testing.T, parameter string, requests ...[]string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, paths := range requests {
		r := &protocompile.SourceResolver{ImportPaths: []string{"testdata"}}
		files, err := run(compile(t, r, parameter, paths...), func(gen *protogen.Plugin) error {
			for _, f := range gen.Files {
				if f.Generate && *update {
					internal_gengo.GenerateFile(gen, f)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatalf("generate %q: %v", paths, err)
		}
		maps.Copy(all, files)
	}
	return all
}

func TestGenerateIsFormatted(t *testing.T) {
	t.Parallel()
	for name, text := range generated(t, module+",server_package_suffix=server", golden...) {
		formatted, err := format.Source([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(text, string(formatted)); diff != "" {
			t.Errorf("%s (-generated +gofmt):\n%s", name, diff)
		}
	}
}

// A file is the same in whatever request it comes, as long as that has all of its
// Go package.
func TestGenerateIsDeterministic(t *testing.T) {
	t.Parallel()
	want := generated(t, module, golden[0])
	r := &protocompile.SourceResolver{ImportPaths: []string{"testdata"}}
	paths := slices.Concat(golden[1], golden[0])
	slices.Reverse(paths)
	got, err := run(compile(t, r, module, paths...))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range want {
		if !strings.HasSuffix(name, "_lro.pb.go") {
			continue
		}
		if diff := cmp.Diff(text, got[name]); diff != "" {
			t.Errorf("%s (-alone +beside others, in another order):\n%s", name, diff)
		}
	}
}
