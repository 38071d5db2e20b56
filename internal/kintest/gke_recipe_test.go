package kintest

import (
	"context"

	container "cloud.google.com/go/container/apiv1"
	"cloud.google.com/go/container/apiv1/containerpb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/lroext"
)

// The recipe of docs/kin.md for GKE.

//lint:file-ignore SA1019 Failures may be in the deprecated status_message alone.

// gkeService has the operations of GKE, by names projects/*/locations/*/operations/*.
type gkeService struct {
	*container.ClusterManagerClient
}

func (s gkeService) GetOperation(ctx context.Context, req *longrunningpb.GetOperationRequest, opts ...grpc.CallOption) (*longrunningpb.Operation, error) {
	op, err := s.ClusterManagerClient.GetOperation(ctx, &containerpb.GetOperationRequest{Name: req.GetName()}, gax.WithRetry(nil), gax.WithGRPCOptions(opts...))
	if err != nil {
		return nil, err
	}
	return gkeState(req.GetName(), op)
}

func (s gkeService) CancelOperation(ctx context.Context, req *longrunningpb.CancelOperationRequest, opts ...grpc.CallOption) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, s.ClusterManagerClient.CancelOperation(ctx, &containerpb.CancelOperationRequest{Name: req.GetName()}, gax.WithGRPCOptions(opts...))
}

func gkeState(name string, op *containerpb.Operation) (*longrunningpb.Operation, error) {
	packed, err := anypb.New(op)
	state := &longrunningpb.Operation{Name: name, Metadata: packed, Done: op.GetStatus() == containerpb.Operation_DONE}
	switch {
	case !state.Done: // ABORTING still runs
	case op.GetError() != nil:
		state.Result = &longrunningpb.Operation_Error{Error: op.GetError()}
	case op.GetStatusMessage() != "":
		state.Result = &longrunningpb.Operation_Error{Error: status.New(codes.Unknown, op.GetStatusMessage()).Proto()}
	default:
		state.Result = &longrunningpb.Operation_Response{Response: packed}
	}
	return state, err
}

var gkeMethod lro.Method[*containerpb.Operation, *containerpb.Operation]

func createCluster(ctx context.Context, client *lro.Client, clusters *container.ClusterManagerClient, req *containerpb.CreateClusterRequest) (*containerpb.Cluster, error) {
	started, err := clusters.CreateCluster(ctx, req)
	if err != nil {
		return nil, err
	}
	state, err := gkeState(req.GetParent()+"/operations/"+started.GetName(), started)
	if err != nil {
		return nil, err
	}
	op, err := gkeMethod.Wrap(client, state)
	if err != nil {
		return nil, err
	}
	return lroext.Resource(ctx, op, func(ctx context.Context, _ *containerpb.Operation) (*containerpb.Cluster, error) {
		return clusters.GetCluster(ctx, &containerpb.GetClusterRequest{Name: req.GetParent() + "/clusters/" + req.GetCluster().GetName()})
	})
}
