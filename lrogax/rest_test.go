package lrogax

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	lroauto "cloud.google.com/go/longrunning/autogen"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/go-lro/lro"
)

// quick polls often, since HTTP over the loopback interface takes real time.
var quick = lro.Policy{FirstPoll: time.Millisecond, Multiplier: 1, MaxInterval: time.Millisecond}

func answerJSON(w http.ResponseWriter, m proto.Message) {
	body, err := protojson.Marshal(m)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body)
}

// liar answers GetOperation with running twice and then "true", and everything
// else, such as the request that the generated WaitOperation sends, with a
// finished operation that is not the one asked for.
func liar() http.HandlerFunc {
	gets := make(chan int, 1)
	gets <- 0
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != "/v1/"+testName {
			answerJSON(w, succeeded("false"))
			return
		}
		n := <-gets
		gets <- n + 1
		if n < 2 {
			answerJSON(w, running(""))
			return
		}
		answerJSON(w, succeeded("true"))
	}
}

func TestRESTNeverCallsWaitOperation(t *testing.T) {
	t.Parallel()
	client, log := serveREST(t, liar())
	op, err := Strings.Wrap(lro.NewClient(New(client), lro.WithPolicy(quick)), running(""))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := op.Wait(t.Context()); err != nil || got.GetValue() != "true" {
		t.Errorf("Wait: got %v, %v, want true", got, err)
	}
	get := "GET /v1/operations/test"
	if diff := cmp.Diff([]string{get, get, get}, log.lines()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// naive is a service written without knowledge of the defect.
type naive struct{ client *lroauto.OperationsClient }

func (n naive) GetOperation(ctx context.Context, req *longrunningpb.GetOperationRequest, _ ...grpc.CallOption) (*longrunningpb.Operation, error) {
	return n.client.GetOperation(ctx, req)
}

func (n naive) WaitOperation(ctx context.Context, req *longrunningpb.WaitOperationRequest, _ ...grpc.CallOption) (*longrunningpb.Operation, error) {
	return n.client.WaitOperation(ctx, req)
}

// TestGeneratedRESTWaitOperation shows the defect because of which New leaves
// the method out, and that even so no caller gets a false success. When it
// fails because the request is correct, New may offer the method over REST.
func TestGeneratedRESTWaitOperation(t *testing.T) {
	t.Parallel()
	client, log := serveREST(t, liar())
	op, err := Strings.Wrap(lro.NewClient(naive{client}, lro.WithPolicy(quick)), running(""))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := op.Wait(t.Context()); err != nil || got.GetValue() != "true" {
		t.Errorf("Wait: got %v, %v, want true", got, err)
	}
	get := "GET /v1/operations/test"
	want := []string{"GET /?name=operations%2Ftest&timeout=30s", get, get, get}
	if diff := cmp.Diff(want, log.lines()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestRESTPaths(t *testing.T) {
	t.Parallel()
	const name = "projects/p/operations/a+b=/c d%?#"
	const escaped = "projects/p/operations/a+b=/c%20d%25%3F%23"
	for _, test := range []struct {
		name string
		opts []Option
		path string
	}{
		{"default", nil, "/v1"},
		{"beta", []Option{WithPathPrefix("v1beta1")}, "/v1beta1"},
		{"deep", []Option{WithPathPrefix("/file/v2/")}, "/file/v2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			generated, log := serveREST(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") })
			client := lro.NewClient(New(generated, test.opts...))
			list := func(parent, token string) error {
				req := &longrunningpb.ListOperationsRequest{Name: parent, PageSize: 5, PageToken: token, Filter: "a b"}
				for _, err := range client.Pages(t.Context(), req) {
					if err != nil {
						return err
					}
				}
				return nil
			}
			_, err := client.Get(t.Context(), name)
			for i, err := range []error{
				err,
				client.Cancel(t.Context(), name),
				client.Delete(t.Context(), name),
				list("projects/p", ""),
				list("projects/p/instances/i/operations", "t&1"),
				list("operations", ""),
				list("", ""),
			} {
				if err != nil {
					t.Errorf("call %d: %v", i+1, err)
				}
			}
			want := []string{
				"GET " + test.path + "/" + escaped,
				"POST " + test.path + "/" + escaped + ":cancel",
				"DELETE " + test.path + "/" + escaped,
				"GET " + test.path + "/projects/p/operations?filter=a+b&pageSize=5",
				"GET " + test.path + "/projects/p/instances/i/operations?filter=a+b&pageSize=5&pageToken=t%261",
				"GET " + test.path + "/operations?filter=a+b&pageSize=5",
				"GET " + test.path + "/operations?filter=a+b&pageSize=5",
			}
			if diff := cmp.Diff(want, log.lines()); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
			for _, r := range log.requests {
				if got := r.Header.Values(routingHeader); len(got) != 1 {
					t.Errorf("%s of %s %s: got %q, want one", routingHeader, r.Method, r.RequestURI, got)
				}
			}
		})
	}
}

func TestRESTListPages(t *testing.T) {
	t.Parallel()
	client, _ := serveREST(t, func(w http.ResponseWriter, r *http.Request) {
		page := map[string]*longrunningpb.ListOperationsResponse{
			"":  {Operations: []*longrunningpb.Operation{{Name: "operations/1"}}, NextPageToken: "b"},
			"b": {NextPageToken: "c", Unreachable: []string{"x"}},
			"c": {Operations: []*longrunningpb.Operation{{Name: "operations/2"}}},
		}[r.URL.Query().Get("pageToken")]
		answerJSON(w, page)
	})
	var got []string
	for page, err := range lro.NewClient(New(client)).Pages(t.Context(), &longrunningpb.ListOperationsRequest{Name: "operations"}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, op := range page.GetOperations() {
			got = append(got, op.GetName())
		}
		got = append(got, page.GetUnreachable()...)
	}
	if diff := cmp.Diff([]string{"operations/1", "x", "operations/2"}, got); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
}

func TestRESTListEndsWithContext(t *testing.T) {
	t.Parallel()
	asked, release := make(chan struct{}), make(chan struct{})
	client, _ := serveREST(t, func(http.ResponseWriter, *http.Request) {
		close(asked)
		<-release
	})
	defer close(release) // so that the server can close, and the request left behind end
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	for _, err := range lro.NewClient(New(client)).List(ctx, &longrunningpb.ListOperationsRequest{Name: "operations"}) {
		if status.Code(err) != codes.Canceled {
			t.Errorf("List: got %v, want CANCELLED", err)
		}
	}
}

func TestRESTTypeThatIsNotLinked(t *testing.T) {
	t.Parallel()
	client, _ := serveREST(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"name": %q, "done": true, "response": {"@type": "type.googleapis.com/nobody.Knows", "a": 1}}`, testName)
	})
	policy := quick
	policy.SoftErrors, policy.SoftErrorTime = 1, -1
	op, err := lro.Any().Resume(lro.NewClient(New(client), lro.WithPolicy(policy)), testName)
	if err != nil {
		t.Fatal(err)
	}
	_, err = op.Wait(t.Context())
	if stopped, ok := errors.AsType[*lro.WaitError](err); !ok || stopped.Polls != 2 || !strings.Contains(err.Error(), "nobody.Knows") {
		t.Errorf("Wait: got %v, want a WaitError that names the type, after 2 polls", err)
	}
	if status.Code(err) != codes.Internal {
		t.Errorf("status.Code(%v): got %v, want Internal", err, status.Code(err))
	}
}
