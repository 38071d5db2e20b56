package payload

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/go-lro/lro/lrohttp"
)

// maxDepth bounds how deep Any messages may nest; what lies deeper is shown by
// its bytes.
const maxDepth = 32

// JSON returns an Any in the JSON mapping of protobuf, compact, with "@type"
// first. What cannot be decoded, on any level, has its bytes as "value". Nil
// is null.
func (t *Types) JSON(ctx context.Context, any *anypb.Any) json.RawMessage {
	if any == nil {
		return json.RawMessage("null")
	}
	if t.fromJSON {
		if _, text, ok := lrohttp.Untyped(any); ok {
			return text // as the service sent it
		}
	}
	shown := &resolver{Types: t, Local: t.Local(), urls: map[string]protoreflect.MessageType{}}
	text, err := shown.safely(ctx, any)
	var compact bytes.Buffer
	if err != nil || json.Compact(&compact, text) != nil { // protojson varies its white space
		// Such as a Timestamp out of range, which has no JSON.
		return bare(any)
	}
	return compact.Bytes()
}

// Shows reports whether JSON shows what is in an Any, and not its bytes.
func (t *Types) Shows(ctx context.Context, any *anypb.Any) bool {
	if t.fromJSON {
		if _, _, ok := lrohttp.Untyped(any); ok {
			return true
		}
	}
	return t.Decode(ctx, any) != nil
}

// TypeURL returns the type of an Any as the service sent it.
func (t *Types) TypeURL(any *anypb.Any) string {
	if t.fromJSON {
		if url, _, ok := lrohttp.Untyped(any); ok {
			return url
		}
	}
	return any.GetTypeUrl()
}

// bare is an Any by its type URL and its bytes.
func bare(any *anypb.Any) json.RawMessage {
	text, err := json.Marshal(struct {
		Type  string `json:"@type,omitempty"`
		Value []byte `json:"value"`
	}{any.GetTypeUrl(), any.GetValue()})
	if err != nil {
		panic(fmt.Sprintf("payload: encode bytes: %v", err)) // strings and bytes always encode
	}
	return text
}

// Decode returns the message in an Any, nil when it cannot be decoded.
func (t *Types) Decode(ctx context.Context, any *anypb.Any) (m proto.Message) {
	if any == nil {
		return nil
	}
	defer func() {
		if recover() != nil { // see safely
			m = nil
		}
	}()
	mt, err := t.find(ctx, any.GetTypeUrl())
	if err != nil {
		return nil
	}
	m = mt.New().Interface()
	if lenient.Unmarshal(any.GetValue(), m) != nil {
		return nil
	}
	return m
}

// lenient takes what a service sends, required fields or not.
var lenient = proto.UnmarshalOptions{AllowPartial: true}

// resolver is what protojson sees for one payload: the types of its Any
// messages, with a stand-in for those that are not known.
type resolver struct {
	*Types
	Local
	urls     map[string]protoreflect.MessageType
	conflict bool // a URL turned out to need the stand-in after it was used without
}

// safely is marshal for descriptors that come from a service: protobuf's
// packages panic at some that no compiler would make.
func (r *resolver) safely(ctx context.Context, any *anypb.Any) (text []byte, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("write %q as JSON: %v", any.GetTypeUrl(), v)
		}
	}()
	return r.marshal(ctx, any)
}

func (r *resolver) marshal(ctx context.Context, any *anypb.Any) ([]byte, error) {
	safe := r.readable(ctx, any, 0)
	for r.conflict {
		// One URL has one type in a payload, so all messages with it are
		// shown by their bytes. Each round adds one URL at least.
		r.conflict = false
		safe = r.readable(ctx, any, 0)
	}
	return protojson.MarshalOptions{Resolver: r, AllowPartial: true}.Marshal(safe)
}

// FindMessageByURL implements the resolver of protojson.
func (r *resolver) FindMessageByURL(url string) (protoreflect.MessageType, error) {
	if mt := r.urls[url]; mt != nil {
		return mt, nil
	}
	return nil, fmt.Errorf("type %q is not known", url)
}

// readable returns an Any that protojson can show: with every Any in it either
// of a known type, or replaced by a stand-in that holds its bytes.
func (r *resolver) readable(ctx context.Context, src *anypb.Any, depth int) *anypb.Any {
	if r.urls[src.GetTypeUrl()] == standIn() {
		return r.opaque(src)
	}
	mt, err := r.find(ctx, src.GetTypeUrl())
	if err != nil || depth > maxDepth {
		return r.opaque(src)
	}
	m := mt.New()
	if lenient.Unmarshal(src.GetValue(), m.Interface()) != nil {
		return r.opaque(src)
	}
	r.urls[src.GetTypeUrl()] = mt
	if !r.walk(ctx, m, depth) {
		return src
	}
	value, err := proto.MarshalOptions{AllowPartial: true}.Marshal(m.Interface())
	if err != nil {
		return r.opaque(src)
	}
	return &anypb.Any{TypeUrl: src.GetTypeUrl(), Value: value}
}

// walk makes the Any messages in m readable, and reports whether it met one.
func (r *resolver) walk(ctx context.Context, m protoreflect.Message, depth int) bool {
	if m.Descriptor().FullName() == "google.protobuf.Any" {
		fields := m.Descriptor().Fields()
		url, value := fields.ByName("type_url"), fields.ByName("value")
		safe := r.readable(ctx, &anypb.Any{TypeUrl: m.Get(url).String(), Value: m.Get(value).Bytes()}, depth+1)
		if safe.GetTypeUrl() == "" {
			m.Clear(url)
			m.Clear(value)
			return true
		}
		m.Set(value, protoreflect.ValueOfBytes(safe.GetValue()))
		return true
	}
	met := false
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.IsMap() && fd.MapValue().Message() != nil:
			v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
				met = r.walk(ctx, v.Message(), depth) || met
				return true
			})
		case fd.IsList() && fd.Message() != nil:
			for i := range v.List().Len() {
				met = r.walk(ctx, v.List().Get(i).Message(), depth) || met
			}
		case !fd.IsMap() && !fd.IsList() && fd.Message() != nil:
			met = r.walk(ctx, v.Message(), depth) || met
		}
		return true
	})
	return met
}

// opaque wraps the bytes of src so that protojson prints its type URL and a
// field "value" in base64.
func (r *resolver) opaque(src *anypb.Any) *anypb.Any {
	m := standIn().New()
	m.Set(m.Descriptor().Fields().ByNumber(1), protoreflect.ValueOfBytes(src.GetValue()))
	value, err := proto.Marshal(m.Interface())
	if err != nil {
		panic(fmt.Sprintf("payload: encode stand-in: %v", err)) // bytes always encode
	}
	if old := r.urls[src.GetTypeUrl()]; old != nil && old != standIn() {
		r.conflict = true
	}
	r.urls[src.GetTypeUrl()] = standIn()
	return &anypb.Any{TypeUrl: src.GetTypeUrl(), Value: value}
}

// standIn is a message with one field of bytes named value.
var standIn = sync.OnceValue(func() protoreflect.MessageType {
	fd, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: new("lro/command/opaque.proto"), Package: new("lro.command"), Syntax: new("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{{
			Name: new("Opaque"),
			Field: []*descriptorpb.FieldDescriptorProto{{
				Name: new("value"), JsonName: new("value"), Number: new(int32(1)),
				Type:  descriptorpb.FieldDescriptorProto_TYPE_BYTES.Enum(),
				Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
			}},
		}},
	}, nil)
	if err != nil {
		panic(err)
	}
	return dynamicpb.NewMessageType(fd.Messages().Get(0))
})
