package lrogax

import (
	"context"

	"github.com/googleapis/gax-go/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/go-lro/lro"
)

// GeneratedOperation is what methods of generated clients return for an
// operation whose response is an R. Go infers R and M from the methods of the
// value that is passed.
type GeneratedOperation[R, M proto.Message] interface {
	Generated[M]
	Poll(context.Context, ...gax.CallOption) (R, error)
}

// GeneratedEmpty is what they return for an operation whose response is
// google.protobuf.Empty.
type GeneratedEmpty[M proto.Message] interface {
	Generated[M]
	Poll(context.Context, ...gax.CallOption) error
}

// Operation makes an operation of what a generated method returned. R and M are
// inferred from op, and the name of the method as [MethodOf] does it. c must be
// of the same service; [Service] makes one. Operation makes no call, and the
// generated operation may be dropped then; see [Proto] for its errors.
//
// Operations of methods that return google.protobuf.Empty are for
// [EmptyOperation]: the compiler refuses them here.
func Operation[R, M proto.Message](c *lro.Client, op GeneratedOperation[R, M]) (*lro.Operation[R, M], error) {
	if op == nil {
		return nil, errNilOperation
	}
	return Wrap(MethodOf(op), c, op)
}

// EmptyOperation is [Operation] for methods that return google.protobuf.Empty.
func EmptyOperation[M proto.Message](c *lro.Client, op GeneratedEmpty[M]) (*lro.Operation[*emptypb.Empty, M], error) {
	if op == nil {
		return nil, errNilOperation
	}
	return Wrap(EmptyMethodOf(op), c, op)
}

// Wait waits for an operation that a generated method returned and returns its
// result: what [Operation] and [lro.Operation.Wait] do, in one call that takes
// the place of the generated op.Wait(ctx).
func Wait[R, M proto.Message](ctx context.Context, c *lro.Client, op GeneratedOperation[R, M], opts ...lro.WaitOption) (R, error) {
	o, err := Operation(c, op)
	if err != nil {
		var none R
		return none, err
	}
	return o.Wait(ctx, opts...)
}

// WaitEmpty is [Wait] for methods that return google.protobuf.Empty.
func WaitEmpty[M proto.Message](ctx context.Context, c *lro.Client, op GeneratedEmpty[M], opts ...lro.WaitOption) error {
	o, err := EmptyOperation(c, op)
	if err != nil {
		return err
	}
	_, err = o.Wait(ctx, opts...)
	return err
}

// MethodOf returns the method whose operations are of op's type. R and M are
// inferred from the methods of op, which are not called: op may be a nil pointer.
//
//	var CreateInstance = lrogax.MethodOf((*filestore.CreateInstanceOperation)(nil))
//
// [lro.Method.Resume] of it resumes by name or token, [lro.Method.Start] starts
// under one request_id.
//
// The name of the method follows from the name and the package of op's type and
// the linked descriptors. It is empty where these have no such method, as for
// types that protoc-gen-go_gapic did not generate, or several.
func MethodOf[R, M proto.Message](op GeneratedOperation[R, M]) lro.Method[R, M] {
	return lro.Method[R, M]{Name: methodName[R, M](op)}
}

// EmptyMethodOf is [MethodOf] for methods that return google.protobuf.Empty.
func EmptyMethodOf[M proto.Message](op GeneratedEmpty[M]) lro.Method[*emptypb.Empty, M] {
	return lro.Method[*emptypb.Empty, M]{Name: methodName[*emptypb.Empty, M](op)}
}
