package kintest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"

	"github.com/googleapis/gax-go/v2/apierror"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
)

// What the recipes of docs/kin.md for REST share.

// pack returns the JSON of a Go value as a message, nil for null.
func pack(v any) (*anypb.Any, error) {
	text, err := json.Marshal(v)
	if err != nil || string(text) == "null" {
		return nil, err
	}
	var s structpb.Struct
	if err := protojson.Unmarshal(text, &s); err != nil {
		return nil, err
	}
	return anypb.New(&s)
}

// unpack returns the Go value that pack got.
func unpack[T any](s *structpb.Struct) (*T, error) {
	text, err := protojson.Marshal(s)
	if err != nil {
		return nil, err
	}
	v := new(T)
	return v, json.Unmarshal(text, v)
}

// restError gives the error of a REST client the code that the policy needs.
func restError(err error) error {
	if answer, ok := apierror.FromError(err); ok {
		return answer // has the code of its HTTP status
	}
	if _, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("%w: %w", status.Error(codes.Unavailable, "no answer"), err)
	}
	return err
}
