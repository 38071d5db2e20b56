package dyntest

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/anypb"

	_ "google.golang.org/protobuf/types/known/timestamppb" // imported by the files
)

// Thing is the full name of the message. It has the fields progress_percent,
// status_message, create_time, end_time, target, verb, shape (of a type in another
// file) and inner (an Any).
const Thing = "lro.dyntest.v1.Thing"

// Set is the files that define Thing, without those of protobuf itself.
func Set() *descriptorpb.FileDescriptorSet {
	field := func(number int32, name string, kind descriptorpb.FieldDescriptorProto_Type, typeName string) *descriptorpb.FieldDescriptorProto {
		f := &descriptorpb.FieldDescriptorProto{
			Name: &name, Number: &number, Type: &kind,
			Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
		}
		if typeName != "" {
			f.TypeName = &typeName
		}
		return f
	}
	const (
		integer = descriptorpb.FieldDescriptorProto_TYPE_INT32
		text    = descriptorpb.FieldDescriptorProto_TYPE_STRING
		message = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE
	)
	return &descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{
		{
			Name: new("lro/dyntest/v1/shape.proto"), Package: new("lro.dyntest.v1"), Syntax: new("proto3"),
			MessageType: []*descriptorpb.DescriptorProto{{
				Name:  new("Shape"),
				Field: []*descriptorpb.FieldDescriptorProto{field(1, "sides", integer, "")},
			}},
		},
		{
			Name: new("lro/dyntest/v1/thing.proto"), Package: new("lro.dyntest.v1"), Syntax: new("proto3"),
			Dependency: []string{"lro/dyntest/v1/shape.proto", "google/protobuf/any.proto", "google/protobuf/timestamp.proto"},
			MessageType: []*descriptorpb.DescriptorProto{{
				Name: new("Thing"),
				Field: []*descriptorpb.FieldDescriptorProto{
					field(1, "progress_percent", integer, ""),
					field(2, "status_message", text, ""),
					field(3, "create_time", message, ".google.protobuf.Timestamp"),
					field(4, "shape", message, ".lro.dyntest.v1.Shape"),
					field(5, "inner", message, ".google.protobuf.Any"),
					field(6, "target", text, ""),
					field(7, "verb", text, ""),
					field(8, "end_time", message, ".google.protobuf.Timestamp"),
				},
			}},
		},
	}}
}

// Files is a registry that knows Thing, for a server's reflection.
func Files() (*protoregistry.Files, error) {
	set := Set()
	for _, name := range []string{"google/protobuf/any.proto", "google/protobuf/timestamp.proto"} {
		fd, err := protoregistry.GlobalFiles.FindFileByPath(name)
		if err != nil {
			return nil, err
		}
		set.File = append(set.File, protodesc.ToFileDescriptorProto(fd))
	}
	return protodesc.NewFiles(set)
}

// New returns a Thing in an Any, made of its JSON.
func New(text string) (*anypb.Any, error) {
	files, err := Files()
	if err != nil {
		return nil, err
	}
	d, err := files.FindDescriptorByName(Thing)
	if err != nil {
		return nil, err
	}
	types := dynamicpb.NewTypes(files)
	mt, err := types.FindMessageByName(d.FullName())
	if err != nil {
		return nil, err
	}
	m := mt.New().Interface()
	if err := protojson.Unmarshal([]byte(text), m); err != nil {
		return nil, fmt.Errorf("thing %s: %w", text, err)
	}
	value, err := proto.Marshal(m)
	if err != nil {
		return nil, err
	}
	return &anypb.Any{TypeUrl: "type.googleapis.com/" + Thing, Value: value}, nil
}
