package lroadapt

import (
	"encoding/json"
	"fmt"
	"reflect"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro/internal/anyjson"
	"github.com/go-lro/lro/internal/httperror"
	"github.com/go-lro/lro/internal/progress"
)

// StatusError returns the error in a value whose JSON has the form of
// google.rpc.Status, code, message and details, such as the map in an operation of
// the Gen AI SDK. It has that status, with code UNKNOWN if the value has none. It
// returns nil for nil and for an empty map or struct.
func StatusError(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("read status: %w", err)
	}
	if s := string(text); s == "null" || s == "{}" {
		return nil
	}
	return status.ErrorProto(httperror.FromJSON(anyjson.New(nil), text))
}

// encode packs a value: a message as it is, and any other as its JSON in the form
// that package lrohttp keeps JSON of unknown types in, which package progress
// reads. Nil is nil.
func encode(v any) (*anypb.Any, error) {
	if m, ok := v.(proto.Message); ok {
		if !m.ProtoReflect().IsValid() {
			return nil, nil
		}
		return anypb.New(m)
	}
	text, err := json.Marshal(v)
	if err != nil || string(text) == "null" {
		return nil, err
	}
	inner, err := anypb.New(wrapperspb.String(string(text)))
	if err != nil {
		return nil, err
	}
	return anypb.New(inner)
}

// Decode returns the value in the metadata or the result of the operation that an
// [Operation] embeds. T is the Op or the R of its client.
func Decode[T any](a *anypb.Any) (T, error) {
	var v T
	if m, ok := any(v).(proto.Message); ok && reflect.TypeFor[T]().Kind() == reflect.Pointer {
		m = m.ProtoReflect().New().Interface()
		if err := a.UnmarshalTo(m); err != nil {
			return v, fmt.Errorf("decode %T: %w", v, err)
		}
		return m.(T), nil
	}
	_, text, ok := progress.Kept(a)
	if !ok {
		return v, fmt.Errorf("decode %T: it is a message %q, not JSON", v, a.MessageName())
	}
	if err := json.Unmarshal(text, &v); err != nil {
		return v, fmt.Errorf("decode %T: %w", v, err)
	}
	return v, nil
}
