package server_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
)

// TestConformanceProto checks what google/longrunning/operations.proto and
// longrunning.yaml say. docs/aip-conformance.md has the table.
func TestConformanceProto(t *testing.T) {
	t.Parallel()
	k, kinds := one(simKind{}, sleeper)
	empties := server.Kind[*emptypb.Empty, *emptypb.Empty, *wrapperspb.StringValue]{Name: "empty"}
	kinds = append(kinds, empties.Handle(func(_ context.Context, task *server.Task[*wrapperspb.StringValue], _ *emptypb.Empty) (*emptypb.Empty, error) {
		task.Report(wrapperspb.String("own metadata"))
		return &emptypb.Empty{}, nil
	}))
	hour := &lropb.SimulateRequest{Duration: durationpb.New(time.Hour)}
	setup := func(t *testing.T) *rig {
		t.Helper()
		return newRig(t, rigOptions{kinds: kinds, config: server.Config{Parent: "projects/p/locations/l"}})
	}

	t.Run("get_latest_state", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			r := setup(t)
			name := r.start(t, k, &lropb.SimulateRequest{Duration: durationpb.New(time.Minute)}, nil).GetName()
			synctest.Wait()
			if op := r.get(t, name); op.GetDone() || unpacked[metadata](t, op.GetMetadata()).GetState() != lropb.OperationMetadata_RUNNING {
				t.Errorf("GetOperation = %v, want RUNNING", op)
			}
			time.Sleep(time.Hour)
			synctest.Wait()
			if op := r.get(t, name); !op.GetDone() {
				t.Errorf("GetOperation after its end = %v, want done", op)
			}
		})
	})
	t.Run("every_method_is_implemented", func(t *testing.T) {
		t.Parallel()
		r := setup(t)
		name := r.start(t, k, hour, nil).GetName()
		ctx := t.Context()
		_, get := r.ops.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: name})
		_, list := r.ops.ListOperations(ctx, &longrunningpb.ListOperationsRequest{Name: "projects/p/locations/l"})
		_, wait := r.ops.WaitOperation(ctx, &longrunningpb.WaitOperationRequest{Name: name, Timeout: &durationpb.Duration{}})
		_, cancel := r.ops.CancelOperation(ctx, &longrunningpb.CancelOperationRequest{Name: name})
		_, del := r.ops.DeleteOperation(ctx, &longrunningpb.DeleteOperationRequest{Name: name})
		for method, err := range map[string]error{"Get": get, "List": list, "Wait": wait, "Cancel": cancel, "Delete": del} {
			if err != nil {
				t.Errorf("%sOperation = %v, want no error", method, err)
			}
		}
	})
	t.Run("list_name_is_the_parent", func(t *testing.T) {
		t.Parallel()
		r := setup(t)
		here := r.start(t, k, hour, nil).GetName()
		there := r.start(t, k, hour, &server.StartOptions{Parent: "projects/q"}).GetName()
		for parent, want := range map[string]string{
			"projects/p/locations/l": here, "projects/p/locations/l/operations": here,
			"projects/q": there, "projects/p": "", "operations": "", "": "",
			"projects/-": there, "projects/-/locations/-": here,
		} {
			if got := strings.Join(names(r.list(t, &longrunningpb.ListOperationsRequest{Name: parent}).GetOperations()), " "); got != want {
				t.Errorf("ListOperations of %q = %q, want %q", parent, got, want)
			}
		}
		if got := names(r.list(t, &longrunningpb.ListOperationsRequest{Name: "-"}).GetOperations()); len(got) != 2 {
			t.Errorf("ListOperations of %q = %q, want both", "-", got)
		}
	})
	t.Run("list_partial_success_unimplemented", func(t *testing.T) {
		t.Parallel()
		r := setup(t)
		_, err := r.ops.ListOperations(t.Context(), &longrunningpb.ListOperationsRequest{Name: "operations", ReturnPartialSuccess: true})
		wantError(t, "ListOperations", err, codes.Unimplemented, "PARTIAL_SUCCESS_UNSUPPORTED")
		if got := r.list(t, &longrunningpb.ListOperationsRequest{Name: "operations"}).GetUnreachable(); got != nil {
			t.Errorf("unreachable = %q, want it unset", got)
		}
	})
	t.Run("delete_does_not_cancel", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			ended := make(chan error, 1)
			k, kinds := one(simKind{}, func(ctx context.Context, task task, req request) (response, error) {
				resp, err := sleeper(ctx, task, req)
				ended <- err
				return resp, err
			})
			r := newRig(t, rigOptions{kinds: kinds})
			name := r.start(t, k, hour, nil).GetName()
			synctest.Wait()
			r.delete(t, name)
			begin := time.Now()
			if err := <-ended; err != nil || time.Since(begin) != time.Hour {
				t.Errorf("handler ended with %v after %s, want success after an hour", err, time.Since(begin))
			}
		})
	})
	t.Run("cancel_ends_with_code_1", func(t *testing.T) {
		t.Parallel()
		r := setup(t)
		name := r.start(t, k, hour, nil).GetName()
		r.cancel(t, name)
		if op := r.wait(t, name); op.GetError().GetCode() != 1 {
			t.Errorf("operation = %v, want an error of code 1", op)
		}
		if op := r.get(t, name); op.GetName() != name {
			t.Errorf("GetOperation after cancel = %v, want it not deleted", op)
		}
	})
	t.Run("cancel_is_best_effort", func(t *testing.T) {
		t.Parallel()
		running := make(chan struct{})
		k, kinds := one(simKind{}, func(ctx context.Context, task task, req request) (response, error) {
			close(running)
			<-ctx.Done()
			return echo(ctx, task, req)
		})
		r := newRig(t, rigOptions{kinds: kinds})
		name := r.start(t, k, nil, nil).GetName()
		<-running
		r.cancel(t, name)
		if op := r.wait(t, name); op.GetResponse() == nil {
			t.Errorf("operation whose handler finished all the same = %v, want a response", op)
		}
	})
	t.Run("wait_done_at_once", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			r := setup(t)
			name := r.start(t, k, nil, nil).GetName()
			r.waitLong(t, name)
			begin := time.Now()
			r.waitLong(t, name)
			if took := time.Since(begin); took != 0 {
				t.Errorf("WaitOperation of a done operation took %s, want no time", took)
			}
		})
	})
	t.Run("name_ends_in_operations_and_id", func(t *testing.T) {
		t.Parallel()
		r := setup(t)
		seen := map[string]bool{}
		for range 20 {
			name := r.start(t, k, hour, nil).GetName()
			id, ok := strings.CutPrefix(name, "projects/p/locations/l/operations/")
			if !ok || id == "" || strings.Contains(id, "/") || seen[name] {
				t.Errorf("name = %q, want a new one that ends in operations/{id}", name)
			}
			seen[name] = true
		}
	})
	t.Run("result_iff_done", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			r := setup(t)
			running := r.start(t, k, hour, nil)
			ok := r.start(t, k, nil, nil)
			cancelled := r.start(t, k, hour, nil)
			r.cancel(t, cancelled.GetName())
			synctest.Wait()
			for name, done := range map[string]bool{running.GetName(): false, ok.GetName(): true, cancelled.GetName(): true} {
				if op := r.get(t, name); op.GetDone() != done || (op.GetResult() != nil) != done {
					t.Errorf("operation = %v, want done %t and a result only if done", op, done)
				}
			}
		})
	})
	t.Run("response_and_metadata_types_are_the_kinds", func(t *testing.T) {
		t.Parallel()
		r := setup(t)
		op, err := empties.Start(t.Context(), r.srv, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		done := r.wait(t, op.GetName())
		unpacked[*emptypb.Empty](t, done.GetResponse())
		if got := unpacked[*wrapperspb.StringValue](t, done.GetMetadata()).GetValue(); got != "own metadata" {
			t.Errorf("metadata = %q, want what the handler reported", got)
		}
	})
	t.Run("no_rpc_is_called_create_operation", func(t *testing.T) {
		t.Parallel()
		r := setup(t)
		var reg registry
		r.srv.Register(&reg)
		r.srv.RegisterStarter(&reg)
		for _, name := range reg {
			if strings.HasSuffix(name, "CreateOperation") {
				t.Errorf("there is an RPC %s", name)
			}
		}
		if len(reg) != 7 {
			t.Errorf("RPCs = %q, want the five of Operations and the two of Starter", reg)
		}
	})
	t.Run("started_is_visible_at_once", func(t *testing.T) {
		t.Parallel()
		r := setup(t)
		for range 20 {
			name := r.start(t, k, hour, nil).GetName()
			r.get(t, name)
			if got := names(r.list(t, &longrunningpb.ListOperationsRequest{Name: "projects/p/locations/l", PageSize: 1}).GetOperations()); len(got) != 1 || got[0] != name {
				t.Errorf("ListOperations right after Start = %q, want %q first", got, name)
			}
		}
	})
	t.Run("store_failure_is_unavailable", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{kinds: kinds, idle: true})
		name := r.start(t, k, hour, nil).GetName()
		if err := r.eng.Close(); err != nil {
			t.Fatal(err)
		}
		_, err := r.ops.GetOperation(t.Context(), &longrunningpb.GetOperationRequest{Name: name})
		wantError(t, "GetOperation", err, codes.Unavailable, "STORE_UNAVAILABLE")
		_, err = k.Start(t.Context(), r.srv, hour, nil)
		wantError(t, "Start", err, codes.Unavailable, "STORE_UNAVAILABLE")
		if len(status.Convert(err).Details()) != 2 {
			t.Errorf("details = %v, want ErrorInfo and RetryInfo", status.Convert(err).Details())
		}
	})
}

// registry notes the methods that are registered with it.
type registry []string

func (r *registry) RegisterService(desc *grpc.ServiceDesc, _ any) {
	for _, m := range desc.Methods {
		*r = append(*r, desc.ServiceName+"/"+m.MethodName)
	}
}
