package lrovanguard

import (
	"errors"

	"connectrpc.com/connect"
	"connectrpc.com/vanguard"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/go-lro/lro/internal/anyjson"
)

// Reasons of the errors that this package makes.
const (
	reasonBody       = "INVALID_BODY"
	reasonRequest    = "INVALID_REQUEST"
	reasonTooLarge   = "BODY_TOO_LARGE"
	reasonTooComplex = "BODY_TOO_COMPLEX"
	reasonMethod     = "HTTP_METHOD_NOT_ALLOWED"
	reasonMedia      = "NOT_JSON"
)

// codec is vanguard's for JSON, but for what is in an Any, and for what is wrong
// with a request.
type codec struct {
	vanguard.JSONCodec
	any    anyjson.Codec
	domain string
}

func newCodec(types vanguard.TypeResolver, domain string) codec {
	return codec{
		JSONCodec: vanguard.JSONCodec{
			MarshalOptions:   protojson.MarshalOptions{Resolver: types},
			UnmarshalOptions: protojson.UnmarshalOptions{Resolver: types, RecursionLimit: anyjson.MaxNesting},
		},
		any:    anyjson.New(types),
		domain: domain,
	}
}

// MarshalAppend writes answers and the status of errors.
func (c codec) MarshalAppend(base []byte, m proto.Message) ([]byte, error) {
	text, err := c.any.Marshal(m)
	return append(base, text...), err
}

// MarshalAppendField writes answers that are one field of a message, for rules
// that have a response_body.
func (c codec) MarshalAppendField(base []byte, m proto.Message, f protoreflect.FieldDescriptor) ([]byte, error) {
	if f.Message() != nil && f.Cardinality() != protoreflect.Repeated {
		return c.MarshalAppend(base, m.ProtoReflect().Get(f).Message().Interface())
	}
	return c.JSONCodec.MarshalAppendField(base, m, f)
}

// Unmarshal reads requests.
func (c codec) Unmarshal(text []byte, m proto.Message) error {
	if problem := anyjson.TooComplex(text); problem != "" {
		return c.refuse(reasonTooComplex, "body: "+problem)
	}
	if err := c.any.Read(text, m, false); err != nil {
		return c.refuse(reasonBody, "body: "+err.Error())
	}
	return nil
}

// UnmarshalField reads requests whose body is one field of a message.
func (c codec) UnmarshalField(text []byte, m proto.Message, f protoreflect.FieldDescriptor) error {
	if f.Message() != nil && f.Cardinality() != protoreflect.Repeated {
		return c.Unmarshal(text, m.ProtoReflect().Mutable(f).Message().Interface())
	}
	if problem := anyjson.TooComplex(text); problem != "" {
		return c.refuse(reasonTooComplex, "body: "+problem)
	}
	if err := c.JSONCodec.UnmarshalField(text, m, f); err != nil {
		return c.refuse(reasonBody, "body: "+err.Error())
	}
	return nil
}

// refuse is an error of the client, which vanguard takes for one of the server's
// unless it is connect-go's.
func (c codec) refuse(reason, problem string) error {
	failed := connect.NewError(connect.CodeInvalidArgument, errors.New(problem))
	if d, err := connect.NewErrorDetail(&errdetails.ErrorInfo{Reason: reason, Domain: c.domain}); err == nil {
		failed.AddDetail(d)
	}
	return failed
}
