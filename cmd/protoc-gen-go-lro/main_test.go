package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/pluginpb"

	"github.com/go-lro/lro/examples/library/librarypb"
)

// asPlugin makes a copy of the test binary the plugin.
const asPlugin = "LRO_TEST_AS_PLUGIN"

func TestMain(m *testing.M) {
	if os.Getenv(asPlugin) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// plugin runs the program.
func plugin(t *testing.T, stdin []byte, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = []string{asPlugin + "=1"}
	cmd.Dir = t.TempDir()
	cmd.Stdin = bytes.NewReader(stdin)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func TestArguments(t *testing.T) {
	t.Parallel()
	tests := []struct {
		arg            string
		stdout, stderr string // what stands in them
		code           int
	}{
		{"--version", "protoc-gen-go-lro ", "", 0},
		{"--help", "-package_suffix", "", 0},
		{"-h", "-package_suffix", "", 0},
		{"library.proto", "", `unknown arguments ["library.proto"]`, 1},
	}
	for _, test := range tests {
		stdout, stderr, code := plugin(t, nil, test.arg)
		if !strings.Contains(stdout, test.stdout) || !strings.Contains(stderr, test.stderr) || code != test.code || (stderr == "") != (test.stderr == "") {
			t.Errorf("protoc-gen-go-lro %s: got %q, %q, exit code %d, want %q, %q, %d",
				test.arg, stdout, stderr, code, test.stdout, test.stderr, test.code)
		}
	}
}

// libraryRequest is a request for the proto file of examples/library.
func libraryRequest(parameter string) *pluginpb.CodeGeneratorRequest {
	req := &pluginpb.CodeGeneratorRequest{Parameter: &parameter}
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
	library := librarypb.File_example_library_v1_library_proto
	add(library)
	req.FileToGenerate = []string{library.Path()}
	return req
}

// call gives the plugin a request and returns its response.
func call(t *testing.T, req *pluginpb.CodeGeneratorRequest) *pluginpb.CodeGeneratorResponse {
	t.Helper()
	stdin, err := proto.Marshal(req)
	if err != nil {
		t.Fatal(err)
	}
	stdout, stderr, code := plugin(t, stdin)
	if code != 0 {
		t.Fatalf("protoc-gen-go-lro: exit code %d: %s", code, stderr)
	}
	resp := new(pluginpb.CodeGeneratorResponse)
	if err := proto.Unmarshal([]byte(stdout), resp); err != nil {
		t.Fatalf("read response: %v", err)
	}
	return resp
}

func TestPlugin(t *testing.T) {
	t.Parallel()
	resp := call(t, libraryRequest("paths=source_relative,package_suffix=lro"))
	if resp.Error != nil || len(resp.GetFile()) != 1 {
		t.Fatalf("response: got error %q and %d files, want one file", resp.GetError(), len(resp.GetFile()))
	}
	file := resp.GetFile()[0]
	if got, want := file.GetName(), "example/library/v1/librarypblro/library_lro.pb.go"; got != want {
		t.Errorf("file: got %s, want %s", got, want)
	}
	const want = `Library_ExportBooks_Method = lro.Method[*librarypb.ExportBooksResponse, *librarypb.ExportBooksMetadata]`
	if !strings.Contains(file.GetContent(), want) {
		t.Errorf("file: want %s in\n%s", want, file.GetContent())
	}
}

// Faults of proto files are in the response, so that the compiler prints them.
func TestPluginFault(t *testing.T) {
	t.Parallel()
	req := libraryRequest("")
	for _, f := range req.GetProtoFile() {
		if f.GetPackage() == "example.library.v1" {
			for _, m := range f.GetMessageType() {
				if m.GetName() == "ExportBooksMetadata" {
					m.Name = new("Renamed")
				}
			}
		}
	}
	resp := call(t, req)
	if !strings.Contains(resp.GetError(), `method example.library.v1.Library.ExportBooks: metadata_type "ExportBooksMetadata"`) {
		t.Errorf("error: got %q, want one that names the method and the type", resp.GetError())
	}
}
