package gaxcall

import (
	"context"
	"errors"

	"github.com/googleapis/gax-go/v2"
	"google.golang.org/api/googleapi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/go-lro/lro/internal/httpcall"
	"github.com/go-lro/lro/internal/httperror"
)

// Failure gives the errors of a REST client a status, so that the policy of a
// wait understands them, and puts the headers of the answer where opts want
// them, since Retry-After is among them. Those of gRPC are left alone.
func (t Transport) Failure(err error, opts []grpc.CallOption) error {
	if err == nil || !t.REST {
		return err
	}
	if answer, ok := errors.AsType[*googleapi.Error](err); ok {
		httpcall.OptionsOf(opts).Received(answer.Header, nil)
		return httperror.WithStatus(err, httperror.StatusOf(answer.Code, answer.Message, []byte(answer.Body)))
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	code := codes.Unavailable // there was no whole answer
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		code = codes.DeadlineExceeded
	case errors.Is(err, context.Canceled):
		code = codes.Canceled
	case errors.Is(err, proto.Error): // there was, but not one of AIP-151
		code = codes.Internal
	case errors.Is(err, gax.PathExpressionError):
		code = codes.InvalidArgument
	}
	return httperror.WithStatus(err, status.New(code, err.Error()))
}
