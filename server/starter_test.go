package server_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
)

func pack(t testing.TB, m proto.Message) *anypb.Any {
	t.Helper()
	packed, err := anypb.New(m)
	if err != nil {
		t.Fatalf("anypb.New: %v", err)
	}
	return packed
}

func TestStarter(t *testing.T) {
	t.Parallel()
	k := simKind{Name: "sim", Validate: func(_ context.Context, req request) error {
		if req.GetSteps() < 0 {
			return errors.New("steps is negative")
		}
		return nil
	}}
	raw := server.Kind[*anypb.Any, *anypb.Any, *anypb.Any]{Name: "raw"}
	r := newRig(t, rigOptions{config: server.Config{Parent: "projects/p"}, kinds: []server.Registration{
		k.Handle(echo),
		raw.Handle(func(_ context.Context, task *server.Task[*anypb.Any], req *anypb.Any) (*anypb.Any, error) {
			task.Report(req)
			return req, nil
		}),
	}})
	start := func(req *lropb.StartOperationRequest) (*longrunningpb.Operation, error) {
		return r.starter.StartOperation(t.Context(), req)
	}

	t.Run("starts", func(t *testing.T) {
		t.Parallel()
		op, err := start(&lropb.StartOperationRequest{Kind: "sim", Parent: "projects/q", Request: pack(t, &lropb.SimulateRequest{Echo: "hi"})})
		if err != nil {
			t.Fatal(err)
		}
		if got := unpacked[response](t, r.wait(t, op.GetName()).GetResponse()).GetEcho(); got != "hi" {
			t.Errorf("echo = %q, want %q", got, "hi")
		}
	})
	t.Run("absent request is empty", func(t *testing.T) {
		t.Parallel()
		op, err := start(&lropb.StartOperationRequest{Kind: "sim"})
		if err != nil {
			t.Fatal(err)
		}
		unpacked[response](t, r.wait(t, op.GetName()).GetResponse())
	})
	t.Run("any message", func(t *testing.T) {
		t.Parallel()
		op, err := start(&lropb.StartOperationRequest{Kind: "raw", Request: pack(t, durationpb.New(5))})
		if err != nil {
			t.Fatal(err)
		}
		done := r.wait(t, op.GetName())
		if got := unpacked[*durationpb.Duration](t, done.GetResponse()); got.GetNanos() != 5 {
			t.Errorf("response = %v, want what was sent", got)
		}
		unpacked[*durationpb.Duration](t, done.GetMetadata())
	})
	t.Run("refuses", func(t *testing.T) {
		t.Parallel()
		for name, tc := range map[string]struct {
			req    *lropb.StartOperationRequest
			reason string
		}{
			"no kind":        {&lropb.StartOperationRequest{}, "UNKNOWN_KIND"},
			"unknown kind":   {&lropb.StartOperationRequest{Kind: "x"}, "UNKNOWN_KIND"},
			"other type":     {&lropb.StartOperationRequest{Kind: "sim", Request: pack(t, &emptypb.Empty{})}, "INVALID_REQUEST"},
			"not a message":  {&lropb.StartOperationRequest{Kind: "sim", Request: &anypb.Any{TypeUrl: "x/lro.v1.SimulateRequest", Value: []byte{0xff}}}, "INVALID_REQUEST"},
			"no type":        {&lropb.StartOperationRequest{Kind: "sim", Request: &anypb.Any{}}, "INVALID_REQUEST"},
			"not valid":      {&lropb.StartOperationRequest{Kind: "sim", Request: pack(t, &lropb.SimulateRequest{Steps: -1})}, "INVALID_REQUEST"},
			"bad parent":     {&lropb.StartOperationRequest{Kind: "sim", Parent: "/"}, "INVALID_PARENT"},
			"bad request ID": {&lropb.StartOperationRequest{Kind: "sim", RequestId: "\n"}, "INVALID_REQUEST_ID"},
		} {
			_, err := start(tc.req)
			wantError(t, name, err, codes.InvalidArgument, tc.reason)
		}
	})
	t.Run("lists kinds by name", func(t *testing.T) {
		t.Parallel()
		resp, err := r.starter.ListKinds(t.Context(), &lropb.ListKindsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, k := range resp.GetKinds() {
			got = append(got, k.GetName()+" "+k.GetRequestType())
		}
		if d := cmp.Diff([]string{"raw google.protobuf.Any", "sim lro.v1.SimulateRequest"}, got); d != "" {
			t.Errorf("kinds (-want +got):\n%s", d)
		}
	})
}

// A request whose bytes are no message of its type would fail in every attempt.
func TestStartIsTyped(t *testing.T) {
	t.Parallel()
	k, kinds := one(simKind{}, echo)
	r := newRig(t, rigOptions{kinds: kinds, idle: true})
	other := server.Kind[*emptypb.Empty, response, metadata]{Name: k.Name}
	_, err := other.Start(t.Context(), r.srv, nil, nil)
	wantError(t, "Start of a kind with other types", err, codes.Unimplemented, "UNKNOWN_KIND")
	missing := simKind{Name: "missing"}
	_, err = missing.Start(t.Context(), r.srv, nil, nil)
	wantError(t, "Start of a kind that is not registered", err, codes.Unimplemented, "UNKNOWN_KIND")
	_, err = k.Start(t.Context(), r.srv, &lropb.SimulateRequest{Echo: "\xff"}, nil)
	wantError(t, "Start of a request that cannot be encoded", err, codes.InvalidArgument, "INVALID_REQUEST")
}

func TestAuthorize(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var seen []server.Access
	quota := status.Error(codes.ResourceExhausted, "slow down")
	k, kinds := one(simKind{}, echo)
	r := newRig(t, rigOptions{kinds: kinds, idle: true, config: server.Config{
		Parent: "projects/p",
		Authorize: func(_ context.Context, a server.Access) error {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, a)
			if a.Name == "projects/quota" {
				return quota
			}
			return nil
		},
	}})
	name := r.start(t, k, nil, nil).GetName() // not asked: the program's own method decides
	ctx := t.Context()
	if _, err := r.starter.StartOperation(ctx, &lropb.StartOperationRequest{Kind: "sim"}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.starter.ListKinds(ctx, &lropb.ListKindsRequest{}); err != nil {
		t.Fatal(err)
	}
	r.get(t, name)
	r.list(t, &longrunningpb.ListOperationsRequest{Name: "projects/p/operations"})
	r.list(t, &longrunningpb.ListOperationsRequest{Name: "operations"})
	if _, err := r.ops.WaitOperation(ctx, &longrunningpb.WaitOperationRequest{Name: name, Timeout: &durationpb.Duration{}}); err != nil {
		t.Fatal(err)
	}
	r.cancel(t, name)
	r.delete(t, name)
	_, err := r.ops.ListOperations(ctx, &longrunningpb.ListOperationsRequest{Name: "projects/quota"})
	wantError(t, "ListOperations", err, codes.ResourceExhausted, "PERMISSION_DENIED")
	want := []server.Access{
		{Method: "StartOperation", Name: "projects/p", Kind: "sim"},
		{Method: "ListKinds"},
		{Method: "GetOperation", Name: name},
		{Method: "ListOperations", Name: "projects/p"},
		{Method: "ListOperations"},
		{Method: "WaitOperation", Name: name},
		{Method: "CancelOperation", Name: name},
		{Method: "DeleteOperation", Name: name},
		{Method: "ListOperations", Name: "projects/quota"},
	}
	mu.Lock()
	defer mu.Unlock()
	if d := cmp.Diff(want, slices.Clone(seen)); d != "" {
		t.Errorf("asked for (-want +got):\n%s", d)
	}
}
