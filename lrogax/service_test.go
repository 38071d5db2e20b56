package lrogax

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/google/go-cmp/cmp"
	"github.com/googleapis/gax-go/v2"
	"github.com/googleapis/gax-go/v2/apierror"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/go-lro/lro"
)

func TestWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &operations{
			get: func(context.Context, int) (*longrunningpb.Operation, error) { return succeeded("book"), nil },
			wait: func(_ context.Context, n int) (*longrunningpb.Operation, error) {
				time.Sleep(20 * time.Second)
				if n < 3 {
					return running("half"), nil
				}
				return succeeded("book"), nil
			},
		}
		client := lro.NewClient(New(server.serve(t)))
		op, err := Strings.Wrap(client, running("begun"))
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		got, err := op.Wait(t.Context())
		if err != nil || got.GetValue() != "book" {
			t.Fatalf("Wait: got %v, %v, want book", got, err)
		}
		if took := time.Since(begin); took != time.Minute {
			t.Errorf("Wait took %v, want 1m", took)
		}
		want := []string{"WaitOperation", "WaitOperation", "WaitOperation", "GetOperation"}
		if diff := cmp.Diff(want, server.methods()); diff != "" {
			t.Errorf("called (-want +got):\n%s", diff)
		}
	})
}

func TestWaitWithoutWaitOperation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &operations{get: func(_ context.Context, n int) (*longrunningpb.Operation, error) {
			switch n {
			case 1:
				return nil, status.Error(codes.Unavailable, "down")
			case 2:
				st, err := status.New(codes.ResourceExhausted, "busy").WithDetails(retryIn(time.Minute))
				if err != nil {
					return nil, err
				}
				return nil, st.Err()
			}
			return succeeded("book"), nil
		}}
		client := lro.NewClient(New(server.serve(t)), lro.WithPolicy(lro.Policy{FirstPoll: time.Second, Jitter: -1}))
		op, err := Strings.Wrap(client, running(""))
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		if got, err := op.Wait(t.Context()); err != nil || got.GetValue() != "book" {
			t.Fatalf("Wait: got %v, %v, want book", got, err)
		}
		// UNIMPLEMENTED, UNAVAILABLE at once, 1 s, RESOURCE_EXHAUSTED, 1 min.
		if took := time.Since(begin); took != 61*time.Second {
			t.Errorf("Wait took %v, want 1m1s: the schedule, then what RetryInfo asks", took)
		}
		want := []string{"WaitOperation", "GetOperation", "GetOperation", "GetOperation"}
		if diff := cmp.Diff(want, server.methods()); diff != "" {
			t.Errorf("called (-want +got):\n%s", diff)
		}
	})
}

func TestRoutingHeaderOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &operations{
			get:  func(context.Context, int) (*longrunningpb.Operation, error) { return running(""), nil },
			wait: func(context.Context, int) (*longrunningpb.Operation, error) { return succeeded(""), nil },
			list: func(*longrunningpb.ListOperationsRequest) (*longrunningpb.ListOperationsResponse, error) {
				return &longrunningpb.ListOperationsResponse{}, nil
			},
		}
		const name = "projects/p/locations/l/operations/a+b=c d"
		client := lro.NewClient(New(server.serve(t)), lro.WithMetadata(metadata.Pairs("x-test", "1")))
		op, err := Strings.Wrap(client, &longrunningpb.Operation{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, _ = op.Wait(ctx) // WaitOperation and GetOperation contradict each other
		for _, call := range []func() error{
			func() error { return client.Cancel(t.Context(), name) },
			func() error { return client.Delete(t.Context(), name) },
			func() error {
				for _, err := range client.List(t.Context(), &longrunningpb.ListOperationsRequest{Name: name}) {
					return err
				}
				return nil
			},
		} {
			if err := call(); err != nil {
				t.Error(err)
			}
		}
		seen := map[string]bool{}
		for _, r := range server.requests {
			seen[r.method] = true
			want := []string{"name=projects%2Fp%2Flocations%2Fl%2Foperations%2Fa%2Bb%3Dc+d"}
			if diff := cmp.Diff(want, r.header[routingHeader]); diff != "" {
				t.Errorf("%s of %s (-want +got):\n%s", routingHeader, r.method, diff)
			}
			if got := r.header["x-test"]; !slices.Equal(got, []string{"1"}) {
				t.Errorf("x-test of %s: got %q, want once 1", r.method, got)
			}
			if got := r.header["x-goog-api-client"]; len(got) != 1 {
				t.Errorf("x-goog-api-client of %s: got %q, want one", r.method, got)
			}
		}
		if len(seen) != 5 {
			t.Errorf("methods called: got %v, want all five", seen)
		}
	})
}

func TestOtherRoutingParametersStay(t *testing.T) {
	t.Parallel()
	for _, own := range [][]string{
		{"region=eu", "name=operations%2Ftest"},
		{"region=eu&name=operations%2Ftest"}, // merged by lro
		{"name=operations%2Ftest&region=eu"},
		{"region=eu"},
	} {
		server := &operations{get: func(context.Context, int) (*longrunningpb.Operation, error) { return running(""), nil }}
		ctx := metadata.NewOutgoingContext(t.Context(), metadata.MD{routingHeader: own})
		if _, err := New(server.serve(t)).GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: testName}); err != nil {
			t.Fatal(err)
		}
		want := []string{"region=eu", "name=operations%2Ftest"}
		if diff := cmp.Diff(want, server.requests[0].header[routingHeader]); diff != "" {
			t.Errorf("%s of %q (-want +got):\n%s", routingHeader, own, diff)
		}
		if md, _ := metadata.FromOutgoingContext(ctx); !slices.Equal(md[routingHeader], own) {
			t.Errorf("caller's outgoing metadata %q changed to %v", own, md)
		}
	}
}

func TestGeneratedRetryAndTimeoutAreOff(t *testing.T) {
	t.Parallel()
	down := status.Error(codes.Unavailable, "down")
	server := &operations{get: func(context.Context, int) (*longrunningpb.Operation, error) { return nil, down }}
	client := server.serve(t)
	client.CallOptions.GetOperation = append(client.CallOptions.GetOperation, gax.WithTimeout(time.Second))
	s := New(client)
	for _, s := range []lro.Service{s, Service(&whole{client, client})} {
		if _, err := s.GetOperation(t.Context(), &longrunningpb.GetOperationRequest{Name: testName}); status.Code(err) != codes.Unavailable {
			t.Errorf("GetOperation of %T: got %v, want %v", s, err, down)
		}
	}
	_, err := s.(*grpcService).ListOperations(t.Context(), &longrunningpb.ListOperationsRequest{Name: testName})
	if status.Code(err) != codes.Unavailable {
		t.Errorf("ListOperations: got %v, want %v", err, down)
	}
	if got, want := server.methods(), []string{"GetOperation", "GetOperation", "ListOperations"}; !slices.Equal(got, want) {
		t.Errorf("called: got %v, want %v", got, want)
	}
	for _, r := range server.requests {
		if r.deadline {
			t.Errorf("%s came with a deadline that the caller did not set", r.method)
		}
	}
}

func TestCallOptions(t *testing.T) {
	t.Parallel()
	server := &operations{get: func(ctx context.Context, _ int) (*longrunningpb.Operation, error) {
		if err := grpc.SetHeader(ctx, metadata.Pairs("x-header", "1")); err != nil {
			return nil, err
		}
		return running(""), grpc.SetTrailer(ctx, metadata.Pairs("x-trailer", "2"))
	}}
	client := server.serve(t)
	for _, s := range []lro.Service{New(client), Service(&whole{client, client})} {
		var own, header, trailer metadata.MD
		client.CallOptions.GetOperation = []gax.CallOption{gax.WithGRPCOptions(grpc.Header(&own))}
		_, err := s.GetOperation(t.Context(), &longrunningpb.GetOperationRequest{Name: testName}, grpc.Header(&header), grpc.Trailer(&trailer))
		if err != nil {
			t.Fatal(err)
		}
		for _, test := range []struct {
			what string
			md   metadata.MD
			key  string
			want string
		}{
			{"client's header", own, "x-header", "1"},
			{"call's header", header, "x-header", "1"},
			{"call's trailer", trailer, "x-trailer", "2"},
		} {
			if got := test.md.Get(test.key); !slices.Equal(got, []string{test.want}) {
				t.Errorf("%s %s of %T: got %q, want %q", test.what, test.key, s, got, test.want)
			}
		}
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	st, err := status.New(codes.PermissionDenied, "not yours").WithDetails(&errdetails.ErrorInfo{Reason: "OWNER", Domain: "test"})
	if err != nil {
		t.Fatal(err)
	}
	server := &operations{get: func(context.Context, int) (*longrunningpb.Operation, error) { return nil, st.Err() }}
	op, err := Strings.Resume(lro.NewClient(New(server.serve(t)), lro.WithLongPolls(0)), testName)
	if err != nil {
		t.Fatal(err)
	}
	_, err = op.Wait(t.Context())
	if _, ok := errors.AsType[*lro.WaitError](err); !ok {
		t.Errorf("Wait: got a %T, want a *lro.WaitError", err)
	}
	if got, ok := status.FromError(err); !ok || got.Code() != codes.PermissionDenied || len(got.Details()) != 1 {
		t.Errorf("status.FromError(%v): got %v, want %v", err, got, st)
	}
	generated, ok := errors.AsType[*apierror.APIError](err)
	if !ok || generated.Reason() != "OWNER" {
		t.Errorf("errors.AsType[*apierror.APIError](%v): got %v, want reason OWNER", err, generated)
	}
	if parsed, ok := apierror.FromError(err); !ok || parsed.Domain() != "test" {
		t.Errorf("apierror.FromError(%v): got %v, want domain test", err, parsed)
	}
	if info, ok := lro.Detail[*errdetails.ErrorInfo](err); !ok || info.GetReason() != "OWNER" {
		t.Errorf("lro.Detail(%v): got %v, want reason OWNER", err, info)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	pages := map[string]*longrunningpb.ListOperationsResponse{
		"":  {Operations: []*longrunningpb.Operation{{Name: "operations/1"}, {Name: "operations/2"}}, NextPageToken: "b"},
		"b": {NextPageToken: "c", Unreachable: []string{"locations/x"}},
		"c": {Operations: []*longrunningpb.Operation{{Name: "operations/3"}}},
	}
	server := &operations{list: func(req *longrunningpb.ListOperationsRequest) (*longrunningpb.ListOperationsResponse, error) {
		return pages[req.GetPageToken()], nil
	}}
	client := lro.NewClient(New(server.serve(t)))
	req := &longrunningpb.ListOperationsRequest{Name: "operations", Filter: "done", PageSize: 2}
	var got []*longrunningpb.ListOperationsResponse
	for page, err := range client.Pages(t.Context(), req) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, page)
	}
	want := []*longrunningpb.ListOperationsResponse{pages[""], pages["b"], pages["c"]}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
	for i, token := range []string{"", "b", "c"} {
		want := &longrunningpb.ListOperationsRequest{Name: "operations", Filter: "done", PageSize: 2, PageToken: token}
		if diff := cmp.Diff(want, server.requests[i].message, protocmp.Transform()); diff != "" {
			t.Errorf("request %d (-want +got):\n%s", i+1, diff)
		}
	}
}

// The exported LROClient of every REST client that Google generates is nil.
func TestNewOfNil(t *testing.T) {
	t.Parallel()
	client := lro.NewClient(New(nil))
	op, err := Strings.Resume(client, testName)
	if err != nil {
		t.Fatal(err)
	}
	_, waited := op.Wait(t.Context())
	_, cancelled := op.Cancel(t.Context())
	var listed error
	for _, err := range client.List(t.Context(), &longrunningpb.ListOperationsRequest{}) {
		listed = err
	}
	for call, err := range map[string]error{"Wait": waited, "Cancel": cancelled, "Delete": op.Delete(t.Context()), "List": listed} {
		if status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "lrogax.Service") {
			t.Errorf("%s: %v, want FAILED_PRECONDITION that says what to do", call, err)
		}
	}
}
