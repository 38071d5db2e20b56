package payload

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
)

// Pack makes an Any of the message type name from JSON. The type
// google.protobuf.Any stands for any type: the JSON then names it by "@type".
func (t *Types) Pack(ctx context.Context, name string, text []byte) (*anypb.Any, error) {
	mt, err := t.find(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("message type %q is not known: give --descriptor-set", name)
	}
	m := mt.New().Interface()
	if err := (protojson.UnmarshalOptions{Resolver: &finder{t.Local(), t, ctx}}).Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("JSON of %s: %w", name, err)
	}
	if packed, ok := m.(*anypb.Any); ok {
		return packed, nil
	}
	value, err := proto.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", name, err)
	}
	return &anypb.Any{TypeUrl: "type.googleapis.com/" + name, Value: value}, nil
}

// finder finds the types that JSON names by "@type".
type finder struct {
	Local
	types *Types
	ctx   context.Context
}

// FindMessageByName implements the resolver of protojson.
func (f *finder) FindMessageByName(name protoreflect.FullName) (protoreflect.MessageType, error) {
	return f.types.find(f.ctx, string(name))
}

// FindMessageByURL implements the resolver of protojson.
func (f *finder) FindMessageByURL(url string) (protoreflect.MessageType, error) {
	return f.types.find(f.ctx, url)
}
