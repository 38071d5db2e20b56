package computetest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	compute "cloud.google.com/go/compute/apiv1"
	"cloud.google.com/go/compute/apiv1/computepb"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/lroext"
	"github.com/go-lro/lro/lrotest"
)

// Operations of all scopes are one group of one client.
func TestGroup(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGoogle(t)
		client := g.client(t)
		var ops []*lro.Operation[*computepb.Operation, *computepb.Operation]
		for i, name := range []string{zonal, "projects/p/regions/r/operations/x", "projects/p/global/operations/x", org} {
			g.Add(name, lrotest.Running(nil).For(time.Duration(i+1)*time.Minute), lrotest.Succeeded(nil))
			ops = append(ops, must(lroext.Resume[*computepb.Operation](client, name)))
		}
		done := 0
		for op, err := range lro.GroupOf(ops...).Completed(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if _, err := op.Result(); err != nil {
				t.Error(err)
			}
			done++
		}
		if done != len(ops) {
			t.Errorf("%d operations are done, want %d", done, len(ops))
		}
	})
}

// However many goroutines wait, there is one wait; with the generated operation's
// own Poll, which is not safe for concurrent use, too.
func TestOneWait(t *testing.T) {
	t.Parallel()
	for name, connect := range map[string]func(*lro.Client, *compute.Operation) (*lro.Operation[*computepb.Operation, *computepb.Operation], error){
		"client": func(c *lro.Client, op *compute.Operation) (*lro.Operation[*computepb.Operation, *computepb.Operation], error) {
			return lroext.Operation(c, op)
		},
		"poll": func(_ *lro.Client, op *compute.Operation) (*lro.Operation[*computepb.Operation, *computepb.Operation], error) {
			return lroext.PollOperation(op)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := newGoogle(t)
				script := g.Add(zonal, lrotest.Running(nil).For(time.Minute), lrotest.Succeeded(nil))
				g.starts("POST /compute/v1/projects/p/zones/z/instances", script)
				instances := must(compute.NewInstancesRESTClient(t.Context(), g.opts...))
				op := must(connect(g.client(t), must(instances.Insert(t.Context(), insert()))))
				var wg sync.WaitGroup
				for range 20 {
					wg.Go(func() {
						if _, err := op.Wait(t.Context()); err != nil {
							t.Error(err)
						}
					})
				}
				for range 4 {
					wg.Go(func() {
						if _, err := op.Poll(t.Context()); err != nil {
							t.Error(err)
						}
					})
				}
				wg.Wait()
				if n := len(script.Calls()); n > 40 {
					t.Errorf("%d calls for 24 callers", n)
				}
			})
		})
	}
}

// What a client has learned of a method makes it poll when its next operation is
// likely to end.
func TestLearned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGoogle(t)
		client := g.client(t, lro.WithLongPolls(0))
		var late []time.Duration
		for i := range 12 {
			name := fmt.Sprintf("projects/p/zones/z/operations/%d", i)
			script := g.Add(name, lrotest.Running(created()).For(time.Minute), lrotest.Succeeded(nil))
			g.mux.HandleFunc(fmt.Sprintf("POST /compute/v1/projects/%d/zones/z/instances", i), func(w http.ResponseWriter, _ *http.Request) { lrotest.WriteCompute(w, script) })
			instances := must(compute.NewInstancesRESTClient(t.Context(), g.opts...))
			req := insert()
			req.Project = fmt.Sprint(i)
			begin := time.Now()
			if _, err := must(lroext.Start(t.Context(), client, instances.Insert, req)).Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			late = append(late, time.Since(begin)-time.Minute)
		}
		if last := late[len(late)-3:]; slices.Max(last) > 2*time.Second {
			t.Errorf("the ends were found %v late, want the last by what was learned", late)
		}
	})
}

// cancelling is a client with a method to cancel.
type cancelling struct {
	*compute.ZoneOperationsClient
	cancelled func(req *computepb.DeleteZoneOperationRequest) error
}

func (c cancelling) Cancel(_ context.Context, req *computepb.DeleteZoneOperationRequest, _ ...gax.CallOption) (*computepb.DeleteZoneOperationResponse, error) {
	return &computepb.DeleteZoneOperationResponse{}, c.cancelled(req)
}

// Cancel is called where a client has it.
func TestCancel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGoogle(t)
		script := g.Add(zonal)
		zones := must(compute.NewZoneOperationsRESTClient(t.Context(), g.opts...))
		client := lro.NewClient(lroext.Service(lroext.ScopeOf(cancelling{zones, func(req *computepb.DeleteZoneOperationRequest) error {
			if req.GetProject() != "p" || req.GetZone() != "z" || req.GetOperation() != "x" {
				t.Errorf("cancel %v, want p, z, x", req)
			}
			script.Play(lrotest.Cancelled())
			return nil
		}})))
		op := must(lroext.Resume[*computepb.Operation](client, zonal))
		_, err := op.CancelAndWait(t.Context())
		if failed, ok := errors.AsType[*lro.OperationError](err); !ok || !failed.Cancelled() {
			t.Errorf("CancelAndWait: %v, want that it was cancelled", err)
		}
	})
}

// Clients that are none make scopes whose calls say why.
func TestWrongClients(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGoogle(t)
		instances := must(compute.NewInstancesRESTClient(t.Context(), g.opts...))
		for name, scope := range map[string]lroext.Scope{
			"nil":       lroext.ScopeOf((*compute.ZoneOperationsClient)(nil)),
			"resources": lroext.ScopeOf(instances),
		} {
			client := lro.NewClient(lroext.Service(scope))
			_, err := client.Get(t.Context(), zonal)
			if status.Code(err) != codes.FailedPrecondition {
				t.Errorf("%s: %v, want FAILED_PRECONDITION", name, err)
			}
		}
		if _, err := lroext.Operation(g.client(t), (*compute.Operation)(nil)); err == nil {
			t.Error("Operation of nil succeeded")
		}
		if _, err := lroext.PollOperation((*compute.Operation)(nil)); err == nil {
			t.Error("PollOperation of nil succeeded")
		}
		if _, err := lroext.Proto(&generated{&computepb.Operation{SelfLink: new("https://x/" + zonal)}}); err == nil {
			t.Error("Proto of an operation without a name succeeded")
		}
	})
}
