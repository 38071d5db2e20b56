package server_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	grpcmd "google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
)

// A program waits for an operation of its own server: no connection, no poll.
func TestClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var methods []string
		k, kinds := one(simKind{}, sleeper)
		r := newRig(t, rigOptions{kinds: kinds, config: server.Config{
			Authorize: func(_ context.Context, a server.Access) error {
				methods = append(methods, a.Method)
				return nil
			},
		}})
		client := lro.NewClient(r.srv.Client())
		started := r.start(t, k, &lropb.SimulateRequest{Echo: "hello", Duration: durationpb.New(10 * time.Second)}, nil)
		method := lro.Method[response, *lropb.OperationMetadata]{}
		op, err := method.Wrap(client, started)
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		got, err := op.Wait(t.Context())
		if err != nil || got.GetEcho() != "hello" || time.Since(begin) != 10*time.Second {
			t.Errorf("Wait = %v, %v after %v, want hello after 10 s", got, err, time.Since(begin))
		}
		if want := []string{"WaitOperation", "GetOperation"}; !slices.Equal(methods, want) {
			t.Errorf("Wait called %v, want %v", methods, want)
		}
		if err := client.Delete(t.Context(), op.Name()); err != nil {
			t.Errorf("Delete = %v", err)
		}
		for op, err := range client.List(t.Context(), &longrunningpb.ListOperationsRequest{Name: "operations"}) {
			t.Errorf("List has %v, %v, want nothing after the deletion", op, err)
		}
		op, err = method.Resume(client, r.start(t, k, &lropb.SimulateRequest{Duration: durationpb.New(time.Hour)}, nil).GetName())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := op.CancelAndWait(t.Context()); !op.Snapshot().Cancelled() {
			t.Errorf("CancelAndWait = %v, want a cancelled operation", err)
		}
	})
}

// The hooks see metadata as they would behind a connection, and values of ctx.
func TestClientHooks(t *testing.T) {
	t.Parallel()
	type key struct{}
	for _, tc := range []struct {
		name string
		ctx  func(ctx context.Context) context.Context
		want string
	}{
		{"outgoing metadata", func(ctx context.Context) context.Context {
			return grpcmd.AppendToOutgoingContext(ctx, "tenant", "acme")
		}, "acme "},
		{"metadata of the caller that is served", func(ctx context.Context) context.Context {
			return grpcmd.NewIncomingContext(ctx, grpcmd.Pairs("tenant", "acme"))
		}, "acme "},
		{"outgoing before incoming", func(ctx context.Context) context.Context {
			ctx = grpcmd.NewIncomingContext(ctx, grpcmd.Pairs("tenant", "other"))
			return grpcmd.AppendToOutgoingContext(ctx, "tenant", "acme")
		}, "acme "},
		{"value", func(ctx context.Context) context.Context { return context.WithValue(ctx, key{}, "admin") }, " admin"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var saw strings.Builder
			r := newRig(t, rigOptions{idle: true, config: server.Config{
				Authorize: func(ctx context.Context, _ server.Access) error {
					md, _ := grpcmd.FromIncomingContext(ctx)
					value, _ := ctx.Value(key{}).(string)
					for _, tenant := range md.Get("tenant") {
						saw.WriteString(tenant)
					}
					saw.WriteString(" " + value)
					return errors.New("no")
				},
			}})
			_, err := r.srv.Client().GetOperation(tc.ctx(t.Context()), &longrunningpb.GetOperationRequest{Name: "operations/x"})
			if status.Code(err) != codes.PermissionDenied || saw.String() != tc.want {
				t.Errorf("GetOperation = %v, and the hook saw %q, want it denied and %q", err, saw.String(), tc.want)
			}
		})
	}
}
