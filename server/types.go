package server

import (
	"fmt"
	"reflect"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/go-lro/lro/internal/rpcinfo"
)

// isAny reports whether md, as a type of a kind, stands for a message of any
// type.
func isAny(md protoreflect.MessageDescriptor) bool { return md.FullName() == "google.protobuf.Any" }

// types are a kind's messages.
type types struct {
	request, response, metadata protoreflect.MessageDescriptor

	emptyRequest, emptyResponse, emptyMetadata *anypb.Any
}

func typesOf[Req, Resp, M proto.Message]() (types, error) {
	req, err := typeOf[Req]()
	if err != nil {
		return types{}, fmt.Errorf("request type: %w", err)
	}
	resp, err := typeOf[Resp]()
	if err != nil {
		return types{}, fmt.Errorf("response type: %w", err)
	}
	meta, err := typeOf[M]()
	if err != nil {
		return types{}, fmt.Errorf("metadata type: %w", err)
	}
	return types{
		request: req, response: resp, metadata: meta,
		emptyRequest: emptyOf[Req](), emptyResponse: emptyOf[Resp](), emptyMetadata: emptyOf[M](),
	}, nil
}

// declared are the names of the types, to be compared with an RPC's.
func (t types) declared() rpcinfo.Types {
	return rpcinfo.Types{Request: string(t.request.FullName()), Response: string(t.response.FullName()), Metadata: string(t.metadata.FullName())}
}

// typeOf refuses what cannot be made from its zero value: interfaces, and
// dynamicpb, whose nil pointer knows no descriptor and panics.
func typeOf[T proto.Message]() (md protoreflect.MessageDescriptor, err error) {
	t := reflect.TypeFor[T]()
	if t.Kind() != reflect.Pointer {
		return nil, fmt.Errorf("%s is not a generated message type", t)
	}
	defer func() {
		if recover() != nil {
			err = fmt.Errorf("%s is not a generated message type", t)
		}
	}()
	return newMessage[T]().ProtoReflect().Descriptor(), nil
}

func newMessage[T proto.Message]() T {
	var zero T
	return zero.ProtoReflect().New().Interface().(T)
}

func emptyOf[T proto.Message]() *anypb.Any {
	if _, ok := any(newMessage[T]()).(*anypb.Any); ok {
		return mustPack(&emptypb.Empty{})
	}
	return mustPack(newMessage[T]())
}

// mustPack packs an empty message, which always can be encoded.
func mustPack(m proto.Message) *anypb.Any {
	packed, err := anypb.New(m)
	if err != nil {
		panic(fmt.Sprintf("pack empty %T: %v", m, err))
	}
	return packed
}

func isNil(m proto.Message) bool { return m == nil || !m.ProtoReflect().IsValid() }

// pack makes an Any of m; an Any is taken as it is. Equal messages have equal
// bytes, by which a repeated start is known.
func pack(m proto.Message) (*anypb.Any, error) {
	if packed, ok := m.(*anypb.Any); ok {
		return proto.CloneOf(packed), nil
	}
	packed := &anypb.Any{}
	err := anypb.MarshalFrom(packed, m, proto.MarshalOptions{Deterministic: true})
	return packed, err
}

// unpack decodes packed as a T. Nil is an empty T.
func unpack[T proto.Message](packed *anypb.Any) (T, error) {
	m := newMessage[T]()
	if packed == nil {
		return m, nil
	}
	if raw, ok := any(m).(*anypb.Any); ok {
		proto.Merge(raw, packed)
		return m, nil
	}
	return m, packed.UnmarshalTo(m)
}
