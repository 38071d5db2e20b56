package lrotest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/lrotest"
)

func TestUnknownName(t *testing.T) {
	t.Parallel()
	bubbles(t, func(t *testing.T, tr transport) {
		var srv lrotest.Server
		srv.Add("operations/other")
		stub, ctx := tr.connect(t, &srv), t.Context()
		_, getErr := stub.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: name})
		_, waitErr := stub.WaitOperation(ctx, &longrunningpb.WaitOperationRequest{Name: name})
		_, cancelErr := stub.CancelOperation(ctx, &longrunningpb.CancelOperationRequest{Name: name})
		_, deleteErr := stub.DeleteOperation(ctx, &longrunningpb.DeleteOperationRequest{Name: name})
		for rpc, err := range map[lrotest.RPC]error{
			lrotest.GetOperation: getErr, lrotest.WaitOperation: waitErr,
			lrotest.CancelOperation: cancelErr, lrotest.DeleteOperation: deleteErr,
		} {
			if status.Code(err) != codes.NotFound {
				t.Errorf("%v of an unknown name: %v, want NotFound", rpc, err)
			}
		}
	})
}

func TestDelete(t *testing.T) {
	t.Parallel()
	bubbles(t, func(t *testing.T, tr transport) {
		var srv lrotest.Server
		script := srv.Add(name, lrotest.Succeeded(value("r")))
		stub := tr.connect(t, &srv)
		req := &longrunningpb.DeleteOperationRequest{Name: name}
		if _, err := stub.DeleteOperation(t.Context(), req); err != nil {
			t.Fatalf("DeleteOperation: %v", err)
		}
		if _, err := stub.DeleteOperation(t.Context(), req); status.Code(err) != codes.NotFound {
			t.Errorf("DeleteOperation again: %v, want NotFound", err)
		}
		if got := get(t, stub); got != "error NotFound" {
			t.Errorf("GetOperation after DeleteOperation: %q, want NotFound", got)
		}
		page, err := stub.ListOperations(t.Context(), &longrunningpb.ListOperationsRequest{Name: "projects/p"})
		if err != nil || len(page.GetOperations()) != 0 {
			t.Errorf("ListOperations after DeleteOperation: (%v, %v), want none", page, err)
		}
		if got := summary(script.Proto(), nil); got != "succeeded r" {
			t.Errorf("Proto after DeleteOperation: %q, want the state", got)
		}
	})
}

func TestCalls(t *testing.T) {
	t.Parallel()
	bubbles(t, func(t *testing.T, tr transport) {
		var srv lrotest.Server
		script := srv.Add(name, lrotest.PollError(codes.Internal, ""), lrotest.Running(nil))
		srv.Add("operations/other")
		stub := tr.connect(t, &srv)
		begin := time.Now()
		ctx := metadata.AppendToOutgoingContext(t.Context(), "x-tenant", "acme", "x-tenant", "umbrella")
		stub.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: name})
		time.Sleep(time.Minute) // sleep: in a bubble
		stub.WaitOperation(ctx, &longrunningpb.WaitOperationRequest{Name: name, Timeout: durationpb.New(time.Minute)})
		stub.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: "operations/missing"})
		stub.CancelOperation(ctx, &longrunningpb.CancelOperationRequest{Name: name})
		stub.ListOperations(ctx, &longrunningpb.ListOperationsRequest{Name: "projects/p", PageSize: 7})
		stub.DeleteOperation(ctx, &longrunningpb.DeleteOperationRequest{Name: "operations/other"})

		want := []lrotest.Call{
			{RPC: lrotest.GetOperation, Name: name, Request: &longrunningpb.GetOperationRequest{Name: name}, Time: begin},
			{
				RPC: lrotest.WaitOperation, Name: name, Time: begin.Add(time.Minute),
				Request: &longrunningpb.WaitOperationRequest{Name: name, Timeout: durationpb.New(time.Minute)},
			},
			{
				RPC: lrotest.GetOperation, Name: "operations/missing", Time: begin.Add(2 * time.Minute),
				Request: &longrunningpb.GetOperationRequest{Name: "operations/missing"},
			},
			{
				RPC: lrotest.CancelOperation, Name: name, Time: begin.Add(2 * time.Minute),
				Request: &longrunningpb.CancelOperationRequest{Name: name},
			},
			{
				RPC: lrotest.ListOperations, Name: "projects/p", Time: begin.Add(2 * time.Minute),
				Request: &longrunningpb.ListOperationsRequest{Name: "projects/p", PageSize: 7},
			},
			{
				RPC: lrotest.DeleteOperation, Name: "operations/other", Time: begin.Add(2 * time.Minute),
				Request: &longrunningpb.DeleteOperationRequest{Name: "operations/other"},
			},
		}
		for i := range want {
			want[i].Metadata = metadata.MD{"x-tenant": {"acme", "umbrella"}}
		}
		compare := func(what string, got []lrotest.Call, indices ...int) {
			t.Helper()
			for i := range got {
				got[i].Metadata = metadata.MD{"x-tenant": got[i].Metadata["x-tenant"]}
			}
			some := make([]lrotest.Call, len(indices))
			for i, index := range indices {
				some[i] = want[index]
			}
			if diff := cmp.Diff(some, got, protocmp.Transform()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
		}
		compare("Server.Calls()", srv.Calls(), 0, 1, 2, 3, 4, 5)
		compare("Server.Calls(GetOperation, ListOperations)", srv.Calls(lrotest.GetOperation, lrotest.ListOperations), 0, 2, 4)
		compare("Script.Calls()", script.Calls(), 0, 1, 3)
		compare("Script.Calls(CancelOperation)", script.Calls(lrotest.CancelOperation), 3)
		compare("Script.Calls(DeleteOperation)", script.Calls(lrotest.DeleteOperation))
	})
}

func TestWithout(t *testing.T) {
	t.Parallel()
	bubbles(t, func(t *testing.T, tr transport) {
		srv := lrotest.Server{
			Without: []lrotest.RPC{lrotest.WaitOperation, lrotest.ListOperations},
			OnCall: func(_ context.Context, c lrotest.Call) error {
				if c.RPC == lrotest.WaitOperation {
					t.Error("OnCall was called for a method that the server is without")
				}
				return nil
			},
		}
		srv.Add(name, lrotest.Succeeded(value("r")))
		stub := tr.connect(t, &srv)
		if got := wait(t.Context(), stub, time.Minute); got != "error Unimplemented" {
			t.Errorf("WaitOperation: %q, want Unimplemented", got)
		}
		_, err := stub.ListOperations(t.Context(), &longrunningpb.ListOperationsRequest{})
		if status.Code(err) != codes.Unimplemented {
			t.Errorf("ListOperations: %v, want Unimplemented", err)
		}
		if got := get(t, stub); got != "succeeded r" {
			t.Errorf("GetOperation: %q, want it to work", got)
		}
		if n := len(srv.Calls()); n != 3 {
			t.Errorf("%d calls recorded, want 3: refused ones also", n)
		}
	})
}

func TestOnCall(t *testing.T) {
	t.Parallel()
	bubbles(t, func(t *testing.T, tr transport) {
		const slow = 3 * time.Second
		fail := errors.New("not a status")
		srv := lrotest.Server{OnCall: func(ctx context.Context, c lrotest.Call) error {
			if md, _ := metadata.FromOutgoingContext(ctx); len(md) > 0 {
				t.Errorf("the server would send on metadata %v of the call", md)
			}
			if c.RPC == lrotest.WaitOperation {
				return fail
			}
			time.Sleep(slow) // sleep: in a bubble
			method, _ := grpc.Method(ctx)
			return errors.Join(
				grpc.SetHeader(ctx, metadata.Pairs("retry-after", "60")),
				grpc.SendHeader(ctx, metadata.Pairs("x-method", method)),
				grpc.SetTrailer(ctx, metadata.Pairs("x-trailer", "end")),
			)
		}}
		script := srv.Add(name, lrotest.Running(nil), lrotest.Succeeded(value("r")))
		stub := tr.connect(t, &srv)
		ctx := metadata.AppendToOutgoingContext(t.Context(), "x-tenant", "acme")
		if got := wait(ctx, stub, time.Minute); got != "error Unknown" {
			t.Errorf("WaitOperation: %q, want the error of OnCall", got)
		}
		begin := time.Now()
		var header, trailer metadata.MD
		op, err := stub.GetOperation(t.Context(), &longrunningpb.GetOperationRequest{Name: name}, grpc.Header(&header), grpc.Trailer(&trailer))
		if got := summary(op, err); got != "running" {
			t.Errorf("GetOperation: %q, want the first step: a refused call uses up none", got)
		}
		if took := time.Since(begin); took != slow {
			t.Errorf("GetOperation took %v, want %v", took, slow)
		}
		got := fmt.Sprint(header["retry-after"], header["x-method"], metadata.Join(header, trailer)["x-trailer"])
		if want := "[60] [/google.longrunning.Operations/GetOperation] [end]"; got != want {
			t.Errorf("headers of GetOperation: %s, want %s", got, want)
		}
		if left := fmt.Sprint(script.Unused()); left != "[Succeeded]" {
			t.Errorf("Unused: %s, want Succeeded", left)
		}
	})
}

// A call whose ctx has ended fails by that, whatever the server says.
func TestEndedContext(t *testing.T) {
	t.Parallel()
	bubbles(t, func(t *testing.T, tr transport) {
		srv := lrotest.Server{OnCall: func(context.Context, lrotest.Call) error {
			time.Sleep(time.Minute) // sleep: in a bubble
			return nil
		}}
		srv.Add(name, lrotest.Succeeded(nil))
		stub := tr.connect(t, &srv)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if got := wait(ctx, stub, 0); got != "error DeadlineExceeded" {
			t.Errorf("slower than the deadline: %q, want DeadlineExceeded", got)
		}
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		if got := wait(cancelled, stub, 0); got != "error Canceled" {
			t.Errorf("cancelled before: %q, want Canceled", got)
		}
		if n := len(srv.Calls()); n != 1 {
			t.Errorf("%d calls reached the server, want the first only", n)
		}
	})
}

// The stub gives away nothing that belongs to the server.
func TestAnswersAreCopies(t *testing.T) {
	t.Parallel()
	var srv lrotest.Server
	response := value("r")
	srv.Add(name, lrotest.Succeeded(response))
	stub := srv.Stub()
	req := &longrunningpb.GetOperationRequest{Name: name}
	op, err := stub.GetOperation(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	req.Name = "changed"
	if got := srv.Calls()[0].Request.(*longrunningpb.GetOperationRequest).GetName(); got != name {
		t.Errorf("recorded request after it was modified: name %q, want %q", got, name)
	}
	op.GetResponse().Value = nil
	op.Name = "changed"
	if got := get(t, stub); got != "succeeded r" {
		t.Errorf("GetOperation after an answer was modified: %q, want succeeded r", got)
	}
}

// Each untimed step answers as many as it should, however many ask at once.
func TestConcurrentQuestions(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, tr transport) {
		const each = 20
		var srv lrotest.Server
		script := srv.Add(name,
			lrotest.Running(value("a")).Times(each), lrotest.PollError(codes.Internal, "").Times(each), lrotest.Succeeded(value("r")))
		stub := tr.connect(t, &srv)
		var mu sync.Mutex
		var got []string
		var wg sync.WaitGroup
		for i := range 3 * each {
			wg.Go(func() {
				answer := ""
				if i%2 == 0 {
					answer = get(t, stub)
				} else {
					answer = wait(t.Context(), stub, time.Hour)
				}
				script.Proto()
				script.Unused()
				srv.Calls(lrotest.GetOperation)
				mu.Lock()
				defer mu.Unlock()
				got = append(got, answer)
			})
		}
		wg.Wait()
		slices.Sort(got)
		want := slices.Concat(
			slices.Repeat([]string{"error Internal"}, each),
			slices.Repeat([]string{"running with a"}, each),
			slices.Repeat([]string{"succeeded r with a"}, each),
		)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("answers (-want +got):\n%s", diff)
		}
		if n := len(script.Calls()); n != 3*each {
			t.Errorf("%d calls recorded, want %d", n, 3*each)
		}
	})
}

func TestAddNames(t *testing.T) {
	t.Parallel()
	var srv lrotest.Server
	var got []string
	for _, n := range []string{"", "operations/3", "", "operations/a b/c?d#e"} {
		got = append(got, srv.Add(n).Name())
	}
	if want := "operations/1 operations/3 operations/4 operations/a b/c?d#e"; strings.Join(got, " ") != want {
		t.Errorf("names %q, want %q", got, want)
	}
	wantPanic(t, `lrotest: Server.Add: there is an operation "operations/3" already`, func() { srv.Add("operations/3") })
}

// A client that waits gets through everything.
func TestThroughClient(t *testing.T) {
	t.Parallel()
	bubbles(t, func(t *testing.T, tr transport) {
		var srv lrotest.Server
		script := srv.Add(name,
			lrotest.Running(nil),
			lrotest.PollError(codes.Unavailable, "").For(time.Minute),
			lrotest.Drop(),
			lrotest.Running(value("half")).For(10*time.Minute),
			lrotest.Hang().Times(2),
			lrotest.Running(value("more")).For(time.Hour),
			lrotest.Failed(codes.DataLoss, "sector", value("detail")),
		)
		client := lro.NewClient(tr.connect(t, &srv))
		op, err := lro.Any().Resume(client, name)
		if err != nil {
			t.Fatal(err)
		}
		_, err = op.Wait(t.Context())
		failed, ok := errors.AsType[*lro.OperationError](err)
		if !ok || failed.Code() != codes.DataLoss || failed.Message() != "sector" || len(failed.Details()) != 1 {
			t.Errorf("Wait: %v, want DataLoss with a detail", err)
		}
		if left := script.Unused(); len(left) > 0 {
			t.Errorf("Unused: %v, want none", left)
		}
		for _, c := range script.Calls() {
			if got := c.Metadata["x-goog-request-params"]; len(got) != 1 || got[0] != "name=projects%2Fp%2Foperations%2Fx" {
				t.Errorf("%v came with routing header %q", c.RPC, got)
			}
		}
	})
}

// Many operations that end one after the other.
func TestManyOperations(t *testing.T) {
	t.Parallel()
	bubbles(t, func(t *testing.T, tr transport) {
		const n = 30
		var srv lrotest.Server
		client := lro.NewClient(tr.connect(t, &srv))
		var ops []lro.Handle
		for i := range n {
			script := srv.Add("", lrotest.Running(nil).For(time.Duration(i)*time.Second), lrotest.Succeeded(value("r")))
			op, err := lro.Any().Wrap(client, script.Proto())
			if err != nil {
				t.Fatal(err)
			}
			ops = append(ops, op)
		}
		begin := time.Now()
		if err := lro.WaitAll(t.Context(), ops...); err != nil {
			t.Errorf("WaitAll: %v", err)
		}
		if took := time.Since(begin); took < (n-1)*time.Second || took > (n+60)*time.Second {
			t.Errorf("WaitAll took %v, want little more than %v", took, (n-1)*time.Second)
		}
	})
}
