package extop

import (
	"context"
	"errors"
	"slices"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/go-lro/lro"
)

// NewService makes a service of scopes; see lroext.Service. If any are wrong,
// every call fails with FAILED_PRECONDITION.
func NewService(scopes []*Scope, wrong []error) lro.Service { return &service{scopes, wrong} }

type service struct {
	scopes []*Scope
	wrong  []error // of scopes that are none
}

// find returns the scope of an operation.
func (s *service) find(text string) (*Scope, Name, error) {
	n, err := ParseName(text)
	if err != nil {
		return nil, Name{}, invalid(err)
	}
	sc, err := s.scopeOf(n.Place)
	return sc, n, err
}

func (s *service) scopeOf(p Place) (*Scope, error) {
	if len(s.wrong) > 0 {
		return nil, status.Errorf(codes.FailedPrecondition, "lroext: %v", errors.Join(s.wrong...))
	}
	fields := p.fieldNames()
	i := slices.IndexFunc(s.scopes, func(sc *Scope) bool { return slices.Equal(sc.Fields, fields) })
	if i < 0 {
		return nil, status.Errorf(codes.FailedPrecondition, "lroext: no client for the operations of %s: give lroext.Service the one whose requests have the fields %v", p.Path, fields)
	}
	return s.scopes[i], nil
}

// GetOperation returns the state of an operation.
func (s *service) GetOperation(ctx context.Context, req *longrunningpb.GetOperationRequest, opts ...grpc.CallOption) (*longrunningpb.Operation, error) {
	sc, n, err := s.find(req.GetName())
	if err != nil {
		return nil, err
	}
	return sc.ask(ctx, sc.Get, req.GetName(), n, opts)
}

// ask makes a call for the state of an operation.
func (s *Scope) ask(ctx context.Context, f Call, requested string, n Name, opts []grpc.CallOption) (*longrunningpb.Operation, error) {
	m, err := f(s.Outgoing(ctx, requested), n, opts)
	if err != nil {
		return nil, s.Failure(err, opts)
	}
	if msg := m.ProtoReflect(); !msg.IsValid() || !msg.Has(s.Name) && !msg.Has(s.Status) {
		return nil, status.Errorf(codes.Internal, "the answer is no operation: it has neither a %s nor a %s", s.Name.Name(), s.Status.Name())
	}
	return s.Operation(requested, m)
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
		return sc.ask(ctx, sc.Get, req.GetName(), n, opts)
	}
	waiting := ctx
	if asked != nil {
		var cancel context.CancelFunc
		waiting, cancel = context.WithTimeout(ctx, asked.AsDuration())
		defer cancel()
	}
	op, err := sc.ask(waiting, sc.Wait, req.GetName(), n, opts)
	switch status.Code(err) {
	case codes.Unimplemented, codes.NotFound, codes.PermissionDenied:
		// Either the operation is the cause or the method is: Get tells.
		op, getErr := sc.ask(ctx, sc.Get, req.GetName(), n, opts)
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
	return sc.command(ctx, "CancelOperation", sc.Cancel, req.GetName(), n, opts)
}

// DeleteOperation deletes what is known of an operation.
func (s *service) DeleteOperation(ctx context.Context, req *longrunningpb.DeleteOperationRequest, opts ...grpc.CallOption) (*emptypb.Empty, error) {
	sc, n, err := s.find(req.GetName())
	if err != nil {
		return nil, err
	}
	return sc.command(ctx, "DeleteOperation", sc.Delete, req.GetName(), n, opts)
}

func (s *Scope) command(ctx context.Context, method string, f func(context.Context, Name, []grpc.CallOption) error, requested string, n Name, opts []grpc.CallOption) (*emptypb.Empty, error) {
	if f == nil {
		return nil, s.missing(method)
	}
	if err := f(s.Outgoing(ctx, requested), n, opts); err != nil {
		return nil, s.Failure(err, opts)
	}
	return &emptypb.Empty{}, nil
}

// ListOperations returns a page of the operations of a scope, or of a project in
// all its scopes.
func (s *service) ListOperations(ctx context.Context, req *longrunningpb.ListOperationsRequest, opts ...grpc.CallOption) (*longrunningpb.ListOperationsResponse, error) {
	p, err := parseScope(req.GetName())
	if err != nil {
		return nil, invalid(err)
	}
	sc, err := s.scopeOf(p)
	if err != nil {
		return nil, err
	}
	list := sc.List
	if p.aggregated() {
		list = sc.Aggregated
	}
	if list == nil {
		return nil, sc.missing("ListOperations")
	}
	page, err := list(sc.Outgoing(ctx, req.GetName()), ListRequest{p, req.GetFilter(), req.GetPageToken(), int(req.GetPageSize())}, opts)
	if err != nil {
		return nil, sc.Failure(err, opts)
	}
	resp := &longrunningpb.ListOperationsResponse{NextPageToken: page.Next}
	for _, item := range page.Items {
		n := Name{item.Place, item.Message.ProtoReflect().Get(sc.Name).String()}
		op, err := sc.Operation(n.String(), item.Message)
		if err != nil {
			return nil, err
		}
		resp.Operations = append(resp.Operations, op)
	}
	return resp, nil
}
