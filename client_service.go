package lro

import (
	"context"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
)

// Service is anything that can tell the state of an operation. The stub
// longrunningpb.OperationsClient is one, so are lrohttp.Client and what lrogax
// makes of Google's generated clients; [GetFunc] makes one of a function.
//
// WaitOperation, CancelOperation, DeleteOperation and ListOperations, with the
// signatures that longrunningpb.OperationsClient gives them, are used where
// the value has them. A method that answers UNIMPLEMENTED is treated as if it
// were not there.
//
// A wrapper of a service must have the same methods: those of a value inside
// that it does not have are not found. One that embeds
// longrunningpb.OperationsClient, or a *lrohttp.Client, has them all.
//
// An error is judged by its gRPC status, and one without a status is UNKNOWN;
// see [Policy] for what each code means. An error that has, or wraps one that
// has, a method Permanent() bool that returns true ends waiting at once whatever
// its code: repeating the call would not help. What a service returns is
// believed, but for the codes that package grpc makes by itself of an answer that
// is not the service's.
//
// A service must be safe for concurrent use and should return soon after its
// ctx ends. It must not change a message it has returned.
type Service interface {
	GetOperation(ctx context.Context, req *longrunningpb.GetOperationRequest, opts ...grpc.CallOption) (*longrunningpb.Operation, error)
}

// GetFunc makes a [Service] of one function that returns the latest state of
// the operation with this name: enough for clients written by hand, and for
// messages that only look like an operation.
type GetFunc func(ctx context.Context, name string) (*longrunningpb.Operation, error)

// GetOperation calls f. Call options are ignored.
func (f GetFunc) GetOperation(ctx context.Context, req *longrunningpb.GetOperationRequest, _ ...grpc.CallOption) (*longrunningpb.Operation, error) {
	return f(ctx, req.GetName())
}

// What a service may offer beside [Service].
type (
	waiter interface {
		WaitOperation(ctx context.Context, req *longrunningpb.WaitOperationRequest, opts ...grpc.CallOption) (*longrunningpb.Operation, error)
	}
	canceller interface {
		CancelOperation(ctx context.Context, req *longrunningpb.CancelOperationRequest, opts ...grpc.CallOption) (*emptypb.Empty, error)
	}
	deleter interface {
		DeleteOperation(ctx context.Context, req *longrunningpb.DeleteOperationRequest, opts ...grpc.CallOption) (*emptypb.Empty, error)
	}
	lister interface {
		ListOperations(ctx context.Context, req *longrunningpb.ListOperationsRequest, opts ...grpc.CallOption) (*longrunningpb.ListOperationsResponse, error)
	}
)
