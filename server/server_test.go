package server_test

import (
	"context"
	"errors"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro/lropb"
)

func TestStartRunGet(t *testing.T) {
	t.Parallel()
	k, kinds := one(simKind{}, echo)
	r := newRig(t, rigOptions{kinds: kinds})
	op := r.start(t, k, &lropb.SimulateRequest{Echo: "hello"}, nil)
	if op.GetDone() || op.GetResult() != nil {
		t.Errorf("Start = %v, want an operation that is not done", op)
	}
	done := r.wait(t, op.GetName())
	if got := unpacked[response](t, done.GetResponse()); got.GetEcho() != "hello" || got.GetAttempts() != 1 {
		t.Errorf("response = %v, want hello from attempt 1", got)
	}
	md := unpacked[metadata](t, r.get(t, op.GetName()).GetMetadata())
	if md.GetState() != lropb.OperationMetadata_SUCCEEDED || md.GetVerb() != "sim" || md.GetAttempt() != 1 ||
		md.GetCreateTime() == nil || md.GetStartTime() == nil || md.GetEndTime() == nil {
		t.Errorf("metadata = %v, want the server's part filled in", md)
	}
}

func TestReportAndCheckpointSurviveRestart(t *testing.T) {
	t.Parallel()
	running := make(chan struct{})
	k, first := one(simKind{}, func(ctx context.Context, t task, _ request) (response, error) {
		md := t.Metadata()
		md.Progress = &lropb.Progress{Done: 3, Total: 4}
		t.Report(md)
		if err := t.Save(ctx, []byte("three")); err != nil {
			return nil, err
		}
		close(running)
		<-ctx.Done()
		return nil, context.Cause(ctx)
	})
	r := newRig(t, rigOptions{kinds: first})
	name := r.start(t, k, nil, nil).GetName()
	<-running
	if md := unpacked[metadata](t, r.get(t, name).GetMetadata()); md.GetProgressPercent() != 75 || md.GetState() != lropb.OperationMetadata_RUNNING {
		t.Errorf("metadata while running = %v, want 75 %%", md)
	}
	r.stop()

	_, second := one(simKind{}, func(_ context.Context, task task, _ request) (response, error) {
		if got := string(task.Checkpoint()); got != "three" {
			return nil, errors.New("checkpoint is " + got)
		}
		if got := task.Metadata().GetProgress().GetDone(); got != 3 {
			return nil, errors.New("progress is lost")
		}
		return &lropb.SimulateResponse{Attempts: int32(task.Attempt())}, nil
	})
	r = newRig(t, rigOptions{kinds: second, path: r.path})
	done := r.wait(t, name)
	if got := unpacked[response](t, done.GetResponse()); got.GetAttempts() != 2 {
		t.Errorf("operation = %v, want a response of attempt 2", done)
	}
}

func TestHandlerEnds(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		h      handler
		code   codes.Code
		reason string
		text   string
	}{
		{"status", func(context.Context, task, request) (response, error) {
			return nil, status.Error(codes.FailedPrecondition, "shelf is full")
		}, codes.FailedPrecondition, "FAILED_PRECONDITION", "shelf is full"},
		{"plain", func(context.Context, task, request) (response, error) {
			return nil, errors.New("oops")
		}, codes.Unknown, "HANDLER_FAILED", "oops"},
		{"panic", func(context.Context, task, request) (response, error) {
			panic("secret")
		}, codes.Internal, "HANDLER_PANICKED", "handler panicked"},
		{"nothing", func(context.Context, task, request) (response, error) {
			return nil, nil
		}, codes.Internal, "HANDLER_RETURNED_NOTHING", "internal error"},
		{"bad text", func(context.Context, task, request) (response, error) {
			return nil, errors.New("a\xffb")
		}, codes.Unknown, "HANDLER_FAILED", "a�b"},
		{"response that cannot be encoded", func(context.Context, task, request) (response, error) {
			return &lropb.SimulateResponse{Echo: "\xff"}, nil
		}, codes.Internal, "RESPONSE_INVALID", "internal error"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			k, kinds := one(simKind{}, tc.h)
			r := newRig(t, rigOptions{kinds: kinds})
			done := r.wait(t, r.start(t, k, nil, nil).GetName())
			wantStatus(t, "operation", done.GetError(), tc.code, tc.reason)
			if got := done.GetError().GetMessage(); got != tc.text {
				t.Errorf("message = %q, want %q", got, tc.text)
			}
		})
	}
}

func TestValidateSetsDefaults(t *testing.T) {
	t.Parallel()
	k, kinds := one(simKind{Validate: func(_ context.Context, req request) error {
		req.Echo += " by default"
		return nil
	}}, echo)
	r := newRig(t, rigOptions{kinds: kinds})
	req := &lropb.SimulateRequest{Echo: "set"}
	done := r.wait(t, r.start(t, k, req, nil).GetName())
	if got := unpacked[response](t, done.GetResponse()).GetEcho(); got != "set by default" || req.GetEcho() != "set" {
		t.Errorf("handler got %q, caller has %q, want the default in the stored copy only", got, req.GetEcho())
	}
}
