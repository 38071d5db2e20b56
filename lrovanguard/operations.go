package lrovanguard

import (
	"context"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/go-lro/lro/lropb"
)

// operations is the service behind a client, as a server.
type operations struct {
	longrunningpb.UnimplementedOperationsServer
	client longrunningpb.OperationsClient
}

func (o operations) GetOperation(ctx context.Context, req *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error) {
	return o.client.GetOperation(ctx, req)
}

func (o operations) ListOperations(ctx context.Context, req *longrunningpb.ListOperationsRequest) (*longrunningpb.ListOperationsResponse, error) {
	return o.client.ListOperations(ctx, req)
}

func (o operations) CancelOperation(ctx context.Context, req *longrunningpb.CancelOperationRequest) (*emptypb.Empty, error) {
	return o.client.CancelOperation(ctx, req)
}

func (o operations) DeleteOperation(ctx context.Context, req *longrunningpb.DeleteOperationRequest) (*emptypb.Empty, error) {
	return o.client.DeleteOperation(ctx, req)
}

func (o operations) WaitOperation(ctx context.Context, req *longrunningpb.WaitOperationRequest) (*longrunningpb.Operation, error) {
	return o.client.WaitOperation(ctx, req)
}

// starter is the same for lro.v1.Starter.
type starter struct {
	lropb.UnimplementedStarterServer
	client lropb.StarterClient
}

func (s starter) StartOperation(ctx context.Context, req *lropb.StartOperationRequest) (*longrunningpb.Operation, error) {
	return s.client.StartOperation(ctx, req)
}

func (s starter) ListKinds(ctx context.Context, req *lropb.ListKindsRequest) (*lropb.ListKindsResponse, error) {
	return s.client.ListKinds(ctx, req)
}
