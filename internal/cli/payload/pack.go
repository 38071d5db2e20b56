package payload

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

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
		return nil, fmt.Errorf("JSON of %s: %w%s", name, err, instead(mt.Descriptor(), text))
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

// instead says what there is in place of the first name in JSON that md does not
// have, of a field or of a value of an enum; empty where all names are known.
func instead(md protoreflect.MessageDescriptor, text []byte) string {
	var o map[string]json.RawMessage
	if strings.HasPrefix(string(md.FullName()), "google.protobuf.") || json.Unmarshal(text, &o) != nil {
		return "" // well-known types have a JSON of their own
	}
	fields := md.Fields()
	for _, key := range slices.Sorted(maps.Keys(o)) {
		fd := cmp.Or(fields.ByJSONName(key), fields.ByTextName(key))
		if fd == nil && !strings.HasPrefix(key, "[") {
			var names []string
			for i := range fields.Len() {
				names = append(names, fields.Get(i).JSONName())
			}
			return fmt.Sprintf("; %s has %s", md.Name(), strings.Join(names, ", "))
		}
		if fd == nil || fd.IsMap() {
			continue
		}
		values := []json.RawMessage{o[key]}
		if fd.IsList() && json.Unmarshal(o[key], &values) != nil {
			continue
		}
		for _, value := range values {
			if found := insteadOf(fd, value); found != "" {
				return found
			}
		}
	}
	return ""
}

// insteadOf is instead for one value of a field.
func insteadOf(fd protoreflect.FieldDescriptor, value json.RawMessage) string {
	if fd.Message() != nil {
		return instead(fd.Message(), value)
	}
	var name string
	if fd.Enum() == nil || json.Unmarshal(value, &name) != nil || fd.Enum().Values().ByName(protoreflect.Name(name)) != nil {
		return ""
	}
	var names []string
	for i := range fd.Enum().Values().Len() {
		names = append(names, string(fd.Enum().Values().Get(i).Name()))
	}
	return fmt.Sprintf("; %s has %s", fd.Enum().Name(), strings.Join(names, ", "))
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
