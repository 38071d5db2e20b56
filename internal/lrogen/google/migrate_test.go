package google

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	eventarc "cloud.google.com/go/eventarc/apiv1"
	"cloud.google.com/go/eventarc/apiv1/eventarcpb"
	filestore "cloud.google.com/go/filestore/apiv1"
	"cloud.google.com/go/filestore/apiv1/filestorepb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	redis "cloud.google.com/go/redis/apiv1"
	"cloud.google.com/go/redis/apiv1/redispb"
	cloudrun "cloud.google.com/go/run/apiv2"
	"cloud.google.com/go/run/apiv2/runpb"
	workflows "cloud.google.com/go/workflows/apiv1"
	"cloud.google.com/go/workflows/apiv1/workflowspb"
	"github.com/google/go-cmp/cmp"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/api/option"
	commonpb "google.golang.org/genproto/googleapis/cloud/common"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/lrogax"
)

const (
	parent        = "projects/p/locations/l"
	operationName = parent + "/operations/1"
)

// migration is how a program waits for an operation of one method before and
// after, and by its name.
type migration struct {
	method           string // its full name
	waits, cancels   bool   // the generated client has WaitOperation, CancelOperation
	result, metadata proto.Message
	play             func(t *testing.T, rest bool, opts []option.ClientOption) played
}

// played is what a migration has seen.
type played struct {
	before, after, resumed proto.Message
	method                 string
	client                 *lro.Client
}

// client is what a test uses of a generated client beside its own methods.
type client interface {
	lrogax.GeneratedClient
	Close() error
}

// newFunc is the form of NewClient and NewRESTClient.
type newFunc[C any] func(context.Context, ...option.ClientOption) (C, error)

// dial makes a generated client that is closed when the test ends, and ours of it.
func dial[C client](t *testing.T, rest bool, overGRPC, overREST newFunc[C], opts []option.ClientOption) (C, *lro.Client) {
	t.Helper()
	connect := overGRPC
	if rest {
		connect = overREST
	}
	c := must(connect(t.Context(), opts...))
	t.Cleanup(func() { c.Close() })
	return c, lro.NewClient(lrogax.Service(c), lro.WithPolicy(lro.Policy{FirstPoll: time.Millisecond}))
}

// must returns v, and ends the test's goroutine by a panic if there is an error.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// wrapper is the form of a generated operation.
type wrapper[R, M proto.Message] interface {
	lrogax.Generated[M]
	Poll(context.Context, ...gax.CallOption) (R, error)
	Wait(context.Context, ...gax.CallOption) (R, error)
}

// migrationOf is the migration of a method of a generated client. named makes
// the operation of a name.
func migrationOf[C client, Q any, R, M proto.Message, W wrapper[R, M]](
	method string, waits, cancels bool, overGRPC, overREST newFunc[C],
	start func(C, context.Context, Q, ...gax.CallOption) (W, error), req Q, named func(C, string) W, result R, metadata M,
) migration {
	return migration{method, waits, cancels, result, metadata, func(t *testing.T, rest bool, opts []option.ClientOption) (p played) {
		var generated C
		generated, p.client = dial(t, rest, overGRPC, overREST, opts)
		p.before = must(must(start(generated, t.Context(), req)).Wait(t.Context()))
		p.after = must(lrogax.Wait[R, M](t.Context(), p.client, must(start(generated, t.Context(), req))))
		op := must(lrogax.Operation[R, M](p.client, must(start(generated, t.Context(), req))))
		m := lrogax.MethodOf[R, M](named(generated, op.Name()))
		p.method = m.Name
		p.resumed = must(must(m.Resume(p.client, op.Token())).Wait(t.Context()))
		return p
	}}
}

var migrations = []migration{
	migrationOf("google.cloud.filestore.v1.CloudFilestoreManager.CreateInstance", false, true,
		filestore.NewCloudFilestoreManagerClient, filestore.NewCloudFilestoreManagerRESTClient,
		(*filestore.CloudFilestoreManagerClient).CreateInstance, &filestorepb.CreateInstanceRequest{Parent: parent},
		(*filestore.CloudFilestoreManagerClient).CreateInstanceOperation, &filestorepb.Instance{Name: "x"}, &commonpb.OperationMetadata{Verb: "create"}),
	migrationOf("google.cloud.redis.v1.CloudRedis.CreateInstance", false, true,
		redis.NewCloudRedisClient, redis.NewCloudRedisRESTClient,
		(*redis.CloudRedisClient).CreateInstance, &redispb.CreateInstanceRequest{Parent: parent},
		(*redis.CloudRedisClient).CreateInstanceOperation, &redispb.Instance{Name: "x"}, &redispb.OperationMetadata{Verb: "create"}),
	migrationOf("google.cloud.eventarc.v1.Eventarc.CreateTrigger", false, true,
		eventarc.NewClient, eventarc.NewRESTClient,
		(*eventarc.Client).CreateTrigger, &eventarcpb.CreateTriggerRequest{Parent: parent},
		(*eventarc.Client).CreateTriggerOperation, &eventarcpb.Trigger{Name: "x"}, &eventarcpb.OperationMetadata{Verb: "create"}),
	migrationOf("google.cloud.workflows.v1.Workflows.CreateWorkflow", false, false,
		workflows.NewClient, workflows.NewRESTClient,
		(*workflows.Client).CreateWorkflow, &workflowspb.CreateWorkflowRequest{Parent: parent},
		(*workflows.Client).CreateWorkflowOperation, &workflowspb.Workflow{Name: "x"}, &workflowspb.OperationMetadata{Verb: "create"}),
	migrationOf("google.cloud.run.v2.Services.CreateService", true, false, // has paths of v2
		cloudrun.NewServicesClient, cloudrun.NewServicesRESTClient,
		(*cloudrun.ServicesClient).CreateService, &runpb.CreateServiceRequest{Parent: parent},
		(*cloudrun.ServicesClient).CreateServiceOperation, &runpb.Service{Name: "x"}, &runpb.Service{Name: "x"}),
	{
		"google.cloud.filestore.v1.CloudFilestoreManager.DeleteInstance", false, true, &emptypb.Empty{}, &commonpb.OperationMetadata{Verb: "delete"},
		func(t *testing.T, rest bool, opts []option.ClientOption) (p played) {
			var instances *filestore.CloudFilestoreManagerClient
			instances, p.client = dial(t, rest, filestore.NewCloudFilestoreManagerClient, filestore.NewCloudFilestoreManagerRESTClient, opts)
			req := &filestorepb.DeleteInstanceRequest{Name: parent + "/instances/i"}
			if err := must(instances.DeleteInstance(t.Context(), req)).Wait(t.Context()); err == nil {
				p.before = &emptypb.Empty{}
			}
			if err := lrogax.WaitEmpty(t.Context(), p.client, must(instances.DeleteInstance(t.Context(), req))); err == nil {
				p.after = &emptypb.Empty{}
			}
			op := must(lrogax.EmptyOperation(p.client, must(instances.DeleteInstance(t.Context(), req))))
			m := lrogax.EmptyMethodOf(instances.DeleteInstanceOperation(op.Name()))
			p.method = m.Name
			p.resumed = must(must(m.Resume(p.client, op.Token())).Wait(t.Context()))
			return p
		},
	},
}

// TestMigration: what comes after sees what was seen before, over both
// transports.
func TestMigration(t *testing.T) {
	t.Parallel()
	for _, m := range migrations {
		for _, rest := range []bool{false, true} {
			name := m.method + " over gRPC"
			if rest {
				name = m.method + " over REST"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				cloud := &cloud{result: m.result, metadata: m.metadata}
				opts := cloud.serveGRPC
				if rest {
					opts = cloud.serveREST
				}
				p := m.play(t, rest, opts(t))
				for what, got := range map[string]proto.Message{"before": p.before, "after": p.after, "resumed": p.resumed} {
					if diff := cmp.Diff(m.result, got, protocmp.Transform()); diff != "" {
						t.Errorf("result %s (-want +got):\n%s", what, diff)
					}
				}
				if p.method != m.method {
					t.Errorf("name of the method: got %q, want %q", p.method, m.method)
				}
				want := slices.Repeat(cloud.calls[:2], 3) // start, get: as before
				operations, wait, cancel := "/google.longrunning.Operations/", "WaitOperation", "CancelOperation"
				if rest {
					operations, wait, cancel = "POST "+strings.TrimPrefix(want[1], "GET "), ":wait", ":cancel"
				}
				if m.waits {
					want = slices.Insert(want, 3, operations+wait)
				}
				// Over gRPC, LROClient has what the client lacks.
				err := p.client.Cancel(t.Context(), operationName)
				if lacks := rest && !m.cancels; lacks && status.Code(err) != codes.Unimplemented || !lacks && err != nil {
					t.Errorf("Cancel: got error %v, want UNIMPLEMENTED only where the client lacks it: %v", err, lacks)
				} else if !lacks {
					want = append(want, operations+cancel)
				}
				if diff := cmp.Diff(want, cloud.calls); diff != "" {
					t.Errorf("calls (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// cloud is a service whose every method but those of Operations starts an
// operation, which is done when it is got.
type cloud struct {
	result, metadata proto.Message

	mu    sync.Mutex
	calls []string
}

// answer is the answer to a call of a method.
func (c *cloud) answer(call, method string) proto.Message {
	c.mu.Lock()
	c.calls = append(c.calls, call)
	c.mu.Unlock()
	op := &longrunningpb.Operation{Name: operationName, Metadata: must(anypb.New(c.metadata))}
	switch method {
	case "CancelOperation", "DeleteOperation":
		return &emptypb.Empty{}
	case "GetOperation", "WaitOperation":
		op.Done, op.Result = true, &longrunningpb.Operation_Response{Response: must(anypb.New(c.result))}
	}
	return op
}

// serveGRPC serves c until the test ends and returns the options of a client.
func (c *cloud) serveGRPC(t *testing.T) []option.ClientOption {
	t.Helper()
	listener := bufconn.Listen(1 << 16)
	server := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		method, _ := grpc.MethodFromServerStream(stream)
		if err := stream.RecvMsg(&emptypb.Empty{}); err != nil { // what is in it is unknown to Empty
			return err
		}
		return stream.SendMsg(c.answer(method, path.Base(method)))
	}))
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	conn := must(grpc.NewClient("passthrough:///cloud",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) })))
	return []option.ClientOption{option.WithGRPCConn(conn)}
}

// serveREST serves c until the test ends and returns the options of a client.
func (c *cloud) serveREST(t *testing.T) []option.ClientOption {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		method := "Start"
		if _, verb, ok := strings.Cut(r.URL.Path, operationName); ok {
			method = map[string]string{"GET": "GetOperation", "DELETE": "DeleteOperation", "POST:wait": "WaitOperation", "POST:cancel": "CancelOperation"}[r.Method+verb]
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(must(protojson.Marshal(c.answer(r.Method+" "+r.URL.Path, method))))
	}))
	t.Cleanup(server.Close)
	return []option.ClientOption{option.WithEndpoint(server.URL), option.WithHTTPClient(server.Client())}
}

// BenchmarkMethodOf looks up names that follow from the response's package, and
// from no message of the method.
func BenchmarkMethodOf(b *testing.B) {
	b.Run("own response", func(b *testing.B) {
		for b.Loop() {
			if lrogax.MethodOf((*filestore.CreateInstanceOperation)(nil)).Name == "" {
				b.Fatal("no name")
			}
		}
	})
	b.Run("foreign messages", func(b *testing.B) {
		for b.Loop() {
			if lrogax.EmptyMethodOf((*filestore.DeleteInstanceOperation)(nil)).Name == "" {
				b.Fatal("no name")
			}
		}
	})
}
