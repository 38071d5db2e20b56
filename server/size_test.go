package server_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine"
)

const mib = 1 << 20

func bytesOf(n int) string { return strings.Repeat("x", n) }

// TestMaxOperation: what a default gRPC client could not read does not become an
// operation, and the handler gets to know.
func TestMaxOperation(t *testing.T) {
	t.Parallel()
	reported := make(chan error, 10)
	var failure error
	k, kinds := one(simKind{}, func(_ context.Context, task task, req request) (response, error) {
		sizes := map[string][2]int{"metadata": {4 * mib, 0}, "response": {0, 4 * mib}, "together": {2 * mib, 2 * mib}, "fits": {1 * mib, 2 * mib}, "error": {3 * mib, 0}}[req.GetEcho()]
		reported <- task.Report(&lropb.OperationMetadata{StatusMessage: bytesOf(sizes[0])})
		if req.GetEcho() == "error" {
			return nil, failure
		}
		return &lropb.SimulateResponse{Echo: bytesOf(sizes[1])}, nil
	})
	detail, err := anypb.New(&lropb.SimulateResponse{Echo: bytesOf(2 * mib)})
	if err != nil {
		t.Fatal(err)
	}
	st := status.New(codes.DataLoss, bytesOf(2*mib)).Proto()
	st.Details = append(st.Details, detail)
	failure = status.FromProto(st).Err()
	r := newRig(t, rigOptions{kinds: kinds})
	for _, tt := range []struct {
		what     string
		reported bool
		code     codes.Code
	}{
		{"metadata", false, codes.OK},
		{"response", true, codes.ResourceExhausted},
		{"together", true, codes.ResourceExhausted},
		{"fits", true, codes.OK},
		{"error", true, codes.DataLoss},
	} {
		op := r.wait(t, r.start(t, k, &lropb.SimulateRequest{Echo: tt.what}, nil).GetName())
		if err := <-reported; (err == nil) != tt.reported || err != nil && !errors.Is(err, engine.ErrTooLarge) {
			t.Errorf("%s: Report = %v, want an error: %v", tt.what, err, !tt.reported)
		}
		if got := codes.Code(op.GetError().GetCode()); got != tt.code {
			t.Errorf("%s: code %v, want %v", tt.what, got, tt.code)
		}
	}
	if ops := r.list(t, &longrunningpb.ListOperationsRequest{Name: "operations", PageSize: 1}).GetOperations(); len(ops) != 1 {
		t.Errorf("page has %d operations, want 1", len(ops))
	}
}

func TestMaxOperationExternal(t *testing.T) {
	t.Parallel()
	k := simKind{Name: "ext"}
	r := newRig(t, rigOptions{kinds: []server.Registration{k.External()}})
	if _, err := k.Start(t.Context(), r.srv, nil, &server.StartOptions{Metadata: &lropb.OperationMetadata{StatusMessage: bytesOf(4 * mib)}}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("Start with 4 MiB of metadata = %v, want INVALID_ARGUMENT", err)
	}
	name := r.start(t, k, nil, nil).GetName()
	ext, err := k.Attach(t.Context(), r.srv, name)
	if err != nil {
		t.Fatal(err)
	}
	if err := ext.Report(t.Context(), &lropb.OperationMetadata{StatusMessage: bytesOf(4 * mib)}); !errors.Is(err, engine.ErrTooLarge) {
		t.Errorf("Report of 4 MiB = %v, want %v", err, engine.ErrTooLarge)
	}
	if err := ext.Report(t.Context(), &lropb.OperationMetadata{StatusMessage: bytesOf(2 * mib)}); err != nil {
		t.Errorf("Report of 2 MiB = %v", err)
	}
	again, err := k.Attach(t.Context(), r.srv, name)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []*server.External[response, metadata]{ext, again} {
		if err := e.Complete(t.Context(), &lropb.SimulateResponse{Echo: bytesOf(2 * mib)}); !errors.Is(err, engine.ErrTooLarge) {
			t.Errorf("Complete with 2 MiB beside 2 MiB = %v, want %v", err, engine.ErrTooLarge)
		}
	}
	if err := ext.Complete(t.Context(), &lropb.SimulateResponse{Echo: bytesOf(mib)}); err != nil {
		t.Errorf("Complete with 1 MiB = %v", err)
	}
}

// TestMaxOperationRaised: a program may allow more. Lists stay readable for
// every client, also of files with older operations.
func TestMaxOperationRaised(t *testing.T) {
	t.Parallel()
	k := simKind{Name: "ext"}
	r := newRig(t, rigOptions{kinds: []server.Registration{k.External()}, config: server.Config{MaxOperation: 12 * mib}})
	var want []string
	end := func(meta int, resp int, failure error) {
		t.Helper()
		name := r.start(t, k, nil, nil).GetName()
		want = append([]string{name}, want...)
		ext, err := k.Attach(t.Context(), r.srv, name)
		if err == nil {
			err = ext.Report(t.Context(), &lropb.OperationMetadata{StatusMessage: bytesOf(meta), Target: "shelves/1"})
		}
		switch {
		case err != nil:
		case failure != nil:
			err = ext.Fail(t.Context(), failure)
		case resp > 0:
			err = ext.Complete(t.Context(), &lropb.SimulateResponse{Echo: bytesOf(resp)})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	end(10, 10, nil)
	end(5*mib, 0, nil)  // running
	end(5*mib, 10, nil) // metadata too large
	end(10, 5*mib, nil) // response too large
	end(5*mib, 5*mib, nil)
	end(10, 0, status.Error(codes.DataLoss, bytesOf(5*mib)))
	end(10, 10, nil)
	for _, size := range []int32{1, 100} {
		var got []string
		codesOf := map[string]codes.Code{}
		for token := ""; ; {
			page := r.list(t, &longrunningpb.ListOperationsRequest{Name: "operations", PageSize: size, PageToken: token})
			if n := proto.Size(page); n > 4*mib {
				t.Errorf("a page has %d bytes", n)
			}
			got = append(got, names(page.GetOperations())...)
			for _, op := range page.GetOperations() {
				if op.GetDone() != (op.GetResult() != nil) {
					t.Errorf("listed operation of %d bytes: done %v, result %T", proto.Size(op), op.GetDone(), op.GetResult())
				}
				if op.GetError() != nil {
					codesOf[op.GetName()] = codes.Code(op.GetError().GetCode())
				}
				md := unpacked[metadata](t, op.GetMetadata())
				if (md.GetState() >= lropb.OperationMetadata_SUCCEEDED) != op.GetDone() {
					t.Errorf("state is %v of an operation with done %v", md.GetState(), op.GetDone())
				}
			}
			if token = page.GetNextPageToken(); token == "" {
				break
			}
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("pages of %d have %q, want %q", size, got, want)
		}
		if len(codesOf) != 3 || codesOf[want[1]] != codes.DataLoss || codesOf[want[2]] != codes.ResourceExhausted || codesOf[want[3]] != codes.ResourceExhausted {
			t.Errorf("errors in the list = %v, want two results that are too large and DATA_LOSS", codesOf)
		}
	}
	// The whole of it is there for who asks for one.
	op, err := r.srv.Operations().GetOperation(t.Context(), &longrunningpb.GetOperationRequest{Name: want[2]})
	if err != nil || op.GetResponse() == nil || proto.Size(op) < 10*mib {
		t.Errorf("GetOperation = %d bytes, %v; want the response", proto.Size(op), err)
	}
}
