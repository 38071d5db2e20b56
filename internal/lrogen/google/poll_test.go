package google

import (
	"testing"
	"time"

	redis "cloud.google.com/go/redis/apiv1beta1"
	"cloud.google.com/go/redis/apiv1beta1/redispb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/api/option"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/lrogax"
)

// TestPollService waits through a client that has no GetOperation.
func TestPollService(t *testing.T) {
	t.Parallel()
	quick := lro.WithPolicy(lro.Policy{FirstPoll: time.Millisecond})
	for name, connect := range map[string]newFunc[*redis.CloudRedisClient]{"gRPC": redis.NewCloudRedisClient, "REST": redis.NewCloudRedisRESTClient} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := &cloud{result: &redispb.Instance{Name: "x"}, metadata: &anypb.Any{}}
			serve := cloud.serveGRPC
			if name == "REST" {
				serve = cloud.serveREST
			}
			var opts []option.ClientOption = serve(t)
			instances := must(connect(t.Context(), opts...))
			defer instances.Close()
			if _, ok := any(instances).(lrogax.GeneratedClient); ok {
				t.Error("client has GetOperation: take another one for this test")
			}

			client := lro.NewClient(lrogax.PollService(instances.CreateInstanceOperation), quick)
			started := must(instances.CreateInstance(t.Context(), &redispb.CreateInstanceRequest{Parent: parent}))
			got := must(lrogax.Wait(t.Context(), client, started))
			if diff := cmp.Diff(cloud.result, got, protocmp.Transform()); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
			cloud.result = &emptypb.Empty{}
			client = lro.NewClient(lrogax.EmptyPollService(instances.DeleteInstanceOperation), quick)
			deleted := must(instances.DeleteInstance(t.Context(), &redispb.DeleteInstanceRequest{Name: parent + "/instances/i"}))
			if err := lrogax.WaitEmpty(t.Context(), client, deleted); err != nil {
				t.Error(err)
			}
			if name == "REST" {
				want := []string{
					"POST /v1beta1/" + parent + "/instances", "GET /v1beta1/" + operationName,
					"DELETE /v1beta1/" + parent + "/instances/i", "GET /v1beta1/" + operationName,
				}
				if diff := cmp.Diff(want, cloud.calls); diff != "" {
					t.Errorf("calls (-want +got):\n%s", diff)
				}
			}
		})
	}
}
