package lrogax

import (
	"context"
	"fmt"

	lroauto "cloud.google.com/go/longrunning/autogen"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/internal/gaxcall"
)

// New makes a service for [lro.NewClient] of the LROClient of a generated
// client, or of one that was made by itself. Over gRPC it has all five methods
// of google.longrunning.Operations; over REST all but WaitOperation, which the
// generated code cannot call.
//
// The REST clients of Google's services leave their field LROClient nil. Every
// call of a service made of nil fails with FAILED_PRECONDITION and says what to
// do: give the generated client itself to [Service].
//
// The client must stay open while the service is used; closing it is the
// business of its owner. New makes no call and does not fail. The service is
// safe for concurrent use.
func New(c *lroauto.OperationsClient, opts ...Option) lro.Service {
	if c == nil {
		return noClient{}
	}
	s := &service{client: c}
	for _, opt := range opts {
		opt(s)
	}
	//lint:ignore SA1019 It is deprecated for use, but tells which transport there is: always nil over REST.
	s.REST = c.Connection() == nil
	if s.REST {
		return s
	}
	return &grpcService{*s}
}

// Option sets something of a service made by [New].
type Option func(*service)

// service has the methods that work over both transports.
type service struct {
	gaxcall.Transport
	client *lroauto.OperationsClient
}

// grpcService has WaitOperation too.
type grpcService struct{ service }

func (s *service) GetOperation(ctx context.Context, req *longrunningpb.GetOperationRequest, opts ...grpc.CallOption) (*longrunningpb.Operation, error) {
	ctx = s.Outgoing(ctx, gaxcall.Routing(req.GetName()))
	op, err := s.client.GetOperation(ctx, req, s.Options(opts, req.GetName())...)
	if err != nil {
		return nil, s.Failure(err, opts)
	}
	return op, nil
}

func (s *service) CancelOperation(ctx context.Context, req *longrunningpb.CancelOperationRequest, opts ...grpc.CallOption) (*emptypb.Empty, error) {
	ctx = s.Outgoing(ctx, gaxcall.Routing(req.GetName()))
	err := s.client.CancelOperation(ctx, req, s.Options(opts, req.GetName()+":cancel")...)
	if err != nil {
		return nil, s.Failure(err, opts)
	}
	return &emptypb.Empty{}, nil
}

func (s *service) DeleteOperation(ctx context.Context, req *longrunningpb.DeleteOperationRequest, opts ...grpc.CallOption) (*emptypb.Empty, error) {
	ctx = s.Outgoing(ctx, gaxcall.Routing(req.GetName()))
	err := s.client.DeleteOperation(ctx, req, s.Options(opts, req.GetName())...)
	if err != nil {
		return nil, s.Failure(err, opts)
	}
	return &emptypb.Empty{}, nil
}

// ListOperations returns one page.
func (s *service) ListOperations(ctx context.Context, req *longrunningpb.ListOperationsRequest, opts ...grpc.CallOption) (*longrunningpb.ListOperationsResponse, error) {
	if s.REST {
		return s.listREST(ctx, req, opts)
	}
	ctx = s.Outgoing(ctx, gaxcall.Routing(req.GetName()))
	return fetch(s.client.ListOperations(ctx, req, s.Options(opts, "")...), req)
}

// WaitOperation keeps the routing header of ctx: the generated method has none.
func (s *grpcService) WaitOperation(ctx context.Context, req *longrunningpb.WaitOperationRequest, opts ...grpc.CallOption) (*longrunningpb.Operation, error) {
	return s.client.WaitOperation(ctx, req, s.Options(opts, "")...)
}

// fetch makes the one call for the page that req asks for. The iterator's Next
// would skip empty pages, for ever when a service sends nothing else.
func fetch(it *lroauto.OperationIterator, req *longrunningpb.ListOperationsRequest) (*longrunningpb.ListOperationsResponse, error) {
	if _, _, err := it.InternalFetch(int(req.GetPageSize()), req.GetPageToken()); err != nil {
		return nil, err
	}
	page, ok := it.Response.(*longrunningpb.ListOperationsResponse)
	if !ok {
		return nil, fmt.Errorf("generated ListOperations answered with a %T", it.Response)
	}
	return page, nil
}
