package lrohttp

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

// codec turns messages into JSON and back, and does not fail for what is in an
// Any: see anyjson.go for reading and anywrap.go for writing.
type codec struct {
	types Resolver
}

func newCodec(types Resolver) codec {
	if types == nil {
		types = protoregistry.GlobalTypes
	}
	return codec{ownTypes{types}}
}

// ownTypes adds the types that a codec puts in the place of others.
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

// marshal returns the JSON of a message. Unset fields are left out: Google's
// Python client refuses answers with fields it does not know, such as
// "unreachable".
func (c codec) marshal(m proto.Message) ([]byte, error) {
	if !hasUntypedAny(m) {
		if text, err := c.toJSON(m); err == nil {
			return text, nil
		}
	}
	m = proto.Clone(m)
	c.wrapAnys(m)
	return c.toJSON(m)
}

// unmarshal reads the JSON of a message. Fields it does not know are ignored.
func (c codec) unmarshal(text []byte, m proto.Message) error {
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

func (c codec) marshalAny(a *anypb.Any) (json.RawMessage, error) { return c.marshal(a) }

func (c codec) unmarshalAny(text []byte) (*anypb.Any, error) {
	a := &anypb.Any{}
	return a, c.unmarshal(text, a)
}

func (c codec) toJSON(m proto.Message) ([]byte, error) {
	text, err := protojson.MarshalOptions{AllowPartial: true, Resolver: c.types}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", m.ProtoReflect().Descriptor().FullName(), err)
	}
	return text, nil
}

func (c codec) fromJSON(text []byte, m proto.Message) error {
	err := protojson.UnmarshalOptions{
		AllowPartial: true, DiscardUnknown: true, RecursionLimit: maxNesting, Resolver: c.types,
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
