package lro

import (
	"context"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// Service is anything that returns the state of an operation. The stub
// longrunningpb.OperationsClient is one, so are lrohttp.Client, what lroconnect
// returns, and what lrogax makes of Google's generated clients; [GetFunc] makes
// one of a function.
//
// WaitOperation, CancelOperation, DeleteOperation and ListOperations, with the
// signatures that longrunningpb.OperationsClient gives them, are used where
// the value has them. A method that answers UNIMPLEMENTED is treated as if it
// were not there.
//
// A service whose WaitOperation works for some of its operations only may have
// a method WaitsFor(name string) bool. It is called before each long poll and
// must return at once. Operations for which it returns false are polled;
// UNIMPLEMENTED would end the long polls of all.
//
// A wrapper must itself have every method of the service that it wraps; methods
// of a wrapped field are not discovered. Embed a [Stub], which has them all.
//
// An error is judged by its gRPC status, and one without a status is UNKNOWN;
// see [Policy] for what each code means. An error that has, or wraps one that
// has, a method Permanent() bool that returns true ends waiting at once
// whatever its code: repeating the call would not help. A service's code is
// taken at face value, except those that grpc-go makes up for an answer that
// did not come from the service, such as a proxy's page.
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

// Stub is a Service with all methods that a service may have. Methods that its
// Service lacks behave as if they were absent: WaitsFor is false for all
// operations, and the other methods fail with UNIMPLEMENTED. Embed it to wrap a
// service of any type and keep what that offers:
//
//	type logging struct{ lro.Stub }
//
//	func (l logging) GetOperation(ctx context.Context, req *longrunningpb.GetOperationRequest, opts ...grpc.CallOption) (*longrunningpb.Operation, error) {
//		op, err := l.Stub.GetOperation(ctx, req, opts...)
//		log.Print(req.GetName(), op.GetDone(), err)
//		return op, err
//	}
//
//	client := lro.NewClient(logging{lro.Stub{Service: service}})
//
// Over gRPC, a single interceptor on the connection sees the calls to every
// method. The zero value is not usable.
type Stub struct{ Service }

// What a service may offer beside [Service].
type (
	waiter interface {
		WaitOperation(ctx context.Context, req *longrunningpb.WaitOperationRequest, opts ...grpc.CallOption) (*longrunningpb.Operation, error)
	}
	// selectiveWaiter has WaitOperation for some operations only.
	selectiveWaiter interface {
		WaitsFor(name string) bool
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

// WaitsFor reports whether WaitOperation works for the operation with this name;
// see [Service].
func (s Stub) WaitsFor(name string) bool {
	if some, ok := s.Service.(selectiveWaiter); ok {
		return some.WaitsFor(name)
	}
	_, ok := s.Service.(waiter)
	return ok
}

// WaitOperation calls that of the service.
func (s Stub) WaitOperation(ctx context.Context, req *longrunningpb.WaitOperationRequest, opts ...grpc.CallOption) (*longrunningpb.Operation, error) {
	if w, ok := s.Service.(waiter); ok {
		return w.WaitOperation(ctx, req, opts...)
	}
	return nil, unimplemented("WaitOperation")
}

// CancelOperation calls that of the service.
func (s Stub) CancelOperation(ctx context.Context, req *longrunningpb.CancelOperationRequest, opts ...grpc.CallOption) (*emptypb.Empty, error) {
	if c, ok := s.Service.(canceller); ok {
		return c.CancelOperation(ctx, req, opts...)
	}
	return nil, unimplemented("CancelOperation")
}

// DeleteOperation calls that of the service.
func (s Stub) DeleteOperation(ctx context.Context, req *longrunningpb.DeleteOperationRequest, opts ...grpc.CallOption) (*emptypb.Empty, error) {
	if d, ok := s.Service.(deleter); ok {
		return d.DeleteOperation(ctx, req, opts...)
	}
	return nil, unimplemented("DeleteOperation")
}

// ListOperations calls that of the service.
func (s Stub) ListOperations(ctx context.Context, req *longrunningpb.ListOperationsRequest, opts ...grpc.CallOption) (*longrunningpb.ListOperationsResponse, error) {
	if l, ok := s.Service.(lister); ok {
		return l.ListOperations(ctx, req, opts...)
	}
	return nil, unimplemented("ListOperations")
}

func unimplemented(method string) error {
	return status.Errorf(codes.Unimplemented, "the service has no %s", method)
}
