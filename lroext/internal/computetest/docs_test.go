package computetest

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	compute "cloud.google.com/go/compute/apiv1"
	"cloud.google.com/go/compute/apiv1/computepb"
	"google.golang.org/api/option"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/lroext"
	"github.com/go-lro/lro/lrotest"
)

// The functions of this file are the code of docs/compute.md.

func createBefore(ctx context.Context, instances *compute.InstancesClient, req *computepb.InsertInstanceRequest) error {
	op, err := instances.Insert(ctx, req)
	if err != nil {
		return err
	}
	return op.Wait(ctx)
}

func createAfter(ctx context.Context, client *lro.Client, instances *compute.InstancesClient, req *computepb.InsertInstanceRequest) error {
	op, err := instances.Insert(ctx, req)
	if err != nil {
		return err
	}
	_, err = lroext.Wait(ctx, client, op)
	return err
}

func operationsOf(ctx context.Context, opts ...option.ClientOption) (*lro.Client, error) {
	zones, err := compute.NewZoneOperationsRESTClient(ctx, opts...)
	if err != nil {
		return nil, err
	}
	globals, err := compute.NewGlobalOperationsRESTClient(ctx, opts...)
	if err != nil {
		return nil, err
	}
	return lro.NewClient(lroext.Service(lroext.ScopeOf(zones), lroext.ScopeOf(globals))), nil
}

func overHTTP(authorized *http.Client) (*lro.Client, error) {
	service, err := lroext.NewHTTPService[*computepb.Operation]("https://compute.googleapis.com/compute/v1", authorized)
	if err != nil {
		return nil, err
	}
	return lro.NewClient(service), nil
}

// create starts an instance once, waits for it, and returns it.
func create(ctx context.Context, client *lro.Client, instances *compute.InstancesClient, req *computepb.InsertInstanceRequest) (*computepb.Instance, error) {
	op, err := lroext.Start(ctx, client, instances.Insert, req)
	if err != nil {
		return nil, err
	}
	return lroext.Resource(ctx, op, func(ctx context.Context, done *computepb.Operation) (*computepb.Instance, error) {
		return instances.Get(ctx, &computepb.GetInstanceRequest{Project: req.GetProject(), Zone: req.GetZone(), Instance: req.GetInstanceResource().GetName()})
	})
}

func waitElsewhere(ctx context.Context, client *lro.Client, link string) (*computepb.Operation, error) {
	op, err := lroext.Resume[*computepb.Operation](client, link)
	if err != nil {
		return nil, err
	}
	return op.Wait(ctx)
}

// reason returns why an operation failed, such as "QUOTA_EXCEEDED".
func reason(err error) string {
	if _, ok := errors.AsType[*lro.OperationError](err); !ok {
		return "" // it may still run
	}
	entry, _ := lro.Detail[*computepb.Errors](err)
	return entry.GetCode()
}

func TestDocs(t *testing.T) {
	t.Parallel()
	if _, err := overHTTP(nil); err != nil {
		t.Error(err)
	}
	for name, f := range map[string]func(context.Context, *lro.Client, *compute.InstancesClient) error{
		"before": func(ctx context.Context, _ *lro.Client, instances *compute.InstancesClient) error {
			return createBefore(ctx, instances, insert())
		},
		"after": func(ctx context.Context, client *lro.Client, instances *compute.InstancesClient) error {
			return createAfter(ctx, client, instances, insert())
		},
		"create": func(ctx context.Context, client *lro.Client, instances *compute.InstancesClient) error {
			instance, err := create(ctx, client, instances, insert())
			if err == nil && instance.GetName() != "vm" {
				t.Errorf("create returned %v", instance)
			}
			return err
		},
		"elsewhere": func(ctx context.Context, client *lro.Client, _ *compute.InstancesClient) error {
			_, err := waitElsewhere(ctx, client, "https://www.googleapis.com/compute/v1/"+zonal)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := newGoogle(t)
				script := g.Add(zonal, lrotest.Running(nil).For(time.Minute), lrotest.Succeeded(nil))
				g.starts("POST /compute/v1/projects/p/zones/z/instances", script)
				g.mux.HandleFunc("GET /compute/v1/projects/p/zones/z/instances/vm", func(w http.ResponseWriter, _ *http.Request) {
					_, _ = w.Write(must(protojson.Marshal(&computepb.Instance{Name: new("vm")})))
				})
				instances := must(compute.NewInstancesRESTClient(t.Context(), g.opts...))
				client := must(operationsOf(t.Context(), g.opts...))
				if err := f(t.Context(), client, instances); err != nil {
					t.Error(err)
				}
				script.Play(lrotest.Failed(codes.PermissionDenied, "no", &computepb.Errors{Code: new("QUOTA_EXCEEDED"), Message: new("m")}))
				err := f(t.Context(), client, instances)
				if err == nil {
					t.Fatal("a failed operation is no error")
				}
				if got := reason(err); name != "before" && got != "QUOTA_EXCEEDED" {
					t.Errorf("reason of %v: %q", err, got)
				}
			})
		})
	}
}

// The one shown in docs/compute.md and docs/testing.md.
func TestCreate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var srv lrotest.Server
		mux := http.NewServeMux()
		mux.Handle("/compute/", lrotest.NewComputeHandler(&srv))
		mux.HandleFunc("POST /compute/v1/projects/p/zones/z/instances", func(w http.ResponseWriter, r *http.Request) {
			lrotest.WriteCompute(w, srv.Add("projects/p/zones/z/operations/create",
				lrotest.Running(nil).For(10*time.Minute),
				lrotest.Failed(codes.ResourceExhausted, "Quota 'CPUS' exceeded.", &computepb.Errors{Code: new("QUOTA_EXCEEDED"), Message: new("m")})))
		})
		web := lrotest.NewHTTPServer(mux)
		defer web.Close()
		opts := []option.ClientOption{option.WithEndpoint(web.URL), option.WithHTTPClient(web.Client())}

		instances, err := compute.NewInstancesRESTClient(t.Context(), opts...)
		if err != nil {
			t.Fatal(err)
		}
		client, err := operationsOf(t.Context(), opts...)
		if err != nil {
			t.Fatal(err)
		}
		_, err = create(t.Context(), client, instances, &computepb.InsertInstanceRequest{Project: "p", Zone: "z"})
		if got := reason(err); got != "QUOTA_EXCEEDED" {
			t.Errorf("reason of %v: %q, want QUOTA_EXCEEDED", err, got)
		}
	})
}
