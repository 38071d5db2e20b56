package lroconnect

import (
	"context"
	"errors"

	"connectrpc.com/connect"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/go-lro/lro/internal/rpccode"
)

// typePrefix begins the type URL of a detail, of which connect-go tells the
// message's name alone.
const typePrefix = "type.googleapis.com/"

func asConnect(err error) *connect.Error {
	failed, _ := errors.AsType[*connect.Error](err)
	return failed
}

// callError is the error of a call.
type callError struct {
	status    *status.Status
	cause     error
	permanent bool
}

func (e *callError) Error() string              { return e.status.Err().Error() }
func (e *callError) Unwrap() error              { return e.cause }
func (e *callError) GRPCStatus() *status.Status { return e.status }

// Permanent reports whether the call would fail again however often it is
// repeated: the answer is larger than the client takes. Waiting ends with it.
func (e *callError) Permanent() bool { return e.permanent }

// toStatus returns what a call failed with as an error with a gRPC status.
func toStatus(ctx context.Context, procedure string, err error) error {
	failed := asConnect(err)
	if failed == nil { // an interceptor's
		return &callError{status: status.Convert(err), cause: err}
	}
	st := &spb.Status{Code: int32(failed.Code()), Message: failed.Message()}
	for _, d := range failed.Details() {
		st.Details = append(st.Details, &anypb.Any{TypeUrl: typePrefix + d.Type(), Value: d.Bytes()})
	}
	if connect.IsWireError(failed) {
		return &callError{status: status.FromProto(st), cause: err}
	}
	if ended := ctx.Err(); ended != nil {
		return &callError{status: status.FromContextError(ended), cause: ended}
	}
	code := codes.Code(failed.Code())
	if code != codes.Unimplemented || procedure == getOperation {
		code = rpccode.Unbelieved(code)
	}
	st.Code = int32(code)
	return &callError{status: status.FromProto(st), cause: err, permanent: code == codes.ResourceExhausted}
}

// Error returns the error of a gRPC service as connect-go's, with the same code,
// message and details, also those whose types are not linked into the program. A
// Connect service needs it where it returns errors of package server or of a gRPC
// client, which connect-go would report as unknown:
//
//	op, err := Export.Start(ctx, operations, req.Msg, nil)
//	if err != nil {
//		return nil, lroconnect.Error(err)
//	}
//
// An error without a gRPC status is canceled or deadline_exceeded if it is that of
// a ctx, and else unknown; a *connect.Error is returned as it is. Error returns nil
// for nil.
func Error(err error) error {
	if err == nil {
		return nil
	}
	return toConnect(err)
}

// toConnect returns the error of a server as connect-go's.
func toConnect(err error) *connect.Error {
	if failed := asConnect(err); failed != nil {
		return failed
	}
	st, ok := status.FromError(err)
	if !ok {
		st = status.FromContextError(err)
	}
	code := connect.Code(st.Code())
	if code < connect.CodeCanceled || code > connect.CodeUnauthenticated {
		code = connect.CodeUnknown
	}
	message := st.Message()
	if st.Code() == codes.OK {
		message = err.Error()
	}
	failed := connect.NewError(code, errors.New(message))
	for _, a := range st.Proto().GetDetails() {
		if d, err := connect.NewErrorDetail(a); err == nil {
			failed.AddDetail(d)
		}
	}
	return failed
}
