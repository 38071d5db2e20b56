package lrogen

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/compiler/protogen"
)

// others are files beside the one of a test: one that it may import, and what that
// imports in turn.
var others = map[string]string{
	"b.proto": `syntax = "proto3"; package b; import "c.proto"; option go_package = "example.com/b";
		message Seen { c.Deep deep = 1; }`,
	"a2.proto": `syntax = "proto3"; package a.v1; option go_package = "example.com/a/v1;apb"; message Beside {}`,
	"c.proto": `syntax = "proto3"; package c; option go_package = "example.com/c";
		message Deep { message Nested {} enum State { UNKNOWN = 0; } }`,
}

// head is the first three lines of a file with a method.
const head = `syntax = "proto3"; package a.v1; option go_package = "example.com/a/v1;apb";
import "google/longrunning/operations.proto"; message Request {} message Response { message Nested {} }
`

// withMethod has a service that stands in three lines, with the option in the second
// of them: line 4 of the file.
func withMethod(imports, response, metadata string) string {
	return head + imports + `service S { rpc Make(Request) returns (google.longrunning.Operation) {
		option (google.longrunning.operation_info) = {` + response + ` ` + metadata + `};
	} }`
}

func TestTypes(t *testing.T) {
	t.Parallel()
	const metadata = `metadata_type: "Response"`
	tests := []struct {
		name, imports, response string
		want                    string // in the file, or the error
	}{
		{"same package", "", `response_type: "Response"`, "lro.Method[*Response, *Response]"},
		{"full name", "", `response_type: "a.v1.Response"`, "lro.Method[*Response, *Response]"},
		{"leading dot", "", `response_type: ".a.v1.Response"`, "lro.Method[*Response, *Response]"},
		{"nested", "", `response_type: "Response.Nested"`, "lro.Method[*Response_Nested, *Response]"},
		{"nested, full name", "", `response_type: "a.v1.Response.Nested"`, "lro.Method[*Response_Nested, *Response]"},
		{"imported", `import "b.proto";`, `response_type: "b.Seen"`, "lro.Method[*b.Seen, *Response]"},
		{"imported by an import", `import "b.proto";`, `response_type: "c.Deep.Nested"`, "lro.Method[*c.Deep_Nested, *Response]"},
		{"beside in the package, not imported", "", `response_type: "Beside"`, "lro.Method[*Beside, *Response]"},
		{"not imported", "", `response_type: "b.Seen"`,
			`a.proto:4: method a.v1.S.Make: response_type "b.Seen" is in a file that is not imported: add import "b.proto"`},
		{"not in the request", "", `response_type: "google.protobuf.Struct"`,
			`a.proto:4: method a.v1.S.Make: response_type "google.protobuf.Struct" is in a file that is not imported: add import "google/protobuf/struct.proto"`},
		{"nowhere", "", `response_type: "Respones"`,
			`a.proto:4: method a.v1.S.Make: response_type "Respones": no message a.v1.Respones in this file and its imports: import the file that has it`},
		{"nowhere, with a dot", "", `response_type: "b.None"`,
			`a.proto:4: method a.v1.S.Make: response_type "b.None": no message b.None or a.v1.b.None in this file and its imports: import the file that has it`},
		{"relative to a part of the package", "", `response_type: "v1.Response"`,
			`a.proto:4: method a.v1.S.Make: response_type "v1.Response": no message v1.Response or a.v1.v1.Response in this file and its imports: import the file that has it`},
		{"enum", `import "b.proto";`, `response_type: "c.Deep.State"`,
			`a.proto:4: method a.v1.S.Make: response_type "c.Deep.State": no message c.Deep.State or a.v1.c.Deep.State in this file and its imports: import the file that has it`},
		{"missing", "", ``, `a.proto:4: method a.v1.S.Make: operation_info has no response_type`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			files, err := run(source(t, withMethod(test.imports, test.response, metadata)))
			if !strings.HasPrefix(test.want, "a.proto:") {
				if text := files["example.com/a/v1/a_lro.pb.go"]; err != nil || !strings.Contains(text, test.want) {
					t.Errorf("generate: got error %v and\n%s\nwant %s", err, text, test.want)
				}
				return
			}
			if err == nil || err.Error() != test.want {
				t.Errorf("generate: got error\n%v, want\n%s", err, test.want)
			}
		})
	}
}

// All faults of all files come in one answer.
func TestFaultsTogether(t *testing.T) {
	t.Parallel()
	_, err := run(source(t, withMethod("", `response_type: "X"`, "")))
	want := `a.proto:4: method a.v1.S.Make: response_type "X": no message a.v1.X in this file and its imports: import the file that has it
a.proto:4: method a.v1.S.Make: operation_info has no metadata_type`
	if err == nil || err.Error() != want {
		t.Errorf("generate: got error\n%v, want\n%s", err, want)
	}
}

// A comment of a proto file is no directive of Go's.
func TestCommentsAreNoDirectives(t *testing.T) {
	t.Parallel()
	text := "//go:build ignore\n\n" + withMethod("", `response_type: "Response"`, `metadata_type: "Response"`)
	text = strings.Replace(text, "service S {", "//go:generate false\nservice S {\n//line x.go:1\n", 1)
	files, err := run(source(t, text))
	if err != nil {
		t.Fatal(err)
	}
	file := files["example.com/a/v1/a_lro.pb.go"]
	for _, want := range []string{"\n// go:generate false\n", "\n// line x.go:1\n"} {
		if !strings.Contains(file, want) {
			t.Errorf("file: want %q in\n%s", want, file)
		}
	}
	for _, directive := range []string{"//go:", "//line"} {
		if strings.Contains(file, directive) {
			t.Errorf("file: got %q in\n%s", directive, file)
		}
	}
}

// Descriptors linked into programs have no positions.
func TestFaultWithoutPositions(t *testing.T) {
	t.Parallel()
	req := source(t, withMethod("", "", `metadata_type: "Response"`))
	for _, f := range req.GetProtoFile() {
		f.SourceCodeInfo = nil
	}
	_, err := run(req)
	if want := "a.proto: method a.v1.S.Make: operation_info has no response_type"; err == nil || err.Error() != want {
		t.Errorf("generate: got error %v, want %s", err, want)
	}
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	tests := []struct{ parameter, name, pkg string }{
		{"", "example.com/a/v1/a_lro.pb.go", "apb"},
		{"paths=source_relative", "a_lro.pb.go", "apb"},
		{"module=example.com/a", "v1/a_lro.pb.go", "apb"},
		{"Ma.proto=example.com/other;otherpb", "example.com/other/a_lro.pb.go", "otherpb"},
		{"package_suffix=lro", "example.com/a/v1/apblro/a_lro.pb.go", "apblro"},
		{"paths=source_relative,package_suffix=lro", "apblro/a_lro.pb.go", "apblro"},
		{"module=example.com/a,package_suffix=_lro", "v1/apb_lro/a_lro.pb.go", "apb_lro"},
	}
	for _, test := range tests {
		t.Run(test.parameter, func(t *testing.T) {
			t.Parallel()
			req := source(t, withMethod("", `response_type: "Response"`, `metadata_type: "Response"`))
			req.Parameter = &test.parameter
			files, err := run(req)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{test.name}, slices.Collect(maps.Keys(files))); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			if text := files[test.name]; !strings.Contains(text, "\npackage "+test.pkg+"\n") {
				t.Errorf("package: want %s in\n%s", test.pkg, text)
			}
		})
	}
}

// The server is in a package of its own, wherever the client is.
func TestServerPlace(t *testing.T) {
	t.Parallel()
	req := source(t, withMethod("", `response_type: "Response"`, `metadata_type: "Response"`))
	req.Parameter = new("module=example.com/a,server_package_suffix=server")
	files, err := run(req)
	if err != nil {
		t.Fatal(err)
	}
	client, server := files["v1/a_lro.pb.go"], files["v1/apbserver/a_lro.pb.go"]
	if len(files) != 2 || !strings.Contains(client, "\npackage apb\n") || !strings.Contains(server, "\npackage apbserver\n") {
		t.Fatalf("files: got %v, want v1/a_lro.pb.go and v1/apbserver/a_lro.pb.go", slices.Sorted(maps.Keys(files)))
	}
	if strings.Contains(client, "go-lro/lro/server") {
		t.Errorf("the client links the server:\n%s", client)
	}
	req.Parameter = new("package_suffix=x,server_package_suffix=x")
	if _, err := run(req); err == nil || !strings.Contains(err.Error(), "server_package_suffix") {
		t.Errorf("generate client and server into one package: got error %v, want one that names the options", err)
	}
}

// The API of the messages may be chosen by a parameter, for proto files of any
// edition.
func TestAPILevels(t *testing.T) {
	t.Parallel()
	text := strings.Replace(withMethod("", `response_type: "Response"`, `metadata_type: "Response"`),
		"message Request {}", "message Request { string request_id = 1; }", 1)
	tests := []struct{ parameter, want string }{
		{"", "call.RequestId = requestID"},
		{"default_api_level=API_HYBRID", "call.RequestId = requestID"},
		{"default_api_level=API_OPAQUE", "call.SetRequestId(requestID)"},
		{"apilevelMa.proto=API_OPAQUE", "call.SetRequestId(requestID)"},
	}
	for _, test := range tests {
		req := source(t, text)
		req.Parameter = &test.parameter
		files, err := run(req)
		if file := files["example.com/a/v1/a_lro.pb.go"]; err != nil || !strings.Contains(file, "\t"+test.want+"\n") {
			t.Errorf("generate with %q: got error %v and\n%s\nwant %s", test.parameter, err, file, test.want)
		}
	}
}

func TestUnknownParameter(t *testing.T) {
	t.Parallel()
	req := source(t, head)
	req.Parameter = new("pakage_suffix=lro")
	if _, err := run(req); err == nil || !strings.Contains(err.Error(), "pakage_suffix") || !strings.Contains(err.Error(), " package_suffix, server_package_suffix") {
		t.Errorf("generate with a misspelt parameter: got error %v, want one that names it and the valid ones", err)
	}
}

// A request_id that cannot carry an ID is not taken for none in silence.
func TestWrongRequestID(t *testing.T) {
	t.Parallel()
	for fields, want := range map[string]bool{
		"string request_id = 1;":                 false,
		"optional string request_id = 1;":        false,
		"string id = 1;":                         false,
		"int64 request_id = 1;":                  true,
		"repeated string request_id = 1;":        true,
		"oneof one { string request_id = 1; }":   true,
		"bytes request_id = 1; string name = 2;": true,
	} {
		text := strings.Replace(withMethod("", `response_type: "Response"`, `metadata_type: "Response"`),
			"message Request {}", "message Request { "+fields+" }", 1)
		gen, err := protogen.Options{}.New(source(t, text))
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		if err := Generate(gen, Options{Warn: func(line string) { lines = append(lines, line) }}); err != nil {
			t.Errorf("%s: %v", fields, err)
		}
		if got := len(lines) == 1 && strings.Contains(lines[0], "request_id of a.v1.Request is not a string") && strings.HasPrefix(lines[0], "a.proto:"); got != want {
			t.Errorf("%s: warnings %q, want one: %t", fields, lines, want)
		}
	}
}

// The response says what the plugin can read, or compilers refuse to call it.
func TestFeatures(t *testing.T) {
	t.Parallel()
	gen, err := protogen.Options{}.New(source(t, head))
	if err != nil {
		t.Fatal(err)
	}
	if err := Generate(gen, Options{}); err != nil {
		t.Fatal(err)
	}
	resp := gen.Response()
	if n := len(resp.GetFile()); n != 0 {
		t.Errorf("files of a request without methods: got %d, want none", n)
	}
	const features = pluginpb.CodeGeneratorResponse_FEATURE_PROTO3_OPTIONAL | pluginpb.CodeGeneratorResponse_FEATURE_SUPPORTS_EDITIONS
	if got := resp.GetSupportedFeatures(); got != uint64(features) {
		t.Errorf("features: got %b, want %b", got, features)
	}
	least, most := descriptorpb.Edition(resp.GetMinimumEdition()), descriptorpb.Edition(resp.GetMaximumEdition())
	if least != descriptorpb.Edition_EDITION_PROTO2 || most != descriptorpb.Edition_EDITION_2024 {
		t.Errorf("editions: got %v to %v, want proto2 to 2024", least, most)
	}
}
