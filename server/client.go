package server

import (
	"context"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/emptypb"
)

// Client returns a client of the server's operations that calls them in process,
// without a connection. It is an lro.Service, so
//
//	client := lro.NewClient(operations.Client())
//
// waits for operations of the program's own server. [Config].Authorize and
// [Config].Caller apply; interceptors of a gRPC server do not. Authorize and
// Caller get the call's ctx, in which its outgoing metadata has become incoming
// metadata. Call options have no effect.
//
// The client is safe for concurrent use. Operations that it returns are shared and
// must not be modified.
func (s *Server) Client() longrunningpb.OperationsClient {
	return inProcess{s.Operations()}
}

// inProcess calls a service without a connection.
type inProcess struct {
	server longrunningpb.OperationsServer
}

// incoming is ctx as it arrives at the other end of a connection.
func incoming(ctx context.Context) context.Context {
	md, ok := metadata.FromOutgoingContext(ctx)
	if !ok {
		return ctx
	}
	return metadata.NewIncomingContext(ctx, md)
}

func (c inProcess) ListOperations(ctx context.Context, req *longrunningpb.ListOperationsRequest, _ ...grpc.CallOption) (*longrunningpb.ListOperationsResponse, error) {
	return c.server.ListOperations(incoming(ctx), req)
}

func (c inProcess) GetOperation(ctx context.Context, req *longrunningpb.GetOperationRequest, _ ...grpc.CallOption) (*longrunningpb.Operation, error) {
	return c.server.GetOperation(incoming(ctx), req)
}

func (c inProcess) DeleteOperation(ctx context.Context, req *longrunningpb.DeleteOperationRequest, _ ...grpc.CallOption) (*emptypb.Empty, error) {
	return c.server.DeleteOperation(incoming(ctx), req)
}

func (c inProcess) CancelOperation(ctx context.Context, req *longrunningpb.CancelOperationRequest, _ ...grpc.CallOption) (*emptypb.Empty, error) {
	return c.server.CancelOperation(incoming(ctx), req)
}

func (c inProcess) WaitOperation(ctx context.Context, req *longrunningpb.WaitOperationRequest, _ ...grpc.CallOption) (*longrunningpb.Operation, error) {
	return c.server.WaitOperation(incoming(ctx), req)
}
