package server

import (
	"context"
	"fmt"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/go-lro/lro/server/engine"
)

// operations is google.longrunning.Operations over a server.
type operations struct {
	longrunningpb.UnimplementedOperationsServer
	s *Server
}

// GetOperation returns the latest state of an operation.
func (o operations) GetOperation(ctx context.Context, req *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error) {
	rec, err := o.s.get(ctx, req.GetName())
	if err != nil {
		return nil, err
	}
	if o.s.keeps { // else no later read returns rec
		return o.s.keptView(rec), nil
	}
	return o.s.buildView(rec), nil
}

func (s *Server) get(ctx context.Context, name string) (*engine.Record, error) {
	if err := s.admit(ctx, "GetOperation", name); err != nil {
		return nil, err
	}
	rec, err := s.engine.Get(ctx, name)
	if err != nil {
		return nil, s.engineError(ctx, name, err)
	}
	return rec, nil
}

// CancelOperation asks an operation to stop. To cancel one that has ended does
// nothing, unless [Config].Strict is set.
func (o operations) CancelOperation(ctx context.Context, req *longrunningpb.CancelOperationRequest) (*emptypb.Empty, error) {
	name := req.GetName()
	if err := o.s.admit(ctx, "CancelOperation", name); err != nil {
		return nil, err
	}
	if o.s.config.Strict {
		if err := o.s.requireRunning(ctx, name); err != nil {
			return nil, err
		}
	}
	if _, err := o.s.engine.Cancel(ctx, name); err != nil {
		return nil, o.s.engineError(ctx, name, err)
	}
	return &emptypb.Empty{}, nil
}

// DeleteOperation hides an operation. One that has not ended continues unseen,
// unless [Config].Strict is set or the engine cannot do that.
func (o operations) DeleteOperation(ctx context.Context, req *longrunningpb.DeleteOperationRequest) (*emptypb.Empty, error) {
	name := req.GetName()
	if err := o.s.admit(ctx, "DeleteOperation", name); err != nil {
		return nil, err
	}
	if o.s.config.Strict {
		if err := o.s.requireEnded(ctx, name); err != nil {
			return nil, err
		}
	}
	if err := o.s.engine.Delete(ctx, name); err != nil {
		return nil, o.s.engineError(ctx, name, err)
	}
	return &emptypb.Empty{}, nil
}

// admit checks the form of an operation's name and then whether the caller may
// call method with it.
func (s *Server) admit(ctx context.Context, method, name string) error {
	if err := checkName(name); err != nil {
		return s.faults.invalid("name", reasonInvalidName, name, "name %v", err)
	}
	return s.authorize(ctx, Access{Method: method, Name: name})
}

func (s *Server) authorize(ctx context.Context, a Access) error {
	if s.config.Authorize == nil {
		return nil
	}
	err := s.config.Authorize(ctx, a)
	if err == nil {
		return nil
	}
	if hasStatus(err) {
		return s.faults.completed(err, reasonDenied)
	}
	s.logger.InfoContext(ctx, "permission denied", "method", a.Method, "name", a.Name, "kind", a.Kind, "error", err)
	return s.faults.make(fault{
		code: codes.PermissionDenied, reason: reasonDenied,
		message: fmt.Sprintf("permission to call %s on %q denied, or it does not exist", a.Method, a.Name),
		values:  map[string]string{"method": a.Method, "name": a.Name},
	})
}

func (s *Server) requireRunning(ctx context.Context, name string) error {
	rec, err := s.engine.Get(ctx, name)
	if err != nil {
		return s.engineError(ctx, name, err)
	}
	if !rec.State.Terminal() {
		return nil
	}
	return s.faults.make(fault{
		code: codes.FailedPrecondition, reason: reasonEnded,
		message: fmt.Sprintf("operation %q is already done: %s", name, rec.State),
		values:  map[string]string{"name": name, "state": rec.State.String()},
	})
}

func (s *Server) requireEnded(ctx context.Context, name string) error {
	rec, err := s.engine.Get(ctx, name)
	if err != nil {
		return s.engineError(ctx, name, err)
	}
	if rec.State.Terminal() {
		return nil
	}
	return s.engineError(ctx, name, engine.ErrNotTerminal)
}
