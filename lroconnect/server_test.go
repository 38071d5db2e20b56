package lroconnect_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/servertest"
)

var sleep = server.Kind[*durationpb.Duration, *wrapperspb.StringValue, *lropb.OperationMetadata]{Name: "sleep"}

// TestServer starts operations on a server of ours, and waits for, cancels, lists
// and deletes them over each protocol.
func TestServer(t *testing.T) {
	t.Parallel()
	for name, opts := range protocols {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := servertest.Run(t, sleep.Handle(func(ctx context.Context, _ *server.Task[*lropb.OperationMetadata], d *durationpb.Duration) (*wrapperspb.StringValue, error) {
					select {
					case <-ctx.Done():
						return nil, context.Cause(ctx)
					case <-time.After(d.AsDuration()):
						return wrapperspb.String("slept " + d.AsDuration().String()), nil
					}
				}))
				client := lro.NewClient(serve(t, srv.Server().Operations(), name, opts))
				start := func(d time.Duration) *lro.Operation[*wrapperspb.StringValue, *lropb.OperationMetadata] {
					op, err := sleep.Start(t.Context(), srv.Server(), durationpb.New(d), nil)
					if err != nil {
						t.Fatal(err)
					}
					future, err := lro.Method[*wrapperspb.StringValue, *lropb.OperationMetadata]{}.Wrap(client, op)
					if err != nil {
						t.Fatal(err)
					}
					return future
				}

				short, long := start(time.Hour), start(24*time.Hour)
				if got, err := short.Wait(t.Context()); err != nil || got.GetValue() != "slept 1h0m0s" {
					t.Errorf("Wait = %v, %v", got, err)
				}
				if _, err := long.Cancel(t.Context()); err != nil {
					t.Errorf("Cancel: %v", err)
				}
				_, err := long.Wait(t.Context())
				if failed, ok := errors.AsType[*lro.OperationError](err); !ok || failed.Code() != codes.Canceled {
					t.Errorf("Wait after Cancel: got %v, want an OperationError of CANCELLED", err)
				}

				left := 0
				for _, err := range client.List(t.Context(), &longrunningpb.ListOperationsRequest{Name: "operations", PageSize: 1}) {
					if err != nil {
						t.Fatal(err)
					}
					left++
				}
				if left != 2 {
					t.Errorf("List yields %d operations, want 2", left)
				}
				if err := client.Delete(t.Context(), short.Name()); err != nil {
					t.Errorf("Delete: %v", err)
				}
				_, err = client.Get(t.Context(), short.Name())
				if info, _ := lro.Detail[*errdetails.ErrorInfo](err); status.Code(err) != codes.NotFound || info.GetReason() == "" {
					t.Errorf("Get after Delete: got %v, want NOT_FOUND with an ErrorInfo", err)
				}
			})
		})
	}
}
