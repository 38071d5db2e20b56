package lrohttp_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/google/go-cmp/cmp"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/lrohttp"
	"github.com/go-lro/lro/lropb"
)

// TestOperationAnswers has operations as live services send them.
func TestOperationAnswers(t *testing.T) {
	t.Parallel()
	const url = "type.googleapis.com/"
	tests := []struct {
		name string
		body string
		want *longrunningpb.Operation
	}{
		{"fields of the future", `{"name":"n","newField":{"a":[1]},"done":true,"response":{"@type":"` + url + `google.protobuf.Empty","value":{}}}`,
			&longrunningpb.Operation{Name: "n", Done: true, Result: &longrunningpb.Operation_Response{Response: pack(t, &emptypb.Empty{})}}},
		{"fields of the future in an Any", `{"name":"n","metadata":{"@type":"` + url + `lro.v1.OperationMetadata","target":"t","state":"PAUSED","newField":1}}`,
			&longrunningpb.Operation{Name: "n", Metadata: pack(t, &lropb.OperationMetadata{Target: "t"})}},
		{"names of the proto", `{"name":"n","metadata":{"@type":"` + url + `lro.v1.OperationMetadata","progress_percent":7}}`,
			&longrunningpb.Operation{Name: "n", Metadata: pack(t, &lropb.OperationMetadata{ProgressPercent: 7})}},
		{"null", `{"name":"n","metadata":null,"done":null,"error":null,"response":null}`, &longrunningpb.Operation{Name: "n"}},
		{"empty error beside a response", `{"name":"n","done":true,"error":{},"response":{"@type":"` + url + `google.protobuf.Empty"}}`,
			&longrunningpb.Operation{Name: "n", Done: true, Result: &longrunningpb.Operation_Response{Response: pack(t, &emptypb.Empty{})}}},
		{"byte order and space", " \n{\"name\":\"n\"}\n ", &longrunningpb.Operation{Name: "n"}},
		{"error of code 0", `{"name":"n","done":true,"error":{}}`,
			&longrunningpb.Operation{Name: "n", Done: true, Result: &longrunningpb.Operation_Error{Error: &spb.Status{}}}},
		{"both results", `{"name":"n","done":true,"response":{"@type":"` + url + `google.protobuf.Empty"},"error":{"code":9}}`,
			&longrunningpb.Operation{Name: "n", Done: true, Result: &longrunningpb.Operation_Error{Error: &spb.Status{Code: 9}}}},
		{"Any of nothing", `{"name":"n","metadata":{},"done":true,"response":{"@type":""}}`,
			&longrunningpb.Operation{Name: "n", Done: true, Metadata: &anypb.Any{}, Result: &longrunningpb.Operation_Response{Response: &anypb.Any{}}}},
		{"unknown metadata", `{"name":"n","metadata":{ "@type" : "` + url + `nobody.Knows", "n":9007199254740993, "deep":{"@type":"x"} }}`,
			&longrunningpb.Operation{Name: "n", Metadata: untyped(t, `{"@type":"`+url+`nobody.Knows","n":9007199254740993,"deep":{"@type":"x"}}`)}},
		{"unknown response", `{"name":"n","done":true,"response":{"@type":"nobody.Knows"}}`,
			&longrunningpb.Operation{Name: "n", Done: true, Result: &longrunningpb.Operation_Response{
				Response: untyped(t, `{"@type":"nobody.Knows"}`)}}},
		{"response without type", `{"name":"n","done":true,"response":{"a":true}}`,
			&longrunningpb.Operation{Name: "n", Done: true, Result: &longrunningpb.Operation_Response{
				Response: untyped(t, `{"a":true}`)}}},
		{"response that does not fit its type", `{"name":"n","done":true,"response":{"@type":"` + url + `lro.v1.OperationMetadata","attempt":"many"}}`,
			&longrunningpb.Operation{Name: "n", Done: true, Result: &longrunningpb.Operation_Response{
				Response: untyped(t, `{"@type":"`+url+`lro.v1.OperationMetadata","attempt":"many"}`)}}},
		{"metadata that is no object", `{"name":"n","metadata":[1,"a"]}`,
			&longrunningpb.Operation{Name: "n", Metadata: untyped(t, `[1,"a"]`)}},
		{"unknown detail", `{"name":"n","done":true,"error":{"code":9,"message":"m","details":[null,{"@type":"` + url + `google.protobuf.StringValue","value":"a"},{"@type":"` + url + `nobody.Knows"}]}}`,
			&longrunningpb.Operation{Name: "n", Done: true, Result: &longrunningpb.Operation_Error{Error: &spb.Status{Code: 9, Message: "m",
				Details: []*anypb.Any{pack(t, wrapperspb.String("a")), untyped(t, `{"@type":"`+url+`nobody.Knows"}`)}}}}},
		{"unknown type deep inside", `{"name":"n","metadata":{"@type":"` + url + `lro.v1.OperationMetadata","target":"t","partialErrors":[{"code":5,"details":[{"@type":"` + url + `nobody.Knows"}]}]}}`,
			&longrunningpb.Operation{Name: "n", Metadata: pack(t, &lropb.OperationMetadata{Target: "t", PartialErrors: []*spb.Status{
				{Code: 5, Details: []*anypb.Any{untyped(t, `{"@type":"`+url+`nobody.Knows"}`)}}}})}},
		{"unknown type deep inside, names of the proto", `{"name":"n","metadata":{"@type":"` + url + `lro.v1.OperationMetadata","partial_errors":[{"details":[{"@type":"` + url + `nobody.Knows"}]}]}}`,
			&longrunningpb.Operation{Name: "n", Metadata: pack(t, &lropb.OperationMetadata{PartialErrors: []*spb.Status{
				{Details: []*anypb.Any{untyped(t, `{"@type":"`+url+`nobody.Knows"}`)}}}})}},
		{"null error and an unknown response", `{"name":"n","done":true,"error":null,"response":{"@type":"nobody.Knows"}}`,
			&longrunningpb.Operation{Name: "n", Done: true, Result: &longrunningpb.Operation_Response{
				Response: untyped(t, `{"@type":"nobody.Knows"}`)}}},
		{"error with more than a status has", `{"name":"n","done":true,"error":{"code":5,"status":"NOT_FOUND"}}`,
			&longrunningpb.Operation{Name: "n", Done: true, Result: &longrunningpb.Operation_Error{Error: &spb.Status{Code: 5}}}},
		{"unknown type in five Anys", `{"name":"n","metadata":` + strings.Repeat(`{"@type":"`+url+`google.protobuf.Any","value":`, 5) + `{"@type":"x"}` + strings.Repeat("}", 5) + `}`,
			&longrunningpb.Operation{Name: "n", Metadata: pack(t, pack(t, pack(t, pack(t, untyped(t,
				`{"@type":"`+url+`google.protobuf.Any","value":{"@type":"x"}}`)))))}},
		{"unknown type in an Any in an Any", `{"name":"n","metadata":{"@type":"` + url + `google.protobuf.Any","value":{"@type":"` + url + `nobody.Knows"}}}`,
			&longrunningpb.Operation{Name: "n", Metadata: pack(t, untyped(t, `{"@type":"`+url+`nobody.Knows"}`))}},
		{"JSON-LD in a Struct", `{"name":"n","metadata":{"@type":"` + url + `google.protobuf.Struct","value":{"@type":"Person","x":{"@type":"y"}}},"done":true,"response":{"@type":"nobody.Knows"}}`,
			&longrunningpb.Operation{Name: "n", Metadata: pack(t, value(t, map[string]any{"@type": "Person", "x": map[string]any{"@type": "y"}}).GetStructValue()),
				Done: true, Result: &longrunningpb.Operation_Response{Response: untyped(t, `{"@type":"nobody.Knows"}`)}}},
		{"something that looks wrapped", `{"name":"n","metadata":{"@type":"` + url + `google.rpc.Status","message":"an Any that this server cannot write as JSON: so"}}`,
			&longrunningpb.Operation{Name: "n", Metadata: pack(t, &spb.Status{Message: "an Any that this server cannot write as JSON: so"})}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := dial(t, answer{200, jsonType, tt.body}).GetOperation(t.Context(), &longrunningpb.GetOperationRequest{Name: "operations/n"})
			if err != nil {
				t.Fatalf("GetOperation answered %s: %v", tt.body, err)
			}
			if diff := cmp.Diff(tt.want, got, protocmp.Transform()); diff != "" {
				t.Errorf("GetOperation answered %s (-want +got):\n%s", tt.body, diff)
			}
			page, err := dial(t, answer{200, jsonType, `{"operations":[` + tt.body + `]}`}).ListOperations(t.Context(), &longrunningpb.ListOperationsRequest{Name: "p"})
			if err != nil || len(page.GetOperations()) != 1 || !cmp.Equal(tt.want, page.GetOperations()[0], protocmp.Transform()) {
				t.Errorf("ListOperations answered %s: got %v, %v, want %v", tt.body, page, err, tt.want)
			}
		})
	}
}

// TestDeepAnswers shows that nesting without end does no harm.
func TestDeepAnswers(t *testing.T) {
	t.Parallel()
	const n = 300 // more than any limit
	for name, nested := range map[string]string{
		"Any":   strings.Repeat(`{"@type":"type.googleapis.com/google.protobuf.Any","value":`, n) + `{}` + strings.Repeat(`}`, n),
		"other": strings.Repeat(`{"@type":"nobody.Knows","value":`, n) + `{}` + strings.Repeat(`}`, n),
		"list":  strings.Repeat(`[`, n) + strings.Repeat(`]`, n),
	} {
		client := dial(t, answer{200, jsonType, `{"name":"n","metadata":` + nested + `,"done":true}`})
		got, err := client.GetOperation(t.Context(), &longrunningpb.GetOperationRequest{Name: "operations/n"})
		if err != nil || !got.GetDone() || got.GetMetadata() == nil {
			t.Errorf("GetOperation of metadata nested %d times (%s) = %.200v, %v", n, name, got, err)
		}
		found := false
		for inner := got.GetMetadata(); !found && inner != nil; inner = innerAny(inner) {
			_, _, found = lrohttp.Untyped(inner)
		}
		if !found {
			t.Errorf("metadata nested %d times (%s) has no part that is Untyped", n, name)
		}
	}
}

// innerAny returns the Any in an Any; nil when there is none.
func innerAny(a *anypb.Any) *anypb.Any {
	inner := &anypb.Any{}
	if a.UnmarshalTo(inner) != nil {
		return nil
	}
	return inner
}

// TestUntyped shows that other Anys are not taken for kept ones.
func TestUntyped(t *testing.T) {
	t.Parallel()
	for _, a := range []*anypb.Any{
		nil, {}, pack(t, wrapperspb.String("{}")), pack(t, pack(t, wrapperspb.Int32(1))), untyped(t, ""), untyped(t, "no JSON"),
		pack(t, &anypb.Any{TypeUrl: "type.googleapis.com/google.protobuf.StringValue", Value: []byte{0xff}}),
	} {
		if url, text, ok := lrohttp.Untyped(a); ok {
			t.Errorf("Untyped(%v) = %q, %s, true, want false", a, url, text)
		}
	}
}

// TestStringExpected shows that a kept Any is not taken for a result by a caller
// that waits for a string.
func TestStringExpected(t *testing.T) {
	t.Parallel()
	client := lro.NewClient(dial(t, answer{200, jsonType, `{"name":"operations/x","done":true,"response":{"@type":"a/nobody.Knows","x":1}}`}))
	op, err := lro.Method[*wrapperspb.StringValue, *wrapperspb.StringValue]{}.Resume(client, "operations/x")
	if err != nil {
		t.Fatal(err)
	}
	got, err := op.Wait(t.Context())
	failed, ok := errors.AsType[*lro.ResultError](err)
	if !ok {
		t.Fatalf("Wait = %v, %v, want a ResultError", got, err)
	}
	if url, text, ok := lrohttp.Untyped(failed.Response); !ok || url != "a/nobody.Knows" || string(text) != `{"@type":"a/nobody.Knows","x":1}` {
		t.Errorf("Untyped(response of the error) = %q, %s, %t", url, text, ok)
	}
}

// TestResolver shows that a client may know more types than a handler, and gets
// what the service meant.
func TestResolver(t *testing.T) {
	t.Parallel()
	metadata := pack(t, &lropb.OperationMetadata{Target: "t", PartialErrors: []*spb.Status{{Details: []*anypb.Any{{TypeUrl: "a/nobody.Knows", Value: []byte("x")}}}}})
	srv := funcs{get: fixed(&longrunningpb.Operation{Name: "n", Metadata: metadata})}
	few := lrohttp.WithResolver(without{protoregistry.GlobalTypes, "lro.v1.OperationMetadata"})
	for name, client := range map[string]*lrohttp.Client{
		"handler knows few": serve(t, srv, []lrohttp.HandlerOption{few}, nil),
		"client knows few":  serve(t, srv, nil, []lrohttp.ClientOption{few}),
	} {
		got, err := client.GetOperation(t.Context(), &longrunningpb.GetOperationRequest{Name: "operations/n"})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if name == "client knows few" {
			if url, text, ok := lrohttp.Untyped(got.GetMetadata()); !ok || url != metadata.GetTypeUrl() || !strings.Contains(string(text), `"target":"t"`) {
				t.Errorf("%s: Untyped(metadata) = %q, %s, %t", name, url, text, ok)
			}
			continue
		}
		if diff := cmp.Diff(metadata, got.GetMetadata(), protocmp.Transform()); diff != "" {
			t.Errorf("%s: metadata (-want +got):\n%s", name, diff)
		}
	}
}

// without hides a type.
type without struct {
	lrohttp.Resolver
	hidden string
}

func (w without) FindMessageByURL(url string) (protoreflect.MessageType, error) {
	if strings.HasSuffix(url, "/"+w.hidden) {
		return nil, protoregistry.NotFound
	}
	return w.Resolver.FindMessageByURL(url)
}

func pack(t testing.TB, m proto.Message) *anypb.Any {
	t.Helper()
	a, err := anypb.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func value(t testing.TB, v any) *structpb.Value {
	t.Helper()
	m, err := structpb.NewValue(v)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func untyped(t testing.TB, text string) *anypb.Any {
	t.Helper()
	return pack(t, pack(t, wrapperspb.String(text)))
}

// TestDynamicTypes shows that types which only a resolver knows, such as one
// that asks a server's reflection, are as good as linked ones, and that unknown
// ones are found in all kinds of their fields.
func TestDynamicTypes(t *testing.T) {
	t.Parallel()
	types := dynamicTypes(t)
	mt, err := types.FindMessageByName("test.Tree")
	if err != nil {
		t.Fatal(err)
	}
	fields := mt.Descriptor().Fields()
	tree := func() protoreflect.Message {
		m := mt.New()
		m.Mutable(fields.ByName("any_map")).Map().Set(protoreflect.ValueOfString("k").MapKey(), protoreflect.ValueOfMessage(nobodyKnows.ProtoReflect()))
		m.Mutable(fields.ByName("any_list")).List().Append(protoreflect.ValueOfMessage(nobodyKnows.ProtoReflect()))
		m.Mutable(fields.ByName("text_map")).Map().Set(protoreflect.ValueOfString("k").MapKey(), protoreflect.ValueOfString("v"))
		return m
	}
	root := tree()
	root.Set(fields.ByName("child"), protoreflect.ValueOfMessage(tree()))
	want := &longrunningpb.Operation{Name: "n", Metadata: pack(t, root.Interface())}
	client := serve(t, funcs{get: fixed(want)}, []lrohttp.HandlerOption{lrohttp.WithResolver(types)}, []lrohttp.ClientOption{lrohttp.WithResolver(types)})
	got, err := client.GetOperation(t.Context(), getRequest)
	if err != nil {
		t.Fatal(err)
	}
	back := mt.New().Interface()
	if err := proto.Unmarshal(got.GetMetadata().GetValue(), back); err != nil || !proto.Equal(root.Interface(), back) {
		t.Errorf("metadata is %v, %v, want %v", back, err, root)
	}

	// As another service would send it.
	const unknown = `{"@type":"a/nobody.Knows","x":1}`
	body := `{"name":"n","metadata":{"@type":"a/test.Tree","child":{"anyMap":{"k":` + unknown + `},"anyList":[` + unknown + `,null],"textMap":{"k":"v"}}}}`
	client = dial(t, answer{200, jsonType, body}, lrohttp.WithResolver(types))
	if got, err = client.GetOperation(t.Context(), getRequest); err != nil {
		t.Fatal(err)
	}
	if err := proto.Unmarshal(got.GetMetadata().GetValue(), back); err != nil {
		t.Fatal(err)
	}
	child := back.ProtoReflect().Get(fields.ByName("child")).Message()
	list := child.Get(fields.ByName("any_list")).List()
	if list.Len() != 1 || !strings.Contains(fmt.Sprint(list.Get(0).Message().Interface()), "nobody.Knows") {
		t.Errorf("list in metadata is %v, want one of the unknown type", list)
	}
	if m := child.Get(fields.ByName("any_map")).Map(); m.Len() != 1 {
		t.Errorf("map in metadata is %v, want one entry", m)
	}
}

// dynamicTypes has one type beside the linked ones:
//
//	message Tree {
//		map<string, Any> any_map = 1; repeated Any any_list = 2; Tree child = 3; map<string, string> text_map = 4;
//	}
func dynamicTypes(t *testing.T) lrohttp.Resolver {
	t.Helper()
	field := func(name string, n int32, label descriptorpb.FieldDescriptorProto_Label, typeName string) *descriptorpb.FieldDescriptorProto {
		f := &descriptorpb.FieldDescriptorProto{Name: &name, Number: &n, Label: &label, Type: descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum(), TypeName: &typeName}
		if typeName == "" {
			f.Type, f.TypeName = descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum(), nil
		}
		return f
	}
	one, many := descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL, descriptorpb.FieldDescriptorProto_LABEL_REPEATED
	entry := func(name, typeName string) *descriptorpb.DescriptorProto {
		return &descriptorpb.DescriptorProto{
			Name: &name, Options: &descriptorpb.MessageOptions{MapEntry: new(true)},
			Field: []*descriptorpb.FieldDescriptorProto{field("key", 1, one, ""), field("value", 2, one, typeName)},
		}
	}
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: new("test.proto"), Package: new("test"), Syntax: new("proto3"), Dependency: []string{"google/protobuf/any.proto"},
		MessageType: []*descriptorpb.DescriptorProto{{
			Name: new("Tree"),
			Field: []*descriptorpb.FieldDescriptorProto{
				field("any_map", 1, many, ".test.Tree.AnyMapEntry"), field("any_list", 2, many, ".google.protobuf.Any"),
				field("child", 3, one, ".test.Tree"), field("text_map", 4, many, ".test.Tree.TextMapEntry"),
			},
			NestedType: []*descriptorpb.DescriptorProto{entry("AnyMapEntry", ".google.protobuf.Any"), entry("TextMapEntry", "")},
		}},
	}, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatal(err)
	}
	types := &protoregistry.Types{}
	if err := types.RegisterMessage(dynamicpb.NewMessageType(file.Messages().ByName("Tree"))); err != nil {
		t.Fatal(err)
	}
	return types
}
