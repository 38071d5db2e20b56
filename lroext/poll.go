package lroext

import (
	"context"
	"fmt"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/internal/extop"
	"github.com/go-lro/lro/internal/gaxcall"
)

// PollOperation makes an operation of what a generated method returned and gets
// its state by the generated operation's own Poll, so that no client is needed:
//
//	op, err := lroext.PollOperation(started)
//
// The operation is polled, without long polls, and cannot be cancelled or deleted.
// Its name and token can be resumed with a client of [Service]; if its message has
// no links, its name is the bare ID, which cannot be resumed. Each operation has
// an [lro.Client] of its own, made with opts, so that nothing is learned from
// others.
//
// PollOperation fails if op is nil or no extended operation. op is not safe for
// concurrent use and must not be used elsewhere meanwhile.
func PollOperation[Op proto.Message](op Generated[Op], opts ...lro.ClientOption) (*lro.Operation[Op, Op], error) {
	m, r, err := messageOf(op)
	if err != nil {
		return nil, err
	}
	id := m.Get(r.Name).String()
	if n, err := nameOf(r, m, nil); err == nil {
		id = n.String()
	}
	if id == "" {
		return nil, fmt.Errorf("wrap extended operation: it has no name")
	}
	p, err := r.Operation(id, m.Interface())
	if err != nil {
		return nil, err
	}
	service := &polled[Op]{op: op, Roles: r, name: id, free: make(chan struct{}, 1)}
	return MethodOf(op.Proto()).Wrap(lro.NewClient(service, opts...), p)
}

// polled is the service of one generated operation.
type polled[Op proto.Message] struct {
	extop.Roles
	op   Generated[Op]
	name string
	free chan struct{} // has an element while op is in use
}

// GetOperation calls Poll, whose error says either that the operation has failed
// or that it could not be got. It has replaced the message in the first case.
func (s *polled[Op]) GetOperation(ctx context.Context, req *longrunningpb.GetOperationRequest, opts ...grpc.CallOption) (*longrunningpb.Operation, error) {
	if req.GetName() != s.name {
		return nil, status.Errorf(codes.InvalidArgument, "lroext: this client knows only the operation %q: make one of lroext.Service for others", s.name)
	}
	select {
	case s.free <- struct{}{}:
		defer func() { <-s.free }()
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	transport := gaxcall.Transport{REST: true}
	before := any(s.op.Proto())
	err := s.op.Poll(transport.Outgoing(ctx, gaxcall.Routing(s.name)), transport.Options(opts, "")...)
	if err != nil && any(s.op.Proto()) == before {
		return nil, transport.Failure(err, opts)
	}
	return s.Operation(s.name, s.op.Proto())
}
