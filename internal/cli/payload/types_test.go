package payload

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro/internal/cli/dyntest"
	"github.com/go-lro/lro/lrohttp"
)

const (
	thingJSON = `{"progressPercent": 7, "shape": {"sides": 3}, "inner": {"@type": "type.googleapis.com/lro.dyntest.v1.Shape", "sides": 4}}`
	thingWant = `{"@type":"type.googleapis.com/lro.dyntest.v1.Thing","progressPercent":7,"shape":{"sides":3},` +
		`"inner":{"@type":"type.googleapis.com/lro.dyntest.v1.Shape","sides":4}}`
)

func thing(t *testing.T) *anypb.Any {
	t.Helper()
	packed, err := dyntest.New(strings.Replace(thingJSON, `"inner": {"@type": "type.googleapis.com/lro.dyntest.v1.Shape", "sides": 4}`, `"inner": {}`, 1))
	if err != nil {
		t.Fatal(err)
	}
	// protojson does not know the inner type here.
	inner := &anypb.Any{TypeUrl: "type.googleapis.com/lro.dyntest.v1.Shape", Value: []byte{8, 4}}
	text, err := proto.Marshal(inner)
	if err != nil {
		t.Fatal(err)
	}
	packed.Value = append(packed.Value, append([]byte{5<<3 | 2, byte(len(text))}, text...)...)
	return packed
}

// writeSet writes a descriptor set to a file.
func writeSet(t *testing.T, set *descriptorpb.FileDescriptorSet) string {
	t.Helper()
	text, err := proto.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "set.pb")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDescriptorSet(t *testing.T) {
	t.Parallel()
	var types Types
	if got := string(types.JSON(t.Context(), thing(t))); !strings.Contains(got, `"value":"`) {
		t.Errorf("JSON of an unknown type = %s, want its bytes", got)
	}
	// Without the files of protobuf itself, as protoc writes it without
	// --include_imports.
	if err := types.AddFile(writeSet(t, dyntest.Set())); err != nil {
		t.Fatal(err)
	}
	if got := string(types.JSON(t.Context(), thing(t))); !sameJSON(t, got, thingWant) {
		t.Errorf("JSON by a descriptor set\n got %s\nwant %s", got, thingWant)
	}
	if _, err := types.Pack(t.Context(), dyntest.Thing, []byte(thingJSON)); err != nil {
		t.Errorf("Pack by a descriptor set: %v", err)
	}
}

func TestBadDescriptorSets(t *testing.T) {
	t.Parallel()
	var types Types
	if err := types.AddFile("missing.pb"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("AddFile of a missing file = %v", err)
	}
	for name, text := range map[string]string{"empty": "", "text": "syntax = \"proto3\";", "binary": "\x00\xff\x0a"} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := types.AddFile(path); err == nil || !strings.Contains(err.Error(), "is not a descriptor set") {
			t.Errorf("AddFile of %s = %v, want that it is no descriptor set", name, err)
		}
	}
	twice := dyntest.Set()
	twice.File = append(twice.File, twice.GetFile()[0])
	if err := types.AddFile(writeSet(t, twice)); err == nil {
		t.Error("AddFile of a set that defines a file twice succeeded")
	}
}

// fakeSource answers from a set, and counts.
type fakeSource struct {
	asked []protoreflect.FullName
	set   *descriptorpb.FileDescriptorSet
	err   error
}

func (f *fakeSource) Files(_ context.Context, name protoreflect.FullName) (*descriptorpb.FileDescriptorSet, error) {
	f.asked = append(f.asked, name)
	return f.set, f.err
}

func TestSource(t *testing.T) {
	t.Parallel()
	source := &fakeSource{set: dyntest.Set()}
	var types Types
	types.SetSource(source)
	for range 2 {
		if got := string(types.JSON(t.Context(), thing(t))); !sameJSON(t, got, thingWant) {
			t.Errorf("JSON by a source\n got %s\nwant %s", got, thingWant)
		}
	}
	if len(source.asked) != 1 {
		t.Errorf("the source was asked for %q, want once", source.asked)
	}
}

// TestForgedTypes: a service that defines protobuf's own types in its own way
// changes nothing about them, and causes no panic.
func TestForgedTypes(t *testing.T) {
	t.Parallel()
	forged := dyntest.Set()
	forged.File = append(forged.File,
		&descriptorpb.FileDescriptorProto{
			Name: new("google/protobuf/timestamp.proto"), Package: new("google.protobuf"), Syntax: new("proto3"),
			MessageType: []*descriptorpb.DescriptorProto{{Name: new("Timestamp")}},
		},
		&descriptorpb.FileDescriptorProto{
			Name: new("elsewhere.proto"), Package: new("google.protobuf"), Syntax: new("proto3"),
			MessageType: []*descriptorpb.DescriptorProto{{Name: new("Any")}},
		},
	)
	forged.File[1].Dependency = append(forged.File[1].Dependency, "elsewhere.proto")
	var types Types
	types.SetSource(&fakeSource{set: forged})
	packed, err := dyntest.New(`{"createTime": "2026-01-02T03:04:05Z"}`)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"@type":"type.googleapis.com/lro.dyntest.v1.Thing","createTime":"2026-01-02T03:04:05Z"}`
	if got := string(types.JSON(t.Context(), packed)); !sameJSON(t, got, want) {
		t.Errorf("JSON by forged types\n got %s\nwant %s", got, want)
	}
}

func TestSourceFails(t *testing.T) {
	t.Parallel()
	for _, source := range []*fakeSource{
		{err: protoregistry.NotFound},
		{err: errors.New("unimplemented")},
		{set: &descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{{}}}},
		{set: &descriptorpb.FileDescriptorSet{}},
	} {
		var types Types
		types.SetSource(source)
		for range 3 {
			if got := string(types.JSON(t.Context(), thing(t))); !strings.Contains(got, `"value":"`) {
				t.Errorf("JSON by a source that fails with %v = %s, want the bytes", source.err, got)
			}
		}
		if len(source.asked) != 1 {
			t.Errorf("a source that fails with %v was asked %d times, want once", source.err, len(source.asked))
		}
	}
}

func TestUntyped(t *testing.T) {
	t.Parallel()
	kept := keptByHTTP(t, `{"@type":"type.googleapis.com/example.Unknown","deep":{"x":[1,"2"]}}`)
	var types Types
	if got := string(types.JSON(t.Context(), kept)); !strings.Contains(got, "google.protobuf.StringValue") {
		t.Errorf("JSON over gRPC = %s, want the Any that it is", got)
	}
	types.FromJSON()
	const want = `{"@type":"type.googleapis.com/example.Unknown","deep":{"x":[1,"2"]}}`
	if got := string(types.JSON(t.Context(), kept)); !sameJSON(t, got, want) {
		t.Errorf("JSON over HTTP = %s, want %s", got, want)
	}
	if got := types.TypeURL(kept); got != "type.googleapis.com/example.Unknown" {
		t.Errorf("TypeURL over HTTP = %q", got)
	}
}

func TestPack(t *testing.T) {
	t.Parallel()
	var types Types
	for _, tt := range []struct{ name, text, want string }{
		{"lro.v1.Progress", `{"done": 3}`, ""},
		{"lro.v1.Progress", `{"nonsense": 3}`, `unknown field "nonsense"`},
		{"lro.v1.Progress", `{`, "unexpected"},
		{"lro.v1.OperationMetadata", `{"state": "GONE"}`, "; State has STATE_UNSPECIFIED, PENDING, RUNNING, SUCCEEDED, FAILED, CANCELLED"},
		{"lro.v1.OperationMetadata", `{"progress": {"don": 1}}`, "; Progress has "},
		{"example.Unknown", `{}`, "give --descriptor-set"},
		{"google.protobuf.Any", `{"@type": "type.googleapis.com/lro.v1.Progress", "done": 3}`, ""},
		{"google.protobuf.Any", `{"@type": "type.googleapis.com/example.Unknown"}`, "example.Unknown"},
	} {
		packed, err := types.Pack(t.Context(), tt.name, []byte(tt.text))
		if tt.want == "" && (err != nil || packed.GetTypeUrl() != "type.googleapis.com/lro.v1.Progress") {
			t.Errorf("Pack(%s, %s) = %v, %v", tt.name, tt.text, packed, err)
		}
		if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("Pack(%s, %s) = %v, want %q", tt.name, tt.text, err, tt.want)
		}
	}
}

// keptByHTTP is an Any of an unknown type as a client of lrohttp keeps it.
func keptByHTTP(t *testing.T, text string) *anypb.Any {
	t.Helper()
	a := pack(t, pack(t, wrapperspb.String(text)))
	if _, _, ok := lrohttp.Untyped(a); !ok {
		t.Fatalf("lrohttp.Untyped(%v) = false", a)
	}
	return a
}

// FuzzDescriptorSet: whatever a service says its types are, a payload is shown.
func FuzzDescriptorSet(f *testing.F) {
	text, err := proto.Marshal(dyntest.Set())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text, []byte{8, 4})
	f.Add(text[:len(text)/2], []byte{8, 4})
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, text, value []byte) {
		set := &descriptorpb.FileDescriptorSet{}
		if proto.Unmarshal(text, set) != nil {
			return
		}
		var types Types
		types.SetSource(&fakeSource{set: set})
		if got := types.JSON(t.Context(), &anypb.Any{TypeUrl: "x/" + dyntest.Thing, Value: value}); !json.Valid(got) {
			t.Errorf("JSON = %s, which is no JSON", got)
		}
	})
}
