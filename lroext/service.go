package lroext

import (
	"context"
	"errors"
	"slices"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/internal/gaxcall"
)

// Service makes a service for [lro.NewClient] of the clients of operations:
//
//	client := lro.NewClient(lroext.Service(lroext.ScopeOf(zones), lroext.ScopeOf(regions), lroext.ScopeOf(globals)))
//
// The name of an operation, see [Name], selects the scope. A call for an operation
// of another scope fails with FAILED_PRECONDITION and names the fields of the
// client that is missing.
//
// WaitOperation calls the client's Wait and gives it up after the requested time,
// since Compute's Wait takes no timeout and returns within 2 minutes.
// DeleteOperation, CancelOperation and ListOperations call Delete, Cancel and
// List, and are UNIMPLEMENTED if the client has no such method; Compute's clients
// have no Cancel. The name in a ListOperations request is a scope, such as
// "projects/p/zones/z".
//
// The retry and the timeout of the generated methods are switched off, since
// [lro.Policy] decides about both. Service makes no call and does not fail. The
// service is safe for concurrent use.
func Service(scopes ...Scope) lro.Service {
	s := &service{}
	for _, one := range scopes {
		if one.scope == nil {
			err := one.err
			if err == nil {
				err = errors.New("a scope is the zero value: use ScopeOf")
			}
			s.wrong = append(s.wrong, err)
			continue
		}
		s.scopes = append(s.scopes, one.scope)
	}
	return s
}

type service struct {
	scopes []*scope
	wrong  []error // of scopes that are none
}

// find returns the scope of an operation.
func (s *service) find(text string) (*scope, name, error) {
	n, err := parseName(text)
	if err != nil {
		return nil, name{}, invalid(err)
	}
	sc, err := s.scopeOf(n.place)
	return sc, n, err
}

func (s *service) scopeOf(p place) (*scope, error) {
	if len(s.wrong) > 0 {
		return nil, status.Errorf(codes.FailedPrecondition, "lroext: %v", errors.Join(s.wrong...))
	}
	fields := p.fieldNames()
	i := slices.IndexFunc(s.scopes, func(sc *scope) bool { return slices.Equal(sc.fields, fields) })
	if i < 0 {
		return nil, status.Errorf(codes.FailedPrecondition, "lroext: no client for the operations of %s: give lroext.Service the one whose requests have the fields %v", p.path, fields)
	}
	return s.scopes[i], nil
}

// GetOperation returns the state of an operation.
func (s *service) GetOperation(ctx context.Context, req *longrunningpb.GetOperationRequest, opts ...grpc.CallOption) (*longrunningpb.Operation, error) {
	sc, n, err := s.find(req.GetName())
	if err != nil {
		return nil, err
	}
	return sc.ask(ctx, sc.get, req.GetName(), n, opts)
}

// ask makes a call for the state of an operation.
func (s *scope) ask(ctx context.Context, f call, requested string, n name, opts []grpc.CallOption) (*longrunningpb.Operation, error) {
	m, err := f(s.transport.Outgoing(ctx, gaxcall.Routing(requested)), n, opts)
	if err != nil {
		return nil, s.transport.Failure(err, opts)
	}
	if msg := m.ProtoReflect(); !msg.IsValid() || !msg.Has(s.name) && !msg.Has(s.status) {
		return nil, status.Errorf(codes.Internal, "the answer is no operation: it has neither a %s nor a %s", s.name.Name(), s.status.Name())
	}
	return s.operation(requested, m)
}

// WaitsFor reports whether the operation's client has Wait.
func (s *service) WaitsFor(name string) bool {
	sc, _, err := s.find(name)
	return err == nil && sc.waits()
}

// WaitOperation returns the state when the operation is done, and otherwise
// DEADLINE_EXCEEDED after the time that req asks for, upon which callers get the
// state: Compute's Wait does not take a time. Where there is no Wait it returns the
// state at once, which is no error in AIP-151: a wrapper of the service may hide
// WaitsFor, and UNIMPLEMENTED would end the long polls of all its operations.
func (s *service) WaitOperation(ctx context.Context, req *longrunningpb.WaitOperationRequest, opts ...grpc.CallOption) (*longrunningpb.Operation, error) {
	sc, n, err := s.find(req.GetName())
	if err != nil {
		return nil, err
	}
	asked := req.GetTimeout()
	if !sc.waits() || asked != nil && asked.AsDuration() <= 0 {
		return sc.ask(ctx, sc.get, req.GetName(), n, opts)
	}
	waiting := ctx
	if asked != nil {
		var cancel context.CancelFunc
		waiting, cancel = context.WithTimeout(ctx, asked.AsDuration())
		defer cancel()
	}
	op, err := sc.ask(waiting, sc.wait, req.GetName(), n, opts)
	switch status.Code(err) {
	case codes.Unimplemented, codes.NotFound, codes.PermissionDenied:
		// Either the operation is the cause or the method is: Get tells.
		op, getErr := sc.ask(ctx, sc.get, req.GetName(), n, opts)
		if getErr != nil {
			return nil, getErr
		}
		sc.noWaitBefore.Store(time.Now().Add(waitPause).UnixNano())
		return op, nil
	}
	return op, err
}

// CancelOperation cancels an operation, where its client can.
func (s *service) CancelOperation(ctx context.Context, req *longrunningpb.CancelOperationRequest, opts ...grpc.CallOption) (*emptypb.Empty, error) {
	sc, n, err := s.find(req.GetName())
	if err != nil {
		return nil, err
	}
	return sc.command(ctx, "CancelOperation", sc.cancel, req.GetName(), n, opts)
}

// DeleteOperation deletes what is known of an operation.
func (s *service) DeleteOperation(ctx context.Context, req *longrunningpb.DeleteOperationRequest, opts ...grpc.CallOption) (*emptypb.Empty, error) {
	sc, n, err := s.find(req.GetName())
	if err != nil {
		return nil, err
	}
	return sc.command(ctx, "DeleteOperation", sc.delete, req.GetName(), n, opts)
}

func (s *scope) command(ctx context.Context, method string, f func(context.Context, name, []grpc.CallOption) error, requested string, n name, opts []grpc.CallOption) (*emptypb.Empty, error) {
	if f == nil {
		return nil, s.missing(method)
	}
	if err := f(s.transport.Outgoing(ctx, gaxcall.Routing(requested)), n, opts); err != nil {
		return nil, s.transport.Failure(err, opts)
	}
	return &emptypb.Empty{}, nil
}

// listRequest asks for a page of the operations of a place.
type listRequest struct {
	place
	filter, token string
	size          int
}

// listed is a page.
type listed struct {
	operations []proto.Message
	next       string
}

// ListOperations returns a page of the operations of a scope.
func (s *service) ListOperations(ctx context.Context, req *longrunningpb.ListOperationsRequest, opts ...grpc.CallOption) (*longrunningpb.ListOperationsResponse, error) {
	p, err := parsePlace(req.GetName())
	if err != nil {
		return nil, invalid(err)
	}
	sc, err := s.scopeOf(p)
	if err != nil {
		return nil, err
	}
	if sc.list == nil {
		return nil, sc.missing("ListOperations")
	}
	ctx = sc.transport.Outgoing(ctx, gaxcall.Routing(req.GetName()))
	page, err := sc.list(ctx, listRequest{p, req.GetFilter(), req.GetPageToken(), int(req.GetPageSize())}, opts)
	if err != nil {
		return nil, sc.transport.Failure(err, opts)
	}
	resp := &longrunningpb.ListOperationsResponse{NextPageToken: page.next}
	for _, m := range page.operations {
		n := name{p, m.ProtoReflect().Get(sc.name).String()}
		op, err := sc.operation(n.String(), m)
		if err != nil {
			return nil, err
		}
		resp.Operations = append(resp.Operations, op)
	}
	return resp, nil
}
