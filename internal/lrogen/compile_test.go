package lrogen

import (
	"errors"
	"flag"
	"maps"
	"slices"
	"testing"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/protoutil"
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

const thirdParty = "../../proto/third_party"

// compile returns the request that a compiler would send for proto files. They
// are read by r, and imports of Google's where they are kept.
func compile(t *testing.T, r protocompile.Resolver, parameter string, paths ...string) *pluginpb.CodeGeneratorRequest {
	t.Helper()
	google := &protocompile.SourceResolver{ImportPaths: []string{thirdParty}}
	compiler := protocompile.Compiler{
		Resolver:       protocompile.WithStandardImports(protocompile.CompositeResolver{r, google}),
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	files, err := compiler.Compile(t.Context(), paths...)
	if err != nil {
		t.Fatalf("compile %q: %v", paths, err)
	}
	req := &pluginpb.CodeGeneratorRequest{FileToGenerate: paths, Parameter: &parameter}
	seen := make(map[string]bool)
	var add func(protoreflect.FileDescriptor)
	add = func(file protoreflect.FileDescriptor) {
		if seen[file.Path()] {
			return
		}
		seen[file.Path()] = true
		for i := range file.Imports().Len() {
			add(file.Imports().Get(i).FileDescriptor)
		}
		described := protoutil.ProtoFromFileDescriptor(file)
		if file.Path() == "editions/edition2024.proto" {
			described = proto.CloneOf(described)
			described.Edition = descriptorpb.Edition_EDITION_2024.Enum()
		}
		req.ProtoFile = append(req.ProtoFile, described)
	}
	for _, f := range files {
		add(f)
	}
	return overTheWire(t, req)
}

// source compiles a.proto, given as text, beside others.
func source(t *testing.T, text string) *pluginpb.CodeGeneratorRequest {
	t.Helper()
	files := map[string]string{"a.proto": text}
	maps.Copy(files, others)
	r := &protocompile.SourceResolver{Accessor: protocompile.SourceAccessorFromMap(files)}
	return compile(t, r, "", slices.Sorted(maps.Keys(files))...)
}

// overTheWire makes of options what a plugin reads.
func overTheWire(t *testing.T, req *pluginpb.CodeGeneratorRequest) *pluginpb.CodeGeneratorRequest {
	t.Helper()
	wire, err := proto.Marshal(req)
	if err != nil {
		t.Fatal(err)
	}
	read := new(pluginpb.CodeGeneratorRequest)
	if err := proto.Unmarshal(wire, read); err != nil {
		t.Fatal(err)
	}
	return read
}

// run does what the program does with a request. It returns the text of each
// generated file.
func run(req *pluginpb.CodeGeneratorRequest, more ...func(*protogen.Plugin) error) (map[string]string, error) {
	opts := Options{Version: "v0.0.0-test"}
	var flags flag.FlagSet
	opts.Bind(&flags)
	gen, err := protogen.Options{ParamFunc: Set(&flags)}.New(req)
	if err != nil {
		return nil, err
	}
	if err := Generate(gen, opts); err != nil {
		return nil, err
	}
	for _, f := range more {
		if err := f(gen); err != nil {
			return nil, err
		}
	}
	resp := gen.Response()
	if resp.Error != nil {
		return nil, errors.New(resp.GetError())
	}
	files := make(map[string]string)
	for _, f := range resp.GetFile() {
		files[f.GetName()] = f.GetContent()
	}
	return files, nil
}
