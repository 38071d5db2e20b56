package server_test

import (
	"context"
	"errors"
	"testing"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"

	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
)

func TestComplete(t *testing.T) {
	t.Parallel()
	k, other := simKind{Name: "sim"}, simKind{Name: "other"}
	var r *rig
	var inside *longrunningpb.Operation
	errs := make(map[string]error)
	returned := make(chan struct{})
	r = newRig(t, rigOptions{kinds: []server.Registration{
		k.Handle(func(ctx context.Context, task task, _ request) (response, error) {
			defer close(returned)
			if err := task.Report(&lropb.OperationMetadata{ProgressPercent: 70}); err != nil {
				return nil, err
			}
			errs["nil response"] = k.Complete(ctx, task, nil)
			errs["another kind"] = other.Complete(ctx, task, &lropb.SimulateResponse{Echo: "other"})
			if err := k.Complete(ctx, task, &lropb.SimulateResponse{Echo: "completed"}); err != nil {
				return nil, err
			}
			inside = r.get(t, task.Name())
			<-ctx.Done()
			errs["cause"] = context.Cause(ctx)
			return &lropb.SimulateResponse{Echo: "returned"}, nil
		}),
		other.Declare(),
	}})
	op := r.start(t, k, nil, nil)
	end := r.wait(t, op.GetName())
	<-returned
	for what, op := range map[string]*longrunningpb.Operation{"in the handler": inside, "for waiters": end, "after it": r.get(t, op.GetName())} {
		if got := unpacked[response](t, op.GetResponse()).GetEcho(); got != "completed" {
			t.Errorf("response %s = %q, want %q", what, got, "completed")
		}
		if got := unpacked[metadata](t, op.GetMetadata()).GetProgressPercent(); got != 70 {
			t.Errorf("progress %s = %v, want 70", what, got)
		}
	}
	for _, what := range []string{"nil response", "another kind"} {
		if errs[what] == nil {
			t.Errorf("Complete(%s) = nil, want an error", what)
		}
	}
	if !errors.Is(errs["cause"], server.ErrLeaseLost) {
		t.Errorf("cause of the handler's context = %v, want %v", errs["cause"], server.ErrLeaseLost)
	}
}
