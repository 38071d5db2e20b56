package lroext

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/internal/gaxcall"
	"github.com/go-lro/lro/internal/pause"
)

// How long and how often a resource that cannot be got after the end of its
// operation is tried again.
const (
	resourceGrace = 10 * time.Second
	resourcePause = 250 * time.Millisecond
	resourceMost  = 2 * time.Second
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
	var none R
	done, err := op.Wait(ctx, opts...)
	if err != nil {
		return none, err
	}
	begin := time.Now()
	for wait := resourcePause; ; wait = min(2*wait, resourceMost) {
		r, err := get(ctx, done)
		if err == nil {
			return r, nil
		}
		code := codeOf(err)
		if code != codes.NotFound && code != codes.Unavailable || time.Since(begin)+wait > resourceGrace || pause.For(ctx, wait) != nil {
			return none, fmt.Errorf("get what operation %q made: %w", op.Name(), err)
		}
	}
}

// codeOf returns the code of an error of a client, over REST or not.
func codeOf(err error) codes.Code {
	if code := status.Code(err); code != codes.Unknown {
		return code
	}
	return status.Code(gaxcall.Transport{REST: true}.Failure(err, nil))
}
