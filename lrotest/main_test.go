package lrotest_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro/internal/leak"
	"github.com/go-lro/lro/lrotest"
)

func TestMain(m *testing.M) { leak.Main(m) }

const name = "projects/p/operations/x"

// A transport connects a client stub to a server, and cuts it when the test
// ends.
type transport struct {
	name    string
	connect func(t *testing.T, srv *lrotest.Server) longrunningpb.OperationsClient
}

var transports = []transport{
	{"stub", func(_ *testing.T, srv *lrotest.Server) longrunningpb.OperationsClient { return srv.Stub() }},
	{"gRPC", func(t *testing.T, srv *lrotest.Server) longrunningpb.OperationsClient {
		conn := srv.Dial()
		t.Cleanup(func() {
			if err := conn.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
		return longrunningpb.NewOperationsClient(conn)
	}},
	{"HTTP", func(t *testing.T, srv *lrotest.Server) longrunningpb.OperationsClient {
		_, client := newWeb(t, srv)
		return client
	}},
}

// bubbles runs f over each transport in a bubble.
func bubbles(t *testing.T, f func(t *testing.T, tr transport)) {
	t.Helper()
	for _, tr := range transports {
		t.Run(tr.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { f(t, tr) })
		})
	}
}

// everywhere runs f over each transport, in a bubble and in real time.
func everywhere(t *testing.T, f func(t *testing.T, tr transport)) {
	t.Helper()
	t.Run("bubble", func(t *testing.T) {
		t.Parallel()
		bubbles(t, f)
	})
	t.Run("real", func(t *testing.T) {
		t.Parallel()
		for _, tr := range transports {
			t.Run(tr.name, func(t *testing.T) {
				t.Parallel()
				f(t, tr)
			})
		}
	})
}

func get(t *testing.T, stub longrunningpb.OperationsClient) string {
	t.Helper()
	return summary(stub.GetOperation(t.Context(), &longrunningpb.GetOperationRequest{Name: name}))
}

// wait asks with a timeout; 0 for none.
func wait(ctx context.Context, stub longrunningpb.OperationsClient, timeout time.Duration) string {
	req := &longrunningpb.WaitOperationRequest{Name: name}
	if timeout != 0 {
		req.Timeout = durationpb.New(timeout)
	}
	return summary(stub.WaitOperation(ctx, req))
}

func cancel(t *testing.T, stub longrunningpb.OperationsClient) {
	t.Helper()
	if _, err := stub.CancelOperation(t.Context(), &longrunningpb.CancelOperationRequest{Name: name}); err != nil {
		t.Errorf("CancelOperation(%q): %v", name, err)
	}
}

// value is a message to tell states by.
func value(s string) proto.Message { return wrapperspb.String(s) }

// summary is an answer in a few words.
func summary(op *longrunningpb.Operation, err error) string {
	if err != nil {
		return fmt.Sprintf("error %v", status.Code(err))
	}
	var words []string
	switch r := op.GetResult().(type) {
	case *longrunningpb.Operation_Response:
		words = append(words, "succeeded", text(r.Response))
	case *longrunningpb.Operation_Error:
		words = append(words, "failed", codes.Code(r.Error.GetCode()).String(), r.Error.GetMessage())
		for _, d := range r.Error.GetDetails() {
			words = append(words, text(d))
		}
	default:
		if op.GetDone() {
			words = append(words, "done")
		} else {
			words = append(words, "running")
		}
	}
	if op.GetMetadata() != nil {
		words = append(words, "with", text(op.GetMetadata()))
	}
	if op.GetName() != name {
		words = append(words, "named", op.GetName())
	}
	return strings.Join(words, " ")
}
