package computetest

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"

	compute "cloud.google.com/go/compute/apiv1"
	"cloud.google.com/go/compute/apiv1/computepb"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/genproto/googleapis/cloud/extendedops"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/lroext"
	"github.com/go-lro/lro/lrotest"
)

// A start whose answers are lost is repeated with the same request_id, and its
// operation knows its method.
func TestStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGoogle(t)
		script := g.Add(zonal, lrotest.Succeeded(nil))
		var ids []string
		g.mux.HandleFunc("POST /compute/v1/projects/p/zones/z/instances", func(w http.ResponseWriter, r *http.Request) {
			if ids = append(ids, r.URL.Query().Get("requestId")); len(ids) < 3 {
				w.Header().Set("Retry-After", "5")
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			lrotest.WriteCompute(w, script)
		})
		instances := must(compute.NewInstancesRESTClient(t.Context(), g.opts...))
		var recorded lro.Started
		client := g.client(t, lro.WithObserver(&lro.Observer{Started: func(_ context.Context, s lro.Started) any { recorded = s; return nil }}))
		req := insert()
		op, err := lroext.Start(t.Context(), client, instances.Insert, req)
		if err != nil {
			t.Fatal(err)
		}
		if len(ids) != 3 || ids[0] == "" || ids[1] != ids[0] || ids[2] != ids[0] {
			t.Errorf("request IDs %q, want the same 3 times", ids)
		}
		if req.RequestId != nil {
			t.Error("the request was modified")
		}
		if op.Name() != zonal || recorded.Method != "google.cloud.compute.v1.Instances.Insert" || recorded.RequestID != ids[0] {
			t.Errorf("started %q: %+v", op.Name(), recorded)
		}
		if _, err := op.Wait(t.Context()); err != nil {
			t.Error(err)
		}

		ids = ids[:2]
		req.RequestId = new("mine")
		if _, err := lroext.Start(t.Context(), client, instances.Insert, req); err != nil || ids[2] != "mine" {
			t.Errorf("Start: %v with request ID %q, want that of the request", err, ids[2])
		}
	})
}

// A refusal is not repeated, and a method without request_id is not after an
// answer that was lost.
func TestStartErrors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGoogle(t)
		calls := 0
		g.mux.HandleFunc("POST /compute/v1/projects/p/zones/z/instances", func(w http.ResponseWriter, _ *http.Request) {
			calls++
			http.Error(w, `{"error": {"code": 403, "message": "Quota exceeded", "errors": [{"reason": "quotaExceeded"}]}}`, http.StatusForbidden)
		})
		instances := must(compute.NewInstancesRESTClient(t.Context(), g.opts...))
		client := g.client(t)
		_, err := lroext.Start(t.Context(), client, instances.Insert, insert())
		failed, ok := errors.AsType[*lro.StartError](err)
		if !ok || failed.MayHaveStarted || status.Code(err) != codes.PermissionDenied || calls != 1 {
			t.Errorf("Start after %d calls: %v, want PERMISSION_DENIED and no operation", calls, err)
		}

		calls = 0
		g.mux.HandleFunc("POST /compute/v1/projects/p/global/images/i/setLabels", func(w http.ResponseWriter, _ *http.Request) {
			calls++
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		images := must(compute.NewImagesRESTClient(t.Context(), g.opts...))
		_, err = lroext.Start(t.Context(), client, images.SetLabels, &computepb.SetLabelsImageRequest{Project: "p", Resource: "i", GlobalSetLabelsRequestResource: &computepb.GlobalSetLabelsRequest{}})
		if failed, ok := errors.AsType[*lro.StartError](err); !ok || !failed.MayHaveStarted || failed.RequestID != "" || calls != 1 {
			t.Errorf("Start after %d calls: %v, want that it may have been started", calls, err)
		}
	})
}

// Every method that starts operations has a request by which it is known where
// they are, but for those of organizations.
func TestEveryMethod(t *testing.T) {
	t.Parallel()
	const organizations = "GlobalOrganizationOperations"
	scopes := map[string]string{
		"ZoneOperations": "projects/1/zones/2/operations/x", "RegionOperations": "projects/1/regions/3/operations/x",
		"GlobalOperations": "projects/1/global/operations/x", organizations: "locations/global/operations/x?parentId=4",
	}
	values := map[string]string{"project": "1", "zone": "2", "region": "3", "parent_id": "4"}
	started := &generated{&computepb.Operation{Name: new("x")}}
	methods, safe, without := 0, 0, 0
	services := computepb.File_google_cloud_compute_v1_compute_proto.Services()
	for i := range services.Len() {
		for j := range services.Get(i).Methods().Len() {
			m := services.Get(i).Methods().Get(j)
			service := proto.GetExtension(m.Options(), extendedops.E_OperationService).(string)
			if service == "" {
				continue
			}
			methods++
			if m.Input().Fields().ByName("request_id") != nil {
				safe++
			}
			typ := must(protoregistry.GlobalTypes.FindMessageByName(m.Input().FullName()))
			req := typ.New()
			for field, value := range values {
				if f := m.Input().Fields().ByName(protoreflect.Name(field)); f != nil {
					req.Set(f, protoreflect.ValueOfString(value))
				}
			}
			p, err := lroext.Proto(started, lroext.StartedBy(req.Interface()))
			switch {
			case err != nil && service == organizations:
				without++
			case err != nil || p.GetName() != scopes[service]:
				t.Errorf("%s: %v, %v, want %q", m.FullName(), p, err, scopes[service])
			}
		}
	}
	t.Logf("%d methods, %d with request_id; %d of organizations whose request has no annotated parent", methods, safe, without)
	if methods < 500 || safe < 480 || without > 20 {
		t.Error("that is not what Compute has")
	}
}

// generated is what a method returned.
type generated struct{ op *computepb.Operation }

func (g *generated) Proto() *computepb.Operation                   { return g.op }
func (g *generated) Poll(context.Context, ...gax.CallOption) error { return nil }
