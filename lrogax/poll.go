package lrogax

import (
	"context"
	"errors"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/api/googleapi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/internal/gaxcall"
)

// PollService makes a service of the operations of one method, for generated
// REST clients that have no GetOperation, which [Service] needs. named is the
// client's method that makes an operation of a name:
//
//	client := lro.NewClient(lrogax.PollService(instances.CreateInstanceOperation))
//
// Operations are got by the generated operation's own Poll, with its retry and
// timeout switched off. The service has no other method, and other methods'
// operations need services of their own. A result that is not an R ends the wait
// with an error that is no [*lro.ResultError]: the generated code does not keep it.
//
// PollService makes no call. The service is safe for concurrent use.
func PollService[R, M proto.Message, W GeneratedOperation[R, M]](named func(name string) W) lro.Service {
	return pollService[R, M](func(name string) Generated[M] { return named(name) })
}

// EmptyPollService is [PollService] for methods that return
// google.protobuf.Empty.
func EmptyPollService[M proto.Message, W GeneratedEmpty[M]](named func(name string) W) lro.Service {
	return pollService[*emptypb.Empty, M](func(name string) Generated[M] { return named(name) })
}

type pollService[R, M proto.Message] func(name string) Generated[M]

func (named pollService[R, M]) GetOperation(ctx context.Context, req *longrunningpb.GetOperationRequest, opts ...grpc.CallOption) (*longrunningpb.Operation, error) {
	op := named(req.GetName())
	poll, err := pollOf[R](op)
	if err != nil {
		return nil, err
	}
	var t gaxcall.Transport
	response, err := poll(t.Outgoing(ctx, gaxcall.Routing(req.GetName())), t.Options(opts, "")...)
	if err != nil && !op.Done() {
		_, http := errors.AsType[*googleapi.Error](err)
		_, known := status.FromError(err)
		t.REST = http || !known
		return nil, t.Failure(err, opts)
	}
	p := &longrunningpb.Operation{}
	setMetadata(p, op)
	if op.Done() {
		if err := setResult(p, response, err); err != nil {
			return nil, permanentError{err}
		}
	}
	p.Name = op.Name() // only now: setResult leaves to a later poll what it cannot read of an operation with a name
	return p, nil
}

// permanentError is an error that another poll would bring again.
type permanentError struct{ error }

func (e permanentError) Unwrap() error   { return e.error }
func (e permanentError) Permanent() bool { return true }
