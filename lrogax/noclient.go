package lrogax

import (
	"context"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// errNoClient is what every call of a service without a client returns.
var errNoClient = status.Error(codes.FailedPrecondition,
	"lrogax: the client is nil, as LROClient of a generated REST client is: give the generated client itself to lrogax.Service")

// noClient is the service of a nil client.
type noClient struct{}

func (noClient) GetOperation(context.Context, *longrunningpb.GetOperationRequest, ...grpc.CallOption) (*longrunningpb.Operation, error) {
	return nil, errNoClient
}

func (noClient) CancelOperation(context.Context, *longrunningpb.CancelOperationRequest, ...grpc.CallOption) (*emptypb.Empty, error) {
	return nil, errNoClient
}

func (noClient) DeleteOperation(context.Context, *longrunningpb.DeleteOperationRequest, ...grpc.CallOption) (*emptypb.Empty, error) {
	return nil, errNoClient
}

func (noClient) ListOperations(context.Context, *longrunningpb.ListOperationsRequest, ...grpc.CallOption) (*longrunningpb.ListOperationsResponse, error) {
	return nil, errNoClient
}
