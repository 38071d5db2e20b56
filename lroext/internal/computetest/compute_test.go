package computetest

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	compute "cloud.google.com/go/compute/apiv1"
	"cloud.google.com/go/compute/apiv1/computepb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/lroext"
	"github.com/go-lro/lro/lrotest"
)

// insert is the request whose operation is zonal.
func insert() *computepb.InsertInstanceRequest {
	return &computepb.InsertInstanceRequest{Project: "p", Zone: "z", InstanceResource: &computepb.Instance{Name: new("vm")}}
}

// created is the last state of that operation.
func created() *computepb.Operation {
	return &computepb.Operation{
		OperationType: new("insert"),
		TargetLink:    new("https://www.googleapis.com/compute/v1/projects/p/zones/z/instances/vm"),
	}
}

// An operation that a generated method returned is waited for in one line, by
// Compute's Wait, and what it made is got.
func TestInsert(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGoogle(t)
		half := created()
		half.Progress = proto.Int32(50)
		script := g.Add(zonal, lrotest.Running(half).For(50*time.Second), lrotest.Succeeded(nil))
		g.starts("POST /compute/v1/projects/p/zones/z/instances", script)
		missing := 2
		g.mux.HandleFunc("GET /compute/v1/projects/p/zones/z/instances/vm", func(w http.ResponseWriter, _ *http.Request) {
			if missing--; missing >= 0 {
				http.Error(w, `{"error": {"code": 404, "message": "not yet"}}`, http.StatusNotFound)
				return
			}
			_, _ = w.Write(must(protojson.Marshal(&computepb.Instance{Name: new("vm")})))
		})
		instances := must(compute.NewInstancesRESTClient(t.Context(), g.opts...))
		client := g.client(t)

		started := must(instances.Insert(t.Context(), insert()))
		op := must(lroext.Operation(client, started))
		if m, ok := op.Metadata(); op.Name() != zonal || !ok || m.GetProgress() != 50 {
			t.Errorf("operation %q with %v, want %q with progress 50", op.Name(), m, zonal)
		}
		begin := time.Now()
		instance, err := lroext.Resource(t.Context(), op, func(ctx context.Context, done *computepb.Operation) (*computepb.Instance, error) {
			return instances.Get(ctx, &computepb.GetInstanceRequest{Project: "p", Zone: "z", Instance: "vm"})
		})
		if err != nil || instance.GetName() != "vm" {
			t.Errorf("Resource = %v, %v, want the instance", instance, err)
		}
		if took := time.Since(begin); took > 52*time.Second {
			t.Errorf("took %v, want about 50 s and the pauses before the instance", took)
		}
		if n := len(script.Calls(lrotest.WaitOperation)); n != 2 {
			t.Errorf("%d calls of Wait, want 2", n)
		}
		if c := script.Calls()[0]; len(c.Metadata.Get("x-goog-request-params")) != 1 || strings.Contains(c.Metadata.Get("x-goog-request-params")[0], "name=") {
			t.Errorf("routing headers %q, want the generated one alone", c.Metadata.Get("x-goog-request-params"))
		}
		other := must(lroext.Resume[*computepb.Operation](client, op.Token()))
		if done, err := other.Wait(t.Context()); err != nil || done.GetStatus() != computepb.Operation_DONE {
			t.Errorf("Wait of a resumed operation = %v, %v", done, err)
		}
	})
}

// The RPC's name follows from the operation's type and target.
func TestMethodOf(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		"zones/z/instances/vm":       "Instances.Insert",
		"zones/z/disks/d":            "Disks.Insert",
		"regions/r/disks/d":          "RegionDisks.Insert",
		"regions/r/addresses/a":      "Addresses.Insert",
		"global/addresses/a":         "GlobalAddresses.Insert",
		"global/backendServices/b":   "BackendServices.Insert",
		"regions/r/backendServices/": "RegionBackendServices.Insert",
		"global/nothings/n":          "",
		"x":                          "",
	} {
		if want != "" {
			want = "google.cloud.compute.v1." + want
		}
		m := lroext.MethodOf(&computepb.Operation{OperationType: new("insert"), TargetLink: new("https://www.googleapis.com/compute/v1/projects/p/" + target)})
		if m.Name != want {
			t.Errorf("MethodOf(%s).Name = %q, want %q", target, m.Name, want)
		}
		if _, err := m.Resume(lro.NewClient(lroext.Service()), zonal); err != nil {
			t.Error(err)
		}
	}
}

// Each of the four services is called for the names of its scope, and an
// organization's operation with its parent.
func TestScopes(t *testing.T) {
	t.Parallel()
	for _, name := range []string{zonal, "projects/p/regions/r/operations/x", "projects/p/global/operations/x", "projects/example.com:p/global/operations/x", org} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := newGoogle(t)
				script := g.Add(name, lrotest.Running(nil).For(time.Minute), lrotest.Succeeded(nil))
				client := g.client(t)
				op := must(lroext.Resume[*computepb.Operation](client, name))
				if _, err := op.Wait(t.Context()); err != nil {
					t.Fatal(err)
				}
				if waits := len(script.Calls(lrotest.WaitOperation)) > 0; waits != (name != org) {
					t.Errorf("long polls: %v", waits)
				}
				for op, err := range client.List(t.Context(), &longrunningpb.ListOperationsRequest{Name: strings.TrimSuffix(name, "/operations/x")}) {
					if name != org && (err != nil || op.GetName() != name) {
						t.Errorf("List: %v, %v", op, err)
					}
				}
				if err := op.Delete(t.Context()); err != nil {
					t.Fatal(err)
				}
				if _, err := client.Get(t.Context(), name); status.Code(err) != codes.NotFound {
					t.Errorf("Get after Delete: %v, want NOT_FOUND", err)
				}
			})
		})
	}
}

func TestListPages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGoogle(t)
		for _, id := range []string{"a", "b", "c"} {
			g.Add("projects/p/zones/z/operations/" + id)
		}
		var names []string
		for op, err := range g.client(t).List(t.Context(), &longrunningpb.ListOperationsRequest{Name: "projects/p/zones/z", PageSize: 2}) {
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, op.GetName())
		}
		if want := []string{"projects/p/zones/z/operations/a", "projects/p/zones/z/operations/b", "projects/p/zones/z/operations/c"}; !slices.Equal(names, want) {
			t.Errorf("names %q, want %q", names, want)
		}
		if n := len(g.Calls(lrotest.ListOperations)); n != 2 {
			t.Errorf("%d calls, want 2", n)
		}
	})
}

// AggregatedList of Compute's own client: the operations of a project in all its
// scopes.
func TestListAggregated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGoogle(t)
		want := []string{"projects/p/global/operations/a", "projects/p/regions/r/operations/b", "projects/p/zones/y/operations/c", "projects/p/zones/z/operations/d"}
		for _, name := range want {
			g.Add(name)
		}
		g.Add("projects/q/zones/z/operations/e")
		var names []string
		for op, err := range g.client(t).List(t.Context(), &longrunningpb.ListOperationsRequest{Name: "projects/p", PageSize: 3}) {
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, op.GetName())
		}
		if slices.Sort(names); !slices.Equal(names, want) {
			t.Errorf("names %q, want %q", names, want)
		}
	})
}

// The parent of an organization's operation comes from the request that
// started it, where that has one, and else from the caller; its link lacks it.
func TestParent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGoogle(t)
		g.starts("POST /compute/v1/locations/global/firewallPolicies", g.Add(org, lrotest.Running(nil).For(time.Minute), lrotest.Succeeded(nil)))
		policies := must(compute.NewFirewallPoliciesRESTClient(t.Context(), g.opts...))
		client := g.client(t)
		req := &computepb.InsertFirewallPolicyRequest{ParentId: new("organizations/1"), FirewallPolicyResource: &computepb.FirewallPolicy{}}
		started := must(policies.Insert(t.Context(), req))
		for what, op := range map[string]*lro.Operation[*computepb.Operation, *computepb.Operation]{
			"StartedBy": must(lroext.Operation(client, started, lroext.StartedBy(req))),
			"InParent":  must(lroext.Operation(client, started, lroext.InParent("organizations/1"))),
			"Start":     must(lroext.Start(t.Context(), client, policies.Insert, req)),
		} {
			if op.Name() != org {
				t.Errorf("%s: name %q, want %q", what, op.Name(), org)
			}
			if _, err := must(lroext.Resume[*computepb.Operation](client, op.Token())).Wait(t.Context()); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}

// Without links, the caller or the request says where an operation is.
func TestWithoutLinks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGoogle(t)
		g.mux.HandleFunc("POST /compute/v1/projects/p/zones/z/instances", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"name": "x", "status": "RUNNING"}`))
		})
		g.Add(zonal, lrotest.Succeeded(nil))
		instances := must(compute.NewInstancesRESTClient(t.Context(), g.opts...))
		client := g.client(t)
		started := must(instances.Insert(t.Context(), insert()))
		if _, err := lroext.Operation(client, started); err == nil || !strings.Contains(err.Error(), "lroext.In") {
			t.Errorf("Operation: %v, want an error that says what to give", err)
		}
		for _, opt := range []lroext.Option{lroext.In("projects/p/zones/z"), lroext.StartedBy(insert())} {
			if op, err := lroext.Operation(client, started, opt); err != nil || op.Name() != zonal {
				t.Errorf("Operation: %v, %v, want %q", op, err, zonal)
			}
		}
		if done, err := must(lroext.PollOperation(started)).Wait(t.Context()); err != nil || done.GetName() != "x" {
			t.Errorf("PollOperation: %v, %v", done, err)
		}
	})
}

// PollOperation waits by the generated operation's own Poll, which returns an
// error both for an operation that failed and for one that could not be got.
func TestPollOperation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGoogle(t)
		script := g.Add(zonal, lrotest.Running(nil), lrotest.PollError(codes.Internal, "oops").Times(2), lrotest.PollError(codes.Unavailable, "away").Times(3),
			lrotest.Running(nil), lrotest.Failed(codes.PermissionDenied, "no", &computepb.Errors{Code: new("FORBIDDEN"), Message: new("m")}))
		g.starts("POST /compute/v1/projects/p/zones/z/instances", script)
		instances := must(compute.NewInstancesRESTClient(t.Context(), g.opts...))
		op := must(lroext.PollOperation(must(instances.Insert(t.Context(), insert()))))
		_, err := op.Wait(t.Context())
		failed, ok := errors.AsType[*lro.OperationError](err)
		if !ok || failed.Code() != codes.PermissionDenied || failed.Message() != "FORBIDDEN: m" {
			t.Errorf("Wait: %v, want the operation's own error", err)
		}
		if left := script.Unused(); len(left) > 0 {
			t.Errorf("steps not played: %v", left)
		}
	})
}

// What Compute's own Wait takes for a success, or loses, is an error with its
// details. For comparison the generated operation is waited for too.
func TestErrors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGoogle(t)
		failed := created()
		failed.Error = &computepb.Error{Errors: []*computepb.Errors{{Code: new("ZONE_RESOURCE_POOL_EXHAUSTED"), Message: new("no room")}}}
		script := g.Add(zonal, lrotest.Succeeded(failed))
		g.starts("POST /compute/v1/projects/p/zones/z/instances", script)
		instances := must(compute.NewInstancesRESTClient(t.Context(), g.opts...))
		started := must(instances.Insert(t.Context(), insert()))
		if err := started.Wait(t.Context()); err != nil {
			t.Errorf("the generated Wait: %v; it used to return nil for errors without a code", err)
		}
		client := g.client(t)
		_, err := lroext.Wait(t.Context(), client, started)
		if _, ok := errors.AsType[*lro.OperationError](err); !ok || !strings.Contains(err.Error(), "ZONE_RESOURCE_POOL_EXHAUSTED: no room") {
			t.Errorf("Wait: %v, want the error of the operation", err)
		}
		if entry, ok := lro.Detail[*computepb.Errors](err); !ok || entry.GetMessage() != "no room" {
			t.Errorf("detail %v", entry)
		}
		if info, ok := lro.Detail[*errdetails.ErrorInfo](err); !ok || info.GetReason() != "ZONE_RESOURCE_POOL_EXHAUSTED" || info.GetDomain() != "compute.googleapis.com" {
			t.Errorf("ErrorInfo %v", info)
		}
	})
}
