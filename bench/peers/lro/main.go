// Lro waits with package lro. Its variants are poll, the defaults, which poll
// where WaitOperation is not served; longpoll, with as many long polls as
// there are operations; learned, the defaults after 20 operations of the same
// kind; and group, one lro.Group for all, with more calls a
// second than by default.
package main

import (
	"context"
	"fmt"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/bench/peers/gopeer"
)

var method = lro.Method[*wrapperspb.StringValue, *wrapperspb.BytesValue]{}

// groupQPS lets a group look at 100,000 operations in 20 seconds; by default it
// would take 200.
const groupQPS = 5000

func main() {
	gopeer.Main(func(f gopeer.Flags, conn *grpc.ClientConn) (gopeer.Peer, error) {
		var opts []lro.ClientOption
		if f.Client == "longpoll" {
			opts = append(opts, lro.WithLongPolls(f.N))
		}
		client := lro.NewClientConn(conn, opts...)
		p := gopeer.Peer{
			Operation: func(started *longrunningpb.Operation) (gopeer.Wait, error) {
				op, err := method.Wrap(client, started)
				if err != nil {
					return nil, err
				}
				return func(ctx context.Context) (*wrapperspb.StringValue, error) { return op.Wait(ctx) }, nil
			},
			Asks: func(started *longrunningpb.Operation) (func(context.Context) error, error) {
				op, err := method.Wrap(client, started)
				if err != nil {
					return nil, err
				}
				return func(ctx context.Context) error {
					_, err := op.Poll(ctx)
					return err
				}, nil
			},
		}
		if f.Client == "learned" {
			p.Warm = 20
		}
		if f.Client == "group" {
			p.Hold = func(ctx context.Context, all []*longrunningpb.Operation, ready func()) error {
				return hold(ctx, client, all, ready)
			}
		}
		return p, nil
	})
}

func hold(ctx context.Context, client *lro.Client, all []*longrunningpb.Operation, ready func()) error {
	group := lro.Group[lro.Handle]{QPS: groupQPS}
	for _, started := range all {
		op, err := method.Wrap(client, started)
		if err != nil {
			return err
		}
		group.Add(op)
	}
	ready()
	for op, err := range group.Completed(ctx) {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("%s ended: %w", op.Name(), err)
	}
	return nil
}
