package kintest

import (
	"context"
	"errors"

	container "cloud.google.com/go/container/apiv1"
	"cloud.google.com/go/container/apiv1/containerpb"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro/lroadapt"
)

// The recipe of docs/kin.md for GKE.

//lint:file-ignore SA1019 Failures may be in the deprecated status_message alone.

// gkeOperations are the operations of GKE, by names projects/*/locations/*/operations/*.
func gkeOperations(c *container.ClusterManagerClient) *lroadapt.Client[*containerpb.Operation, *containerpb.Operation] {
	return lroadapt.NewClient(lroadapt.Source[*containerpb.Operation, *containerpb.Operation]{
		Get: func(ctx context.Context, name string, opts ...grpc.CallOption) (*containerpb.Operation, error) {
			return c.GetOperation(ctx, &containerpb.GetOperationRequest{Name: name}, gax.WithRetry(nil), gax.WithGRPCOptions(opts...))
		},
		Cancel: func(ctx context.Context, name string, opts ...grpc.CallOption) error {
			return c.CancelOperation(ctx, &containerpb.CancelOperationRequest{Name: name}, gax.WithGRPCOptions(opts...))
		},
		State: func(op *containerpb.Operation) lroadapt.State[*containerpb.Operation] {
			s := lroadapt.State[*containerpb.Operation]{Done: op.GetStatus() == containerpb.Operation_DONE, Result: op} // ABORTING still runs
			if op.GetError() != nil {
				s.Err = status.ErrorProto(op.GetError())
			} else if text := op.GetStatusMessage(); text != "" {
				s.Err = errors.New(text)
			}
			return s
		},
	})
}

func createCluster(ctx context.Context, c *container.ClusterManagerClient, req *containerpb.CreateClusterRequest) (*containerpb.Cluster, error) {
	started, err := c.CreateCluster(ctx, req)
	if err != nil {
		return nil, err
	}
	op, err := gkeOperations(c).Wrap(req.GetParent()+"/operations/"+started.GetName(), started)
	if err != nil {
		return nil, err
	}
	return lroadapt.Resource(ctx, op, func(ctx context.Context, _ *containerpb.Operation) (*containerpb.Cluster, error) {
		return c.GetCluster(ctx, &containerpb.GetClusterRequest{Name: req.GetParent() + "/clusters/" + req.GetCluster().GetName()})
	})
}
