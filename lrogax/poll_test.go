package lrogax

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"cloud.google.com/go/longrunning"
	lroauto "cloud.google.com/go/longrunning/autogen"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro"
)

// stringOperation has the form of a generated operation.
type stringOperation struct{ lro *longrunning.Operation }

func (op *stringOperation) Name() string { return op.lro.Name() }
func (op *stringOperation) Done() bool   { return op.lro.Done() }

func (op *stringOperation) Poll(ctx context.Context, opts ...gax.CallOption) (*wrapperspb.StringValue, error) {
	resp := &wrapperspb.StringValue{}
	if err := op.lro.Poll(ctx, resp, opts...); err != nil || !op.Done() {
		return nil, err
	}
	return resp, nil
}

func (op *stringOperation) Metadata() (*wrapperspb.StringValue, error) {
	md := &wrapperspb.StringValue{}
	if err := op.lro.Metadata(md); err != nil {
		return nil, err
	}
	return md, nil
}

// polled is a client of operations that are got by their own Poll.
func polled(c *lroauto.OperationsClient) *lro.Client {
	return lro.NewClient(PollService(func(name string) *stringOperation {
		return &stringOperation{longrunning.InternalNewOperation(c, &longrunningpb.Operation{Name: name})}
	}), lro.WithPolicy(quick))
}

func TestPollServiceWaits(t *testing.T) {
	t.Parallel()
	server := &operations{get: func(_ context.Context, n int) (*longrunningpb.Operation, error) {
		switch n {
		case 1:
			return nil, status.Error(codes.Unavailable, "down")
		case 2:
			return running("half"), nil
		}
		op := succeeded("book")
		op.Metadata = anyOf(wrapperspb.String("all"))
		return op, nil
	}}
	op, err := Strings.Resume(polled(server.serve(t)), testName)
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	for state, err := range op.Progress(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		md, _ := state.Metadata()
		seen = append(seen, md.GetValue())
	}
	if got, err := op.Result(); err != nil || got.GetValue() != "book" || len(seen) != 2 || seen[0] != "half" || seen[1] != "all" {
		t.Errorf("got %v, %v after metadata %q, want book after half and all", got, err, seen)
	}
	for _, r := range server.requests {
		if got := r.header[routingHeader]; len(got) != 1 {
			t.Errorf("%s of %s: got %q, want one", routingHeader, r.method, got)
		}
	}
}

// TestPollServiceEnds: what the generated code cannot read ends the wait.
func TestPollServiceEnds(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer *longrunningpb.Operation
		failed codes.Code // of an *lro.OperationError; OK for another error
	}{
		"failed": {&longrunningpb.Operation{Name: testName, Done: true, Result: &longrunningpb.Operation_Error{
			Error: status.New(codes.Aborted, "burning").Proto()}}, codes.Aborted},
		"failed with code 0": {&longrunningpb.Operation{Name: testName, Done: true, Result: &longrunningpb.Operation_Error{}}, codes.Unknown},
		"response of another type": {&longrunningpb.Operation{Name: testName, Done: true, Result: &longrunningpb.Operation_Response{
			Response: anyOf(&durationpb.Duration{})}}, codes.OK},
		"done with nothing": {&longrunningpb.Operation{Name: testName, Done: true}, codes.OK},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := &operations{get: func(context.Context, int) (*longrunningpb.Operation, error) { return test.answer, nil }}
			op, err := Strings.Resume(polled(server.serve(t)), testName)
			if err != nil {
				t.Fatal(err)
			}
			_, err = op.Wait(t.Context())
			failed, ok := errors.AsType[*lro.OperationError](err)
			if err == nil || ok != (test.failed != codes.OK) || ok && failed.Code() != test.failed {
				t.Errorf("Wait: got error %v, want an *lro.OperationError of %v, but for OK", err, test.failed)
			}
			if n := len(server.methods()); n != 1 {
				t.Errorf("called %d times, want once", n)
			}
		})
	}
}

func TestPollServiceRESTErrors(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer     http.HandlerFunc
		want       codes.Code
		retryAfter string
	}{
		"503": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusServiceUnavailable)
		}, codes.Unavailable, "7"},
		"connection breaks": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, codes.Unavailable, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, _ := serveREST(t, test.answer)
			service := PollService(func(name string) *stringOperation {
				return &stringOperation{longrunning.InternalNewOperation(client, &longrunningpb.Operation{Name: name})}
			})
			var header metadata.MD
			_, err := service.GetOperation(t.Context(), &longrunningpb.GetOperationRequest{Name: testName}, grpc.Header(&header))
			if got := strings.Join(header.Get("retry-after"), ","); status.Code(err) != test.want || got != test.retryAfter {
				t.Errorf("GetOperation: got retry-after %q, %v, want %q, %v", got, err, test.retryAfter, test.want)
			}
		})
	}
}
