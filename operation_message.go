package lro

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// unmarshal keeps what it does not know: a newer service may send more.
var unmarshal = proto.UnmarshalOptions{AllowPartial: true}

// descriptorOf returns the descriptor of T, or nil when T is an interface,
// whose messages are found by their type URL. It fails for a type that cannot
// be made from its zero value, such as *dynamicpb.Message.
func descriptorOf[T proto.Message]() (md protoreflect.MessageDescriptor, err error) {
	t := reflect.TypeFor[T]()
	if t.Kind() == reflect.Interface {
		return nil, nil
	}
	defer func() {
		if recover() != nil {
			md, err = nil, fmt.Errorf("type %v is not a generated message type: use one, proto.Message or *anypb.Any", t)
		}
	}()
	var zero T
	m := zero.ProtoReflect()
	if _, ok := m.New().Interface().(T); !ok {
		return nil, fmt.Errorf("type %v is not a generated message type, but wraps one: use that one, proto.Message or *anypb.Any", t)
	}
	return m.Descriptor(), nil
}

// newMessage returns an empty T. It may be called only for a T whose
// descriptor descriptorOf returns.
func newMessage[T proto.Message]() T {
	var zero T
	return zero.ProtoReflect().New().Interface().(T)
}

// hasNoFields reports whether T is a message without fields, such as
// google.protobuf.Empty, of which there is only one value.
func hasNoFields[T proto.Message]() bool {
	md, err := descriptorOf[T]()
	return err == nil && md != nil && md.Fields().Len() == 0 && md.ExtensionRanges().Len() == 0
}

// decodeAny returns a fresh T from src. For *anypb.Any that is src itself,
// for an interface the message that the type URL names in the registry of
// linked types.
func decodeAny[T proto.Message](src *anypb.Any) (T, error) {
	var zero T
	if raw, ok := any(src).(T); ok && reflect.TypeFor[T]().Kind() != reflect.Interface {
		return raw, nil
	}
	md, err := descriptorOf[T]()
	if err != nil {
		return zero, err
	}
	if md == nil {
		return decodeRegistered[T](src)
	}
	if got, want := src.MessageName(), md.FullName(); got != want {
		return zero, fmt.Errorf("type is %q, not %q", sentType(src), want)
	}
	m := newMessage[T]()
	if err := unmarshal.Unmarshal(src.GetValue(), m); err != nil {
		return zero, fmt.Errorf("decode %q: %w", md.FullName(), err)
	}
	return m, nil
}

// sentType returns the type URL that the service sent. Package lrohttp keeps an
// Any of a type that is not linked, whose JSON it cannot encode, as an Any of
// the JSON in an Any.
func sentType(a *anypb.Any) string {
	inner, text := &anypb.Any{}, &wrapperspb.StringValue{}
	if a.UnmarshalTo(inner) != nil || inner.UnmarshalTo(text) != nil {
		return a.GetTypeUrl()
	}
	var sent struct {
		TypeURL string `json:"@type"`
	}
	if json.Unmarshal([]byte(text.GetValue()), &sent) != nil || sent.TypeURL == "" {
		return a.GetTypeUrl()
	}
	return sent.TypeURL
}

func decodeRegistered[T proto.Message](src *anypb.Any) (T, error) {
	var zero T
	mt, err := protoregistry.GlobalTypes.FindMessageByURL(src.GetTypeUrl())
	if errors.Is(err, protoregistry.NotFound) {
		return zero, fmt.Errorf("type %q is not linked into this program", src.GetTypeUrl())
	}
	if err != nil {
		return zero, fmt.Errorf("find type %q: %w", src.GetTypeUrl(), err)
	}
	m, ok := mt.New().Interface().(T)
	if !ok {
		return zero, fmt.Errorf("type %q is not a %v", src.GetTypeUrl(), reflect.TypeFor[T]())
	}
	if err := unmarshal.Unmarshal(src.GetValue(), m); err != nil {
		return zero, fmt.Errorf("decode %q: %w", src.GetTypeUrl(), err)
	}
	return m, nil
}

// typeName returns the full name of T for tokens and errors, empty for an
// interface.
func typeName[T proto.Message]() string {
	md, err := descriptorOf[T]()
	if err != nil || md == nil {
		return ""
	}
	return string(md.FullName())
}
