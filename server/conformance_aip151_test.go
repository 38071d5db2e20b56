package server_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
)

// TestConformanceAIP151 checks AIP-151, and what AIP-152, 153 and 163 add.
func TestConformanceAIP151(t *testing.T) {
	t.Parallel()
	k, kinds := one(simKind{}, sleeper)
	hour := &lropb.SimulateRequest{Duration: durationpb.New(time.Hour)}

	t.Run("start_returns_operation_unary", func(t *testing.T) {
		t.Parallel()
		m := lropb.File_lro_v1_starter_proto.Services().ByName("Starter").Methods().ByName("StartOperation")
		if got := m.Output().FullName(); got != "google.longrunning.Operation" || m.IsStreamingServer() || m.IsStreamingClient() {
			t.Errorf("StartOperation returns %s, streaming %t, want google.longrunning.Operation, unary", got, m.IsStreamingServer())
		}
	})
	t.Run("kinds_have_both_types", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{kinds: kinds})
		resp, err := r.starter.ListKinds(t.Context(), &lropb.ListKindsRequest{})
		if err != nil || len(resp.GetKinds()) != 1 {
			t.Fatalf("ListKinds = %v, %v, want one kind", resp, err)
		}
		got := resp.GetKinds()[0]
		if got.GetName() != "sim" || got.GetRequestType() != "lro.v1.SimulateRequest" ||
			got.GetResponseType() != "lro.v1.SimulateResponse" || got.GetMetadataType() != "lro.v1.OperationMetadata" {
			t.Errorf("kind = %v, want its name and three types", got)
		}
	})
	t.Run("parallel_not_permitted_is_aborted", func(t *testing.T) {
		t.Parallel()
		busy := status.Error(codes.Aborted, "another export is running")
		k, kinds := one(simKind{Validate: func(context.Context, request) error { return busy }}, sleeper)
		r := newRig(t, rigOptions{kinds: kinds})
		op, err := k.Start(t.Context(), r.srv, nil, nil)
		wantError(t, "Start", err, codes.Aborted, "INVALID_REQUEST")
		if status.Convert(err).Message() != "another export is running" || op != nil {
			t.Errorf("Start = %v, %v, want the message and no operation", op, err)
		}
	})
	t.Run("failed_start_makes_no_operation", func(t *testing.T) {
		t.Parallel()
		k, kinds := one(simKind{Validate: func(_ context.Context, req request) error {
			if req.GetSteps() < 0 {
				return status.Error(codes.InvalidArgument, "steps is negative")
			}
			return nil
		}}, sleeper)
		r := newRig(t, rigOptions{kinds: kinds})
		_, err := k.Start(t.Context(), r.srv, &lropb.SimulateRequest{Steps: -1}, nil)
		wantError(t, "Start", err, codes.InvalidArgument, "INVALID_REQUEST")
		if got := r.list(t, &longrunningpb.ListOperationsRequest{}).GetOperations(); len(got) != 0 {
			t.Errorf("operations after a failed start = %v, want none", got)
		}
	})
	t.Run("failure_is_in_the_operation", func(t *testing.T) {
		t.Parallel()
		k, kinds := one(simKind{}, func(context.Context, task, request) (response, error) {
			return nil, status.Error(codes.ResourceExhausted, "disk is full")
		})
		r := newRig(t, rigOptions{kinds: kinds})
		op := r.wait(t, r.start(t, k, nil, nil).GetName())
		wantStatus(t, "operation", op.GetError(), codes.ResourceExhausted, "RESOURCE_EXHAUSTED")
	})
	t.Run("partial_errors_are_statuses", func(t *testing.T) {
		t.Parallel()
		k, kinds := one(simKind{}, func(ctx context.Context, task task, req request) (response, error) {
			md := task.Metadata()
			md.PartialErrors = append(md.PartialErrors, &spb.Status{Code: 5, Message: "a.txt is gone"})
			task.Report(md)
			return echo(ctx, task, req)
		})
		r := newRig(t, rigOptions{kinds: kinds})
		op := r.wait(t, r.start(t, k, nil, nil).GetName())
		if got := unpacked[metadata](t, op.GetMetadata()).GetPartialErrors(); op.GetResponse() == nil || len(got) != 1 || got[0].GetCode() != 5 {
			t.Errorf("operation = %v, want a response and one partial error", op)
		}
	})
	t.Run("validate_only", func(t *testing.T) {
		t.Parallel()
		k, kinds := one(simKind{Validate: func(_ context.Context, req request) error {
			if req.GetSteps() < 0 {
				return status.Error(codes.InvalidArgument, "steps is negative")
			}
			return nil
		}}, sleeper)
		r := newRig(t, rigOptions{kinds: kinds})
		op := r.start(t, k, hour, &server.StartOptions{ValidateOnly: true})
		if !op.GetDone() || op.GetName() != "" || op.GetResponse() == nil {
			t.Errorf("Start = %v, want a done operation without a name", op)
		}
		unpacked[response](t, op.GetResponse())
		_, err := k.Start(t.Context(), r.srv, &lropb.SimulateRequest{Steps: -1}, &server.StartOptions{ValidateOnly: true})
		wantError(t, "Start of a bad request", err, codes.InvalidArgument, "INVALID_REQUEST")
		if got := r.list(t, &longrunningpb.ListOperationsRequest{}).GetOperations(); len(got) != 0 {
			t.Errorf("operations after validation = %v, want none", got)
		}
	})
	t.Run("initial_metadata", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{kinds: kinds, idle: true})
		op := r.start(t, k, hour, &server.StartOptions{Metadata: &lropb.OperationMetadata{Target: "shelves/1"}})
		if md := unpacked[metadata](t, op.GetMetadata()); md.GetTarget() != "shelves/1" || md.GetState() != lropb.OperationMetadata_PENDING {
			t.Errorf("metadata = %v, want the target, PENDING", md)
		}
		_, err := k.Start(t.Context(), r.srv, hour, &server.StartOptions{Metadata: &lropb.SimulateRequest{}})
		wantError(t, "Start with other metadata", err, codes.Internal, "INTERNAL_ERROR")
	})
	t.Run("parallel_operations_may_queue", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			k, kinds := one(simKind{Concurrency: 1}, sleeper)
			r := newRig(t, rigOptions{kinds: kinds})
			minute := &lropb.SimulateRequest{Duration: durationpb.New(time.Minute)}
			begin := time.Now()
			r.start(t, k, minute, nil)
			r.waitLong(t, r.start(t, k, minute, nil).GetName())
			if took := time.Since(begin); took != 2*time.Minute {
				t.Errorf("two operations of a minute took %s, want two minutes", took)
			}
		})
	})
	t.Run("expires_after_30_days", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, rigOptions{kinds: kinds})
			name := r.start(t, k, nil, nil).GetName()
			r.waitLong(t, name)
			time.Sleep(30*24*time.Hour - time.Minute)
			r.get(t, name)
			time.Sleep(time.Hour)
			_, err := r.ops.GetOperation(t.Context(), &longrunningpb.GetOperationRequest{Name: name})
			wantError(t, "GetOperation after 30 days", err, codes.NotFound, "OPERATION_NOT_FOUND")
		})
	})
	t.Run("retention_is_the_kinds", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			short, forever := simKind{Name: "short", Retention: time.Hour}, simKind{Name: "forever", Retention: -1}
			r := newRig(t, rigOptions{kinds: []server.Registration{short.Handle(echo), forever.Handle(echo)}})
			gone, kept := r.start(t, short, nil, nil).GetName(), r.start(t, forever, nil, nil).GetName()
			r.waitLong(t, gone)
			r.waitLong(t, kept)
			time.Sleep(60 * 24 * time.Hour) // twice the default
			_, err := r.ops.GetOperation(t.Context(), &longrunningpb.GetOperationRequest{Name: gone})
			wantError(t, "GetOperation after its retention", err, codes.NotFound, "OPERATION_NOT_FOUND")
			r.get(t, kept)
		})
	})
}
