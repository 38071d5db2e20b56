package kintest

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	container "cloud.google.com/go/container/apiv1"
	"cloud.google.com/go/container/apiv1/containerpb"
	"google.golang.org/api/option"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/internal/progress"
	"github.com/go-lro/lro/lrotest"
)

//lint:file-ignore SA1019 Failures may be in the deprecated status_message alone.

const (
	gkeParent    = "projects/p/locations/us-central1"
	gkeOperation = gkeParent + "/operations/operation-17"
)

// fakeGKE answers as GKE does: operations have bare IDs as names.
type fakeGKE struct {
	containerpb.UnimplementedClusterManagerServer
	script     *script
	cancelled  atomic.Pointer[string] // name that was cancelled
	noStatus   bool                   // failures are in status_message alone
	percentage int64
}

func (f *fakeGKE) operation(a answer) *containerpb.Operation {
	op := &containerpb.Operation{
		Name: "operation-17", OperationType: containerpb.Operation_CREATE_CLUSTER, Status: containerpb.Operation_RUNNING,
		Progress: &containerpb.OperationProgress{Metrics: []*containerpb.OperationProgress_Metric{
			{Name: "percent done", Value: &containerpb.OperationProgress_Metric_IntValue{IntValue: f.percentage}},
		}},
	}
	if f.cancelled.Load() != nil {
		op.Status = containerpb.Operation_ABORTING
	}
	switch a {
	case succeeded:
		op.Status = containerpb.Operation_DONE
	case failed:
		op.Status = containerpb.Operation_DONE
		op.StatusMessage = "Insufficient quota."
		if !f.noStatus {
			op.Error = &spb.Status{Code: int32(codes.ResourceExhausted), Message: op.StatusMessage}
		}
	}
	return op
}

func (f *fakeGKE) CreateCluster(context.Context, *containerpb.CreateClusterRequest) (*containerpb.Operation, error) {
	return f.operation(running), nil
}

func (f *fakeGKE) GetOperation(_ context.Context, req *containerpb.GetOperationRequest) (*containerpb.Operation, error) {
	f.percentage += 10
	switch a := f.script.next(req.GetName()); a {
	case unavailable, lost:
		return nil, status.Error(codes.Unavailable, "try again")
	case denied:
		return nil, status.Error(codes.PermissionDenied, "no container.operations.get")
	default:
		return f.operation(a), nil
	}
}

func (f *fakeGKE) CancelOperation(_ context.Context, req *containerpb.CancelOperationRequest) (*emptypb.Empty, error) {
	name := req.GetName()
	f.cancelled.Store(&name)
	return &emptypb.Empty{}, nil
}

func (f *fakeGKE) GetCluster(_ context.Context, req *containerpb.GetClusterRequest) (*containerpb.Cluster, error) {
	return &containerpb.Cluster{Name: req.GetName()}, nil
}

// dialGKE returns GKE's own client of a fake.
func dialGKE(t *testing.T, fake containerpb.ClusterManagerServer) *container.ClusterManagerClient {
	t.Helper()
	var srv lrotest.Server
	conn := srv.Dial(func(r grpc.ServiceRegistrar) { containerpb.RegisterClusterManagerServer(r, fake) })
	t.Cleanup(func() { conn.Close() })
	return must(container.NewClusterManagerClient(t.Context(), option.WithGRPCConn(conn.ClientConn())))
}

func TestGKE(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		noStatus bool
		code     codes.Code
	}{
		"error":          {false, codes.ResourceExhausted},
		"status message": {true, codes.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := expected{gkeOperation, gkeParent + "/clusters/c", tt.code, "Insufficient quota."}
			testRecipe(t, want, func(t *testing.T, s *script) recipe {
				clusters := dialGKE(t, &fakeGKE{script: s, noStatus: tt.noStatus})
				client := gkeOperations(clusters)
				return recipe{
					start: func(ctx context.Context) (string, error) {
						cluster, err := createCluster(ctx, clusters, &containerpb.CreateClusterRequest{
							Parent: gkeParent, Cluster: &containerpb.Cluster{Name: "c"},
						})
						return cluster.GetName(), err
					},
					resume: func(ctx context.Context, name string) (string, error) {
						op, err := client.Resume(name)
						if err != nil {
							return "", err
						}
						done, err := op.Wait(ctx)
						if done.GetName() != "operation-17" || done.GetStatus() != containerpb.Operation_DONE {
							t.Errorf("the result is %v, want the operation", done)
						}
						return want.result, err
					},
				}
			})
		})
	}
}

// An operation that is being cancelled still runs, until it is DONE.
func TestGKECancel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := &fakeGKE{script: &script{steps: []answer{running, running, running, failed}}}
		op := must(gkeOperations(dialGKE(t, fake)).Resume(gkeOperation))
		if _, err := op.Poll(t.Context()); err != nil || op.Done() {
			t.Fatalf("before: done %t, %v", op.Done(), err)
		}
		if _, err := op.Cancel(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := fake.cancelled.Load(); got == nil || *got != gkeOperation {
			t.Fatalf("cancelled %v, want %q", got, gkeOperation)
		}
		if _, err := op.Poll(t.Context()); err != nil || op.Done() {
			t.Errorf("ABORTING: done %t, %v, want that it runs", op.Done(), err)
		}
		if meta, ok := op.Metadata(); !ok || meta.GetStatus() != containerpb.Operation_ABORTING {
			t.Errorf("metadata %v, want ABORTING", meta)
		}
		_, err := op.Wait(t.Context())
		if _, ok := errors.AsType[*lro.OperationError](err); !ok {
			t.Errorf("got %v, want an OperationError", err)
		}
	})
}

func TestGKEProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := &fakeGKE{script: &script{steps: []answer{running, running, succeeded}}}
		op := must(gkeOperations(dialGKE(t, fake)).Resume(gkeOperation))
		var last int64
		for state, err := range op.Progress(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range state.GetProgress().GetMetrics() {
				if m.GetIntValue() <= last {
					t.Errorf("percent done: %d after %d", m.GetIntValue(), last)
				}
				last = m.GetIntValue()
			}
			if got := progress.Of(state.ProtoReflect()).Percent; got != float64(last) {
				t.Errorf("found %v percent, want %d", got, last)
			}
			time.Sleep(time.Second)
		}
		if last != 30 {
			t.Errorf("the last state has %d percent, want 30", last)
		}
	})
}
