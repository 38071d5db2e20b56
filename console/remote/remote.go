package remote

import (
	"context"
	"errors"
	"sync/atomic"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/go-lro/lro/console"
)

// Service is what the stub of google.longrunning.Operations has.
// CancelOperation, DeleteOperation and ListOperations, with the signatures that
// longrunningpb.OperationsClient gives them, are used where the value has them.
type Service interface {
	GetOperation(ctx context.Context, req *longrunningpb.GetOperationRequest, opts ...grpc.CallOption) (*longrunningpb.Operation, error)
}

// What a service may offer beside [Service].
type (
	lister interface {
		ListOperations(ctx context.Context, req *longrunningpb.ListOperationsRequest, opts ...grpc.CallOption) (*longrunningpb.ListOperationsResponse, error)
	}
	canceller interface {
		CancelOperation(ctx context.Context, req *longrunningpb.CancelOperationRequest, opts ...grpc.CallOption) (*emptypb.Empty, error)
	}
	deleter interface {
		DeleteOperation(ctx context.Context, req *longrunningpb.DeleteOperationRequest, opts ...grpc.CallOption) (*emptypb.Empty, error)
	}
)

// Config selects what a source shows. The zero value is usable.
type Config struct {
	// Parent is the name in ListOperations requests: the parent resource, its
	// collection of operations, or what the service requires. Many require
	// "operations" or a name like "projects/p/locations/l". Servers made with
	// package server list all parents for "-". May be empty.
	Parent string
}

// Source is a [console.Source]. It is safe for concurrent use.
type Source struct {
	service Service
	parent  string
	states  atomic.Int32 // what is known of filters by state
}

// Values of Source.states.
const (
	notAsked = iota
	statesKnown
	statesUnknown
)

var _ interface {
	console.Source
	console.StateFilterer
} = (*Source)(nil)

// New returns a source of the operations of a service. It makes no call, and
// fails when service is nil.
func New(service Service, c Config) (*Source, error) {
	if service == nil {
		return nil, errors.New("new source: service is nil")
	}
	return &Source{service: service, parent: c.Parent}, nil
}

// List implements [console.Source].
func (s *Source) List(ctx context.Context, q console.Query) (console.Page, error) {
	service, ok := s.service.(lister)
	if !ok {
		return console.Page{}, errLacks("list")
	}
	resp, err := service.ListOperations(ctx, &longrunningpb.ListOperationsRequest{
		Name: s.parent, Filter: q.Filter, PageSize: int32(q.PageSize), PageToken: q.PageToken,
	})
	if err != nil {
		return console.Page{}, err
	}
	page := console.Page{Next: resp.GetNextPageToken()}
	for _, op := range resp.GetOperations() {
		if op != nil {
			page.Operations = append(page.Operations, console.Operation{Message: op})
		}
	}
	return page, nil
}

// Get implements [console.Source].
func (s *Source) Get(ctx context.Context, name string) (console.Operation, error) {
	op, err := s.service.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: name})
	if err != nil {
		return console.Operation{}, err
	}
	if op == nil {
		return console.Operation{}, status.Error(codes.Internal, "the service answered without an operation")
	}
	if op.GetName() == "" { // some leave it out
		op = proto.CloneOf(op)
		op.Name = name
	}
	return console.Operation{Message: op}, nil
}

// Cancel implements [console.Source].
func (s *Source) Cancel(ctx context.Context, name string) error {
	service, ok := s.service.(canceller)
	if !ok {
		return errLacks("cancel")
	}
	_, err := service.CancelOperation(ctx, &longrunningpb.CancelOperationRequest{Name: name})
	return err
}

// Delete implements [console.Source].
func (s *Source) Delete(ctx context.Context, name string) error {
	service, ok := s.service.(deleter)
	if !ok {
		return errLacks("delete")
	}
	_, err := service.DeleteOperation(ctx, &longrunningpb.DeleteOperationRequest{Name: name})
	return err
}

// FiltersState implements [console.StateFilterer]. It finds out by a call: a
// service that supports the field refuses a state that does not exist, and one
// that ignores filters does not. The result is kept.
func (s *Source) FiltersState(ctx context.Context) bool {
	if known := s.states.Load(); known != notAsked {
		return known == statesKnown
	}
	_, wrong := s.List(ctx, console.Query{Filter: "state = NO_SUCH_STATE", PageSize: 1})
	if !told(wrong) {
		return false
	}
	_, right := s.List(ctx, console.Query{Filter: "state = RUNNING", PageSize: 1})
	if !told(right) {
		return false
	}
	if wrong != nil && right == nil {
		s.states.Store(statesKnown)
		return true
	}
	s.states.Store(statesUnknown)
	return false
}

// told reports whether err is an answer about the request, and not about the
// connection or the moment.
func told(err error) bool {
	switch status.Code(err) {
	case codes.OK, codes.InvalidArgument, codes.Unimplemented:
		return true
	}
	return false
}

func errLacks(what string) error {
	return status.Errorf(codes.Unimplemented, "this client cannot %s operations", what)
}
