package lrotest

import (
	"context"
	"slices"
	"sync"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
)

// Stub returns a client stub that calls the server directly, on the caller's
// goroutine and without a transport:
//
//	client := lro.NewClient(srv.Stub())
//
// Outgoing metadata, headers, trailers and errors pass as they would over gRPC,
// and no message is shared. Call options other than grpc.Header and
// grpc.Trailer are ignored.
func (s *Server) Stub() longrunningpb.OperationsClient { return stub{s} }

type stub struct{ srv *Server }

func (s stub) GetOperation(ctx context.Context, req *longrunningpb.GetOperationRequest, opts ...grpc.CallOption) (*longrunningpb.Operation, error) {
	return invoke(ctx, GetOperation, s.srv.GetOperation, req, opts)
}

func (s stub) WaitOperation(ctx context.Context, req *longrunningpb.WaitOperationRequest, opts ...grpc.CallOption) (*longrunningpb.Operation, error) {
	return invoke(ctx, WaitOperation, s.srv.WaitOperation, req, opts)
}

func (s stub) CancelOperation(ctx context.Context, req *longrunningpb.CancelOperationRequest, opts ...grpc.CallOption) (*emptypb.Empty, error) {
	return invoke(ctx, CancelOperation, s.srv.CancelOperation, req, opts)
}

func (s stub) DeleteOperation(ctx context.Context, req *longrunningpb.DeleteOperationRequest, opts ...grpc.CallOption) (*emptypb.Empty, error) {
	return invoke(ctx, DeleteOperation, s.srv.DeleteOperation, req, opts)
}

func (s stub) ListOperations(ctx context.Context, req *longrunningpb.ListOperationsRequest, opts ...grpc.CallOption) (*longrunningpb.ListOperationsResponse, error) {
	return invoke(ctx, ListOperations, s.srv.ListOperations, req, opts)
}

// invoke calls a method of a server the way gRPC would.
func invoke[Req, Resp proto.Message](ctx context.Context, rpc RPC, method func(context.Context, Req) (Resp, error), req Req, opts []grpc.CallOption) (Resp, error) {
	var none Resp
	if err := ctx.Err(); err != nil {
		return none, status.FromContextError(err).Err()
	}
	stream := &directStream{method: "/google.longrunning.Operations/" + rpc.String()}
	md, _ := metadata.FromOutgoingContext(ctx)
	serverCtx := metadata.NewIncomingContext(metadata.NewOutgoingContext(ctx, nil), md)
	serverCtx = grpc.NewContextWithServerTransportStream(serverCtx, stream)
	resp, err := method(serverCtx, req)
	stream.fill(opts)
	if ctxErr := ctx.Err(); ctxErr != nil {
		return none, status.FromContextError(ctxErr).Err()
	}
	if err != nil {
		st, ok := status.FromError(err)
		if !ok {
			st = status.FromContextError(err) // Unknown unless it is such a one
		}
		return none, st.Err()
	}
	return resp, nil
}

// directStream collects what a server sends beside its answer.
type directStream struct {
	method string

	mu              sync.Mutex
	header, trailer metadata.MD
}

// Method, SetHeader, SendHeader and SetTrailer make it a
// grpc.ServerTransportStream.
func (s *directStream) Method() string { return s.method }

func (s *directStream) SetHeader(md metadata.MD) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.header = metadata.Join(s.header, md)
	return nil
}

func (s *directStream) SendHeader(md metadata.MD) error { return s.SetHeader(md) }

func (s *directStream) SetTrailer(md metadata.MD) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trailer = metadata.Join(s.trailer, md)
	return nil
}

// fill hands over what was collected to those of the options that ask for it.
func (s *directStream) fill(opts []grpc.CallOption) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, opt := range slices.Backward(opts) {
		switch opt := opt.(type) {
		case grpc.HeaderCallOption:
			*opt.HeaderAddr = s.header
		case grpc.TrailerCallOption:
			*opt.TrailerAddr = s.trailer
		}
	}
}
