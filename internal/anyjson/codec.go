package anyjson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/anypb"
)

// Resolver finds message types by their names, to read and write what is in an
// Any. protoregistry.GlobalTypes is one.
type Resolver interface {
	protoregistry.MessageTypeResolver
	protoregistry.ExtensionTypeResolver
}

// Codec turns messages into JSON and back, and does not fail for what is in an
// Any: see keep.go for reading and wrap.go for writing. The zero value is not
// usable. A Codec is safe for concurrent use.
type Codec struct {
	types Resolver
}

// New returns a Codec that looks types up in types, which is
// protoregistry.GlobalTypes if nil.
func New(types Resolver) Codec {
	if types == nil {
		types = protoregistry.GlobalTypes
	}
	return Codec{ownTypes{types}}
}

// ownTypes adds the types that a Codec puts in the place of others.
type ownTypes struct{ Resolver }

func (o ownTypes) FindMessageByURL(url string) (protoreflect.MessageType, error) {
	mt, err := o.Resolver.FindMessageByURL(url)
	if err == nil {
		return mt, nil
	}
	switch url {
	case anyURL, stringURL, statusURL:
		return protoregistry.GlobalTypes.FindMessageByURL(url)
	}
	return nil, err
}

// Marshal returns the JSON of a message. Unset fields are left out: Google's
// Python client refuses answers with fields it does not know, such as
// "unreachable".
func (c Codec) Marshal(m proto.Message) ([]byte, error) {
	if !hasUntypedAny(m) {
		if text, err := c.ToJSON(m); err == nil {
			return text, nil
		}
	}
	m = proto.Clone(m)
	c.wrapAnys(m)
	return c.ToJSON(m)
}

// Unmarshal reads the JSON of a message. Fields it does not know are ignored.
func (c Codec) Unmarshal(text []byte, m proto.Message) error {
	if err := c.fromJSON(text, m); err != nil || hasUntypedAny(m) {
		if !json.Valid(text) {
			return err
		}
		if err := c.fromJSON(c.keepMessage(text, m.ProtoReflect().Descriptor(), 0), m); err != nil {
			return err
		}
	}
	if bytes.Contains(text, []byte(wrapMark)) {
		c.unwrapAnys(m)
	}
	return nil
}

// MarshalAny returns the JSON of an Any.
func (c Codec) MarshalAny(a *anypb.Any) (json.RawMessage, error) { return c.Marshal(a) }

// UnmarshalAny reads the JSON of an Any.
func (c Codec) UnmarshalAny(text []byte) (*anypb.Any, error) {
	a := &anypb.Any{}
	return a, c.Unmarshal(text, a)
}

// ToJSON returns the JSON of a message, and fails if an Any in it has none.
func (c Codec) ToJSON(m proto.Message) ([]byte, error) {
	text, err := protojson.MarshalOptions{AllowPartial: true, Resolver: c.types}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", m.ProtoReflect().Descriptor().FullName(), err)
	}
	return text, nil
}

// Read reads the JSON of a message as protojson does. An Any whose type is not
// known is an error, and so are fields that are not the message's unless
// discardUnknown.
func (c Codec) Read(text []byte, m proto.Message, discardUnknown bool) error {
	return protojson.UnmarshalOptions{DiscardUnknown: discardUnknown, RecursionLimit: MaxNesting, Resolver: c.types}.Unmarshal(text, m)
}

func (c Codec) fromJSON(text []byte, m proto.Message) error {
	err := protojson.UnmarshalOptions{
		AllowPartial: true, DiscardUnknown: true, RecursionLimit: MaxNesting, Resolver: c.types,
	}.Unmarshal(text, m)
	if err != nil {
		return fmt.Errorf("decode %s: %w", m.ProtoReflect().Descriptor().FullName(), err)
	}
	return nil
}

// hasUntypedAny reports whether one of the Anys of operations has no type. In
// JSON such a one is "{}", which makes Google's Node client try again for ten
// minutes, and which an Any with fields but without "@type" is read as.
func hasUntypedAny(m proto.Message) bool {
	switch m := m.(type) {
	case *anypb.Any:
		return isUntyped(m)
	case *longrunningpb.Operation:
		return isUntyped(m.GetMetadata()) || isUntyped(m.GetResponse()) || slices.ContainsFunc(m.GetError().GetDetails(), isUntyped)
	case *longrunningpb.ListOperationsResponse:
		return slices.ContainsFunc(m.GetOperations(), func(op *longrunningpb.Operation) bool { return hasUntypedAny(op) })
	}
	return false
}

func isUntyped(a *anypb.Any) bool { return a != nil && a.GetTypeUrl() == "" }
