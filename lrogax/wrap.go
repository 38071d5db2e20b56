package lrogax

import (
	"context"
	"errors"
	"fmt"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/googleapis/gax-go/v2"
	"github.com/googleapis/gax-go/v2/apierror"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/go-lro/lro"
)

// Generated is what the methods of generated clients return for an operation
// with metadata of type M, such as a
// *filestore.CreateInstanceOperation. It also has a method Poll, whose form
// depends on the response.
type Generated[M proto.Message] interface {
	Name() string
	Done() bool
	// Metadata returns nil and nil when there is none.
	Metadata() (M, error)
}

var errNilOperation = errors.New("wrap generated operation: it is nil")

// Wrap makes an operation of what a generated method returned, like
// [lro.Method.Wrap]; see [Proto] for its errors. It makes no call. c must be of
// the same service; [New] makes one.
func Wrap[R, M proto.Message](m lro.Method[R, M], c *lro.Client, op Generated[M]) (*lro.Operation[R, M], error) {
	p, err := Proto(m, op)
	if err != nil {
		return nil, err
	}
	return m.Wrap(c, p)
}

// Proto returns the message behind what a generated method returned. It makes
// no call. Generated operations are not safe for concurrent use: op must not be
// in use elsewhere.
//
// Metadata that is not an M is left out, and a done operation whose result is
// not an R, or an error of code 0, counts as running: the first poll brings both
// as the service sends them.
//
// It fails when op is nil, and when op is an operation of another method, whose
// response is not an R.
func Proto[R, M proto.Message](_ lro.Method[R, M], op Generated[M]) (*longrunningpb.Operation, error) {
	if op == nil {
		return nil, errNilOperation
	}
	p := &longrunningpb.Operation{Name: op.Name()}
	poll, err := pollOf[R](op)
	if err != nil {
		return nil, fmt.Errorf("wrap generated operation %q: %w", p.GetName(), err)
	}
	setMetadata(p, op)
	if !op.Done() {
		return p, nil
	}
	// It makes no call for a done operation.
	response, err := poll(context.Background())
	if err := setResult(p, response, err); err != nil && p.GetName() == "" {
		return nil, fmt.Errorf("wrap generated operation: %w", err)
	}
	return p, nil
}

// pollFunc is the method Poll of a generated operation.
type pollFunc func(context.Context, ...gax.CallOption) (proto.Message, error)

// pollOf returns op's method Poll. Where the response is google.protobuf.Empty
// the generated one returns an error only.
func pollOf[R proto.Message](op any) (pollFunc, error) {
	switch p := op.(type) {
	case interface {
		Poll(context.Context, ...gax.CallOption) (R, error)
	}:
		return func(ctx context.Context, opts ...gax.CallOption) (proto.Message, error) { return p.Poll(ctx, opts...) }, nil
	case interface {
		Poll(context.Context, ...gax.CallOption) error
	}:
		var r R
		if _, ok := any(r).(*emptypb.Empty); ok {
			return func(ctx context.Context, opts ...gax.CallOption) (proto.Message, error) {
				return &emptypb.Empty{}, p.Poll(ctx, opts...)
			}, nil
		}
	}
	var r R
	return nil, fmt.Errorf("a %T has no response of type %T", op, r)
}

// setMetadata gives p the metadata of op that can be read.
func setMetadata[M proto.Message](p *longrunningpb.Operation, op Generated[M]) {
	m, err := op.Metadata()
	if err != nil || !m.ProtoReflect().IsValid() {
		return
	}
	if packed, err := anypb.New(m); err == nil {
		p.Metadata = packed
	}
}

// setResult makes p a done operation with what Poll returned, unless that says
// nothing about the operation.
func setResult(p *longrunningpb.Operation, response proto.Message, err error) error {
	if failed, ok := errors.AsType[*apierror.APIError](err); ok && failed != nil {
		p.Done, p.Result = true, &longrunningpb.Operation_Error{Error: failed.GRPCStatus().Proto()}
		return nil
	} else if ok && p.GetName() != "" {
		return nil // an error of code 0, whose message is lost: a poll brings it
	} else if ok {
		p.Done, p.Result = true, &longrunningpb.Operation_Error{Error: &spb.Status{Code: int32(codes.Unknown), Message: "an error of code 0"}}
		return nil
	}
	if err != nil {
		return fmt.Errorf("read result: %w", err)
	}
	packed, err := anypb.New(response)
	if err != nil {
		return fmt.Errorf("encode result: %w", err)
	}
	p.Done, p.Result = true, &longrunningpb.Operation_Response{Response: packed}
	return nil
}
