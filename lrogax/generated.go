package lrogax

import (
	"context"
	"reflect"

	lroauto "cloud.google.com/go/longrunning/autogen"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/internal/gaxcall"
)

// GeneratedClient is a generated client that can get operations, as nearly all
// those of cloud.google.com/go can.
type GeneratedClient interface {
	GetOperation(context.Context, *longrunningpb.GetOperationRequest, ...gax.CallOption) (*longrunningpb.Operation, error)
}

// What a generated client may offer beside [GeneratedClient].
type (
	gaxCanceller interface {
		CancelOperation(context.Context, *longrunningpb.CancelOperationRequest, ...gax.CallOption) error
	}
	gaxDeleter interface {
		DeleteOperation(context.Context, *longrunningpb.DeleteOperationRequest, ...gax.CallOption) error
	}
	gaxWaiter interface {
		WaitOperation(context.Context, *longrunningpb.WaitOperationRequest, ...gax.CallOption) (*longrunningpb.Operation, error)
	}
)

// Service makes a service for [lro.NewClient] of a generated client itself, such
// as a *filestore.CloudFilestoreManagerClient, over gRPC and over REST.
//
// GetOperation, WaitOperation, CancelOperation and DeleteOperation are the
// client's own methods. What it lacks of the last two, and ListOperations, goes
// through its field LROClient over gRPC. Over REST that field is nil, and these
// methods are UNIMPLEMENTED.
//
// The client must stay open while the service is used; its owner closes it.
// Service makes no call and does not fail: every call of a service made of nil
// fails with FAILED_PRECONDITION. The service is safe for concurrent use.
func Service(c GeneratedClient) lro.Service {
	if operations, ok := c.(*lroauto.OperationsClient); ok {
		return New(operations) // its WaitOperation is wrong over REST
	}
	if v := reflect.ValueOf(c); c == nil || v.Kind() == reflect.Pointer && v.IsNil() {
		return noClient{}
	}
	s := clientService{client: c}
	s.canceller, _ = c.(gaxCanceller)
	s.deleter, _ = c.(gaxDeleter)
	if conn, ok := c.(interface{ Connection() *grpc.ClientConn }); ok {
		s.REST = conn.Connection() == nil
	}
	if operations := lroClientOf(c); operations != nil {
		s.operations = New(operations)
		if s.canceller == nil {
			s.canceller = operations
		}
		if s.deleter == nil {
			s.deleter = operations
		}
	}
	if w, ok := c.(gaxWaiter); ok {
		return &waitingClientService{s, w}
	}
	return &s
}

// lroClientOf returns the field LROClient of a generated client, or nil.
func lroClientOf(c GeneratedClient) *lroauto.OperationsClient {
	v := reflect.Indirect(reflect.ValueOf(c))
	if v.Kind() != reflect.Struct {
		return nil
	}
	f, ok := v.Type().FieldByName("LROClient")
	if !ok {
		return nil
	}
	field, err := v.FieldByIndexErr(f.Index) // fails in an embedded pointer that is nil
	if err != nil || !field.CanInterface() {
		return nil
	}
	operations, _ := field.Interface().(*lroauto.OperationsClient)
	return operations
}

// clientService calls a generated client. What may be nil it lacks.
type clientService struct {
	gaxcall.Transport
	client     GeneratedClient
	canceller  gaxCanceller
	deleter    gaxDeleter
	operations lro.Service // of its LROClient
}

// waitingClientService has WaitOperation too.
type waitingClientService struct {
	clientService
	waiter gaxWaiter
}

func (s *clientService) GetOperation(ctx context.Context, req *longrunningpb.GetOperationRequest, opts ...grpc.CallOption) (*longrunningpb.Operation, error) {
	op, err := s.client.GetOperation(s.Outgoing(ctx, gaxcall.Routing(req.GetName())), req, s.Options(opts, "")...)
	return op, s.Failure(err, opts)
}

func (s *waitingClientService) WaitOperation(ctx context.Context, req *longrunningpb.WaitOperationRequest, opts ...grpc.CallOption) (*longrunningpb.Operation, error) {
	op, err := s.waiter.WaitOperation(s.Outgoing(ctx, gaxcall.Routing(req.GetName())), req, s.Options(opts, "")...)
	return op, s.Failure(err, opts)
}

func (s *clientService) CancelOperation(ctx context.Context, req *longrunningpb.CancelOperationRequest, opts ...grpc.CallOption) (*emptypb.Empty, error) {
	if s.canceller == nil {
		return nil, s.lacks("CancelOperation")
	}
	err := s.canceller.CancelOperation(s.Outgoing(ctx, gaxcall.Routing(req.GetName())), req, s.Options(opts, "")...)
	return &emptypb.Empty{}, s.Failure(err, opts)
}

func (s *clientService) DeleteOperation(ctx context.Context, req *longrunningpb.DeleteOperationRequest, opts ...grpc.CallOption) (*emptypb.Empty, error) {
	if s.deleter == nil {
		return nil, s.lacks("DeleteOperation")
	}
	err := s.deleter.DeleteOperation(s.Outgoing(ctx, gaxcall.Routing(req.GetName())), req, s.Options(opts, "")...)
	return &emptypb.Empty{}, s.Failure(err, opts)
}

func (s *clientService) ListOperations(ctx context.Context, req *longrunningpb.ListOperationsRequest, opts ...grpc.CallOption) (*longrunningpb.ListOperationsResponse, error) {
	l, ok := s.operations.(interface {
		ListOperations(context.Context, *longrunningpb.ListOperationsRequest, ...grpc.CallOption) (*longrunningpb.ListOperationsResponse, error)
	})
	if !ok {
		return nil, s.lacks("ListOperations")
	}
	return l.ListOperations(ctx, req, opts...)
}

func (s *clientService) lacks(method string) error {
	return status.Errorf(codes.Unimplemented, "lrogax: a %T cannot call %s: use package lrohttp for it", s.client, method)
}
