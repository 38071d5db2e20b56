package server_test

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
)

// TestConformanceOpen checks the rules for what the specification leaves open.
func TestConformanceOpen(t *testing.T) {
	t.Parallel()
	k, kinds := one(simKind{}, sleeper)
	hour := &lropb.SimulateRequest{Duration: durationpb.New(time.Hour)}
	setup := func(t *testing.T, c server.Config) (r *rig, running, ended string) {
		t.Helper()
		r = newRig(t, rigOptions{kinds: kinds, config: c})
		ended = r.start(t, k, nil, nil).GetName()
		r.wait(t, ended)
		return r, r.start(t, k, hour, nil).GetName(), ended
	}
	strict := server.Config{Strict: true}

	t.Run("cancel_of_done_changes_nothing", func(t *testing.T) {
		t.Parallel()
		r, _, ended := setup(t, server.Config{})
		r.cancel(t, ended)
		if op := r.get(t, ended); op.GetResponse() == nil || unpacked[metadata](t, op.GetMetadata()).GetRequestedCancellation() {
			t.Errorf("operation after a late cancel = %v, want it as it was", op)
		}
	})
	t.Run("cancel_of_done_strict", func(t *testing.T) {
		t.Parallel()
		r, running, ended := setup(t, strict)
		_, err := r.ops.CancelOperation(t.Context(), &longrunningpb.CancelOperationRequest{Name: ended})
		wantError(t, "CancelOperation", err, codes.FailedPrecondition, "OPERATION_HAS_ENDED")
		_, err = r.ops.CancelOperation(t.Context(), &longrunningpb.CancelOperationRequest{Name: "operations/none"})
		wantError(t, "CancelOperation of nothing", err, codes.NotFound, "OPERATION_NOT_FOUND")
		r.cancel(t, running)
	})
	t.Run("second_cancel_is_ok", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			k, kinds := one(simKind{}, func(ctx context.Context, _ task, _ request) (response, error) {
				<-ctx.Done()
				time.Sleep(time.Minute) // takes its time to stop
				return nil, ctx.Err()
			})
			r := newRig(t, rigOptions{kinds: kinds})
			name := r.start(t, k, nil, nil).GetName()
			synctest.Wait()
			r.cancel(t, name)
			synctest.Wait()
			r.cancel(t, name)
			r.waitLong(t, name)
			r.cancel(t, name)
		})
	})
	t.Run("cancel_of_pending", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{kinds: kinds, idle: true})
		name := r.start(t, k, hour, nil).GetName()
		r.cancel(t, name)
		if op := r.get(t, name); op.GetError().GetCode() != 1 {
			t.Errorf("operation = %v, want CANCELLED at once", op)
		}
	})
	t.Run("delete_of_running_hides", func(t *testing.T) {
		t.Parallel()
		r, running, _ := setup(t, server.Config{})
		r.delete(t, running)
		_, err := r.ops.GetOperation(t.Context(), &longrunningpb.GetOperationRequest{Name: running})
		wantError(t, "GetOperation", err, codes.NotFound, "OPERATION_NOT_FOUND")
		_, err = r.ops.CancelOperation(t.Context(), &longrunningpb.CancelOperationRequest{Name: running})
		wantError(t, "CancelOperation", err, codes.NotFound, "OPERATION_NOT_FOUND")
		_, err = r.ops.WaitOperation(t.Context(), &longrunningpb.WaitOperationRequest{Name: running})
		wantError(t, "WaitOperation", err, codes.NotFound, "OPERATION_NOT_FOUND")
		if got := names(r.list(t, &longrunningpb.ListOperationsRequest{}).GetOperations()); slices.Contains(got, running) {
			t.Errorf("ListOperations = %q, shows the deleted operation", got)
		}
	})
	t.Run("delete_of_running_strict", func(t *testing.T) {
		t.Parallel()
		r, running, ended := setup(t, strict)
		_, err := r.ops.DeleteOperation(t.Context(), &longrunningpb.DeleteOperationRequest{Name: running})
		wantError(t, "DeleteOperation", err, codes.FailedPrecondition, "OPERATION_HAS_NOT_ENDED")
		_, err = r.ops.DeleteOperation(t.Context(), &longrunningpb.DeleteOperationRequest{Name: "operations/none"})
		wantError(t, "DeleteOperation of nothing", err, codes.NotFound, "OPERATION_NOT_FOUND")
		r.get(t, running)
		r.delete(t, ended)
	})
	t.Run("delete_twice", func(t *testing.T) {
		t.Parallel()
		r, _, ended := setup(t, server.Config{})
		r.delete(t, ended)
		_, err := r.ops.DeleteOperation(t.Context(), &longrunningpb.DeleteOperationRequest{Name: ended})
		wantError(t, "second DeleteOperation", err, codes.NotFound, "OPERATION_NOT_FOUND")
	})
	t.Run("metadata_stays_once_done", func(t *testing.T) {
		t.Parallel()
		k, kinds := one(simKind{}, func(ctx context.Context, task task, req request) (response, error) {
			task.Report(&lropb.OperationMetadata{StatusMessage: "nearly done"})
			return echo(ctx, task, req)
		})
		r := newRig(t, rigOptions{kinds: kinds})
		op := r.wait(t, r.start(t, k, nil, nil).GetName())
		if md := unpacked[metadata](t, op.GetMetadata()); md.GetStatusMessage() != "nearly done" {
			t.Errorf("metadata = %v, want the last that was reported", md)
		}
	})
}

// TestConformanceNames checks names (AIP-122) and states (AIP-216).
func TestConformanceNames(t *testing.T) {
	t.Parallel()
	k, kinds := one(simKind{}, echo)

	t.Run("id_is_dns_safe", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{kinds: kinds, idle: true})
		form := regexp.MustCompile(`^operations/[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
		for range 20 {
			if name := r.start(t, k, nil, nil).GetName(); !form.MatchString(name) {
				t.Errorf("name = %q, want a match of %s", name, form)
			}
		}
	})
	t.Run("sits_under_a_parent", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{kinds: kinds, idle: true, config: server.Config{Parent: "projects/p/locations/l"}})
		own := r.start(t, k, nil, nil).GetName()
		other := r.start(t, k, nil, &server.StartOptions{Parent: "publishers/x"}).GetName()
		if !strings.HasPrefix(own, "projects/p/locations/l/operations/") || !strings.HasPrefix(other, "publishers/x/operations/") {
			t.Errorf("names = %q, %q, want them under their parents", own, other)
		}
		for _, bad := range []string{"a/", "/a", "a//b", "a/../b", "a/-", "a b", "operations", "a/operations", "ä", strings.Repeat("a", 2000)} {
			_, err := k.Start(t.Context(), r.srv, nil, &server.StartOptions{Parent: bad})
			wantError(t, "Start under "+bad[:min(20, len(bad))], err, codes.InvalidArgument, "INVALID_PARENT")
		}
	})
	t.Run("hostile_names", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{kinds: kinds, idle: true})
		ops, ctx := r.srv.Operations(), t.Context()
		for name, code := range map[string]codes.Code{
			"": codes.InvalidArgument, "x": codes.InvalidArgument, "operations": codes.InvalidArgument,
			"operations/": codes.InvalidArgument, "operations/..": codes.InvalidArgument,
			"operations/a\x00": codes.InvalidArgument, "operations/\xff": codes.InvalidArgument,
			"operations/a%2Fb": codes.InvalidArgument, "operations/';--": codes.NotFound,
			"operations/" + strings.Repeat("a", 1<<20): codes.InvalidArgument,
			"operations/0": codes.NotFound, "operations/A": codes.NotFound, "p/q/operations/x": codes.NotFound,
		} {
			_, get := ops.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: name})
			_, wait := ops.WaitOperation(ctx, &longrunningpb.WaitOperationRequest{Name: name})
			_, cancel := ops.CancelOperation(ctx, &longrunningpb.CancelOperationRequest{Name: name})
			_, del := ops.DeleteOperation(ctx, &longrunningpb.DeleteOperationRequest{Name: name})
			reason := map[codes.Code]string{codes.InvalidArgument: "INVALID_NAME", codes.NotFound: "OPERATION_NOT_FOUND"}[code]
			for method, err := range map[string]error{"Get": get, "Wait": wait, "Cancel": cancel, "Delete": del} {
				wantError(t, method+"Operation of "+name[:min(20, len(name))], err, code, reason)
			}
		}
	})
	t.Run("name_of_another_parent_is_not_found", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{kinds: kinds, idle: true, config: server.Config{Parent: "projects/p"}})
		_, id, _ := strings.Cut(r.start(t, k, nil, nil).GetName(), "projects/p/")
		for _, name := range []string{id, "projects/q/" + id, "projects/p/x/y/" + id} {
			_, err := r.ops.GetOperation(t.Context(), &longrunningpb.GetOperationRequest{Name: name})
			wantError(t, "GetOperation of "+name, err, codes.NotFound, "OPERATION_NOT_FOUND")
		}
	})
	t.Run("states", func(t *testing.T) {
		t.Parallel()
		values := lropb.OperationMetadata_State(0).Descriptor().Values()
		var got []string
		for i := range values.Len() {
			got = append(got, string(values.Get(i).Name()))
		}
		want := []string{"STATE_UNSPECIFIED", "PENDING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"}
		if !slices.Equal(got, want) {
			t.Errorf("states = %q, want %q", got, want)
		}
	})
	t.Run("ready_made_metadata", func(t *testing.T) {
		t.Parallel()
		fields := (&lropb.OperationMetadata{}).ProtoReflect().Descriptor().Fields()
		for _, name := range []string{
			"create_time", "start_time", "update_time", "end_time", "target", "verb", "api_version",
			"requested_cancellation", "status_message", "state", "progress_percent", "progress", "attempt", "partial_errors",
		} {
			if fields.ByTextName(name) == nil {
				t.Errorf("OperationMetadata has no field %q", name)
			}
		}
	})
	t.Run("done_means_consistent", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{kinds: kinds})
		for range 20 {
			name := r.start(t, k, nil, nil).GetName()
			r.wait(t, name)
			if got := names(r.list(t, &longrunningpb.ListOperationsRequest{PageSize: 1, Filter: "done:true"}).GetOperations()); len(got) != 1 || got[0] != name {
				t.Errorf("done operations after Wait = %q, want %q first", got, name)
			}
		}
	})
}
