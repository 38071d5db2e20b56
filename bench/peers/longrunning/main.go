// Longrunning waits with cloud.google.com/go/longrunning, as the clients that
// Google generates for Go do.
package main

import (
	"context"

	"cloud.google.com/go/longrunning"
	lroauto "cloud.google.com/go/longrunning/autogen"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro/bench/peers/gopeer"
)

func main() {
	gopeer.Main(func(_ gopeer.Flags, conn *grpc.ClientConn) (gopeer.Peer, error) {
		client, err := lroauto.NewOperationsClient(context.Background(), option.WithGRPCConn(conn))
		if err != nil {
			return gopeer.Peer{}, err
		}
		return gopeer.Peer{
			Operation: func(started *longrunningpb.Operation) (gopeer.Wait, error) {
				op := longrunning.InternalNewOperation(client, started)
				return func(ctx context.Context) (*wrapperspb.StringValue, error) {
					var response wrapperspb.StringValue
					if err := op.Wait(ctx, &response); err != nil {
						return nil, err
					}
					return &response, nil
				}, nil
			},
			Asks: func(started *longrunningpb.Operation) (func(context.Context) error, error) {
				op := longrunning.InternalNewOperation(client, started)
				return func(ctx context.Context) error { return op.Poll(ctx, nil) }, nil
			},
		}, nil
	})
}
