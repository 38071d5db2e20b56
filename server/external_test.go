package server_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine"
)

func TestExternal(t *testing.T) {
	t.Parallel()
	k := simKind{Name: "print"}
	setup := func(t *testing.T) (*rig, *server.External[response, metadata]) {
		t.Helper()
		r := newRig(t, rigOptions{kinds: []server.Registration{k.External()}})
		op := r.start(t, k, nil, nil)
		if md := unpacked[metadata](t, op.GetMetadata()); md.GetState() != lropb.OperationMetadata_RUNNING {
			t.Errorf("metadata = %v, want RUNNING", md)
		}
		ext, err := k.Attach(t.Context(), r.srv, op.GetName())
		if err != nil {
			t.Fatalf("Attach: %v", err)
		}
		return r, ext
	}

	t.Run("complete", func(t *testing.T) {
		t.Parallel()
		r, ext := setup(t)
		if err := ext.Report(t.Context(), &lropb.OperationMetadata{ProgressPercent: 50}); err != nil {
			t.Fatalf("Report: %v", err)
		}
		if md := unpacked[metadata](t, r.get(t, ext.Name()).GetMetadata()); md.GetProgressPercent() != 50 {
			t.Errorf("metadata = %v, want 50 %%", md)
		}
		resp := &lropb.SimulateResponse{Echo: "printed"}
		if err := ext.Complete(t.Context(), resp); err != nil {
			t.Fatalf("Complete: %v", err)
		}
		if err := ext.Complete(t.Context(), resp); err != nil {
			t.Errorf("second Complete = %v, want no error", err)
		}
		if got := unpacked[response](t, r.wait(t, ext.Name()).GetResponse()).GetEcho(); got != "printed" {
			t.Errorf("response = %q, want %q", got, "printed")
		}
		for call, err := range map[string]error{
			"Report":    ext.Report(t.Context(), &lropb.OperationMetadata{}),
			"Heartbeat": ext.Heartbeat(t.Context()),
			"Fail":      ext.Fail(t.Context(), errors.New("late")),
		} {
			if !errors.Is(err, server.ErrLeaseLost) {
				t.Errorf("%s after the end = %v, want %v", call, err, server.ErrLeaseLost)
			}
		}
	})
	t.Run("fail", func(t *testing.T) {
		t.Parallel()
		r, ext := setup(t)
		if err := ext.Fail(t.Context(), status.Error(codes.DataLoss, "paper is gone")); err != nil {
			t.Fatalf("Fail: %v", err)
		}
		wantStatus(t, "operation", r.wait(t, ext.Name()).GetError(), codes.DataLoss, "DATA_LOSS")
	})
	t.Run("cancel", func(t *testing.T) {
		t.Parallel()
		r, ext := setup(t)
		if err := ext.Heartbeat(t.Context()); err != nil {
			t.Fatalf("Heartbeat: %v", err)
		}
		r.cancel(t, ext.Name())
		err := ext.Heartbeat(t.Context())
		if !errors.Is(err, server.ErrCancelRequested) {
			t.Fatalf("Heartbeat = %v, want %v", err, server.ErrCancelRequested)
		}
		if err := ext.Fail(t.Context(), err); err != nil {
			t.Fatalf("Fail: %v", err)
		}
		wantStatus(t, "operation", r.wait(t, ext.Name()).GetError(), codes.Canceled, "OPERATION_CANCELLED")
	})
	t.Run("bad input", func(t *testing.T) {
		t.Parallel()
		_, ext := setup(t)
		if err := ext.Complete(t.Context(), nil); err == nil {
			t.Error("Complete(nil) = nil error, want one")
		}
		if err := ext.Fail(t.Context(), nil); err == nil {
			t.Error("Fail(nil) = nil error, want one")
		}
		if err := ext.Report(t.Context(), &lropb.OperationMetadata{Target: "\xff"}); err == nil {
			t.Error("Report of bad text = nil error, want one")
		}
	})
}

func TestExternalSurvivesRestart(t *testing.T) {
	t.Parallel()
	k := simKind{Name: "print"}
	kinds := []server.Registration{k.External()}
	r := newRig(t, rigOptions{kinds: kinds})
	name := r.start(t, k, nil, nil).GetName()
	r.stop()
	r = newRig(t, rigOptions{kinds: kinds, path: r.path})
	ext, err := k.Attach(t.Context(), r.srv, name)
	if err != nil {
		t.Fatalf("Attach after a restart: %v", err)
	}
	if err := ext.Complete(t.Context(), &lropb.SimulateResponse{}); err != nil {
		t.Errorf("Complete after a restart: %v", err)
	}
}

func TestExternalLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := simKind{Name: "print", Lease: time.Minute}
		r := newRig(t, rigOptions{kinds: []server.Registration{k.External()}})
		ext, err := k.Attach(t.Context(), r.srv, r.start(t, k, nil, nil).GetName())
		if err != nil {
			t.Fatalf("Attach: %v", err)
		}
		for range 5 {
			time.Sleep(50 * time.Second)
			if err := ext.Heartbeat(t.Context()); err != nil {
				t.Fatalf("Heartbeat: %v", err)
			}
		}
		begin := time.Now()
		op := r.waitLong(t, ext.Name())
		if took := time.Since(begin); codes.Code(op.GetError().GetCode()) != codes.Aborted || took < time.Minute || took > 2*time.Minute {
			t.Errorf("operation = %v after %s, want ABORTED a minute after the last heartbeat", op, took)
		}
		if err := ext.Complete(t.Context(), &lropb.SimulateResponse{}); !errors.Is(err, server.ErrLeaseLost) {
			t.Errorf("Complete after the lease = %v, want %v", err, server.ErrLeaseLost)
		}
	})
}

func TestAttachRefuses(t *testing.T) {
	t.Parallel()
	ext, own, missing := simKind{Name: "print"}, simKind{Name: "own"}, simKind{Name: "missing"}
	r := newRig(t, rigOptions{kinds: []server.Registration{ext.External(), own.Declare()}})
	if _, err := ext.Attach(t.Context(), r.srv, "operations/none"); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("Attach of nothing = %v, want %v", err, engine.ErrNotFound)
	}
	declared := r.start(t, own, nil, nil).GetName()
	if _, err := own.Attach(t.Context(), r.srv, declared); !errors.Is(err, server.ErrNotExternal) {
		t.Errorf("Attach of a kind with a handler = %v, want %v", err, server.ErrNotExternal)
	}
	if _, err := ext.Attach(t.Context(), r.srv, declared); !errors.Is(err, server.ErrNotExternal) {
		t.Errorf("Attach of another kind = %v, want %v", err, server.ErrNotExternal)
	}
	if _, err := missing.Attach(t.Context(), r.srv, declared); err == nil {
		t.Error("Attach of a kind that is not registered = nil error, want one")
	}
}
