package lroadapt

import (
	"context"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/go-lro/lro/internal/httperror"
)

// Source is how the operations of a client are got and read. An Op is an
// operation as the client returns it, an R the result of one. Each is a Go value
// with a JSON form or a message of protobuf.
type Source[Op, R any] struct {
	// Method names what starts the operations. A client of package lro learns by
	// it how long they take, and tokens carry it. Default: none.
	Method string

	// Get returns the operation with this name. Clients over gRPC pass opts on;
	// others ignore them. Required.
	Get func(ctx context.Context, name string, opts ...grpc.CallOption) (Op, error)

	// State reads an operation. Required.
	State func(op Op) State[R]

	// Cancel asks the service to cancel the operation. Default: UNIMPLEMENTED.
	Cancel func(ctx context.Context, name string, opts ...grpc.CallOption) error
}

// State is what an operation says. The zero value is one that runs.
type State[R any] struct {
	// Done reports whether the operation has ended.
	Done bool
	// Err is what a done operation failed with, nil for a success. Its gRPC status
	// becomes that of the *lro.OperationError, with the details; a code of an HTTP
	// status is understood too, and others are UNKNOWN. See [StatusError].
	Err error
	// Result is that of a success. If it is a nil pointer, map or slice, the wait
	// ends with an *lro.ResultError.
	Result R
}

// service is the lro.Service of a Source.
type service[Op, R any] struct{ source Source[Op, R] }

func (s service[Op, R]) GetOperation(ctx context.Context, req *longrunningpb.GetOperationRequest, opts ...grpc.CallOption) (*longrunningpb.Operation, error) {
	if s.source.Get == nil || s.source.State == nil {
		return nil, status.Error(codes.FailedPrecondition, "lroadapt: the Source has no Get or no State")
	}
	op, err := s.source.Get(ctx, req.GetName(), opts...)
	if err != nil {
		return nil, httperror.Failure(err, opts)
	}
	return s.operation(req.GetName(), op)
}

func (s service[Op, R]) CancelOperation(ctx context.Context, req *longrunningpb.CancelOperationRequest, opts ...grpc.CallOption) (*emptypb.Empty, error) {
	if s.source.Cancel == nil {
		return nil, status.Error(codes.Unimplemented, "lroadapt: the Source has no Cancel")
	}
	return &emptypb.Empty{}, httperror.Failure(s.source.Cancel(ctx, req.GetName(), opts...), opts)
}

// operation returns an operation of the client as one of google.longrunning.
func (s service[Op, R]) operation(name string, op Op) (*longrunningpb.Operation, error) {
	metadata, err := encode(op)
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "encode operation %q: %v", name, err)
	}
	if metadata == nil {
		return nil, status.Errorf(codes.Internal, "the answer is no operation: it is a nil %T", op)
	}
	p := &longrunningpb.Operation{Name: name, Metadata: metadata}
	state := s.source.State(op)
	switch {
	case !state.Done:
	case state.Err != nil:
		failed := status.Convert(httperror.Failure(state.Err, nil)).Proto()
		p.Done, p.Result = true, &longrunningpb.Operation_Error{Error: failed}
	default:
		p.Done = true
		response, err := encode(state.Result)
		if err != nil {
			return nil, status.Errorf(codes.InvalidArgument, "encode result of operation %q: %v", name, err)
		}
		if response != nil {
			p.Result = &longrunningpb.Operation_Response{Response: response}
		}
	}
	return p, nil
}
