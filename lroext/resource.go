package lroext

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/internal/fetch"
)

// Resource waits for an operation and returns the resource that it made or
// changed, which get fetches with the operation's last state:
//
//	instance, err := lroext.Resource(ctx, op, func(ctx context.Context, done *computepb.Operation) (*computepb.Instance, error) {
//		return instances.Get(ctx, &computepb.GetInstanceRequest{Project: project, Zone: zone, Instance: "vm-1"})
//	})
//
// Right after the end, a replica that lags may not know the resource yet: get is
// repeated for 10 s while it fails with NOT_FOUND or UNAVAILABLE. Every other
// error is returned, and so are those of [lro.Operation.Wait].
func Resource[R any, Op proto.Message](ctx context.Context, op *lro.Operation[Op, Op], get func(ctx context.Context, done Op) (R, error), opts ...lro.WaitOption) (R, error) {
	done, err := op.Wait(ctx, opts...)
	if err != nil {
		var none R
		return none, err
	}
	return fetch.Resource(ctx, op.Name(), func(ctx context.Context) (R, error) { return get(ctx, done) })
}
