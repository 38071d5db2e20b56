package docs_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/examples/library/librarypb"
	"github.com/go-lro/lro/lrotest"
)

// The code of testing.md.

func Archive(ctx context.Context, client *lro.Client, name string) (string, error) {
	op, err := ExportBooks.Resume(client, name)
	if err != nil {
		return "", err
	}
	archive, err := op.Wait(ctx, lro.CancelOnEnd(10*time.Second))
	return archive.GetFile(), err
}

func TestArchive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var srv lrotest.Server
		srv.Add("operations/export",
			lrotest.Running(&librarypb.ExportBooksMetadata{ProgressPercent: 40}).For(time.Hour),
			lrotest.PollError(codes.Unavailable, "restarting").For(time.Minute),
			lrotest.Succeeded(&librarypb.ExportBooksResponse{File: "acme.tar"}))

		got, err := Archive(t.Context(), lro.NewClient(srv.Stub()), "operations/export")
		if got != "acme.tar" || err != nil {
			t.Errorf("Archive = %q, %v, want acme.tar", got, err)
		}
	})
}

func TestArchiveFails(t *testing.T) {
	t.Parallel()
	var srv lrotest.Server
	srv.Add("operations/export", lrotest.Failed(codes.ResourceExhausted, "no space left",
		&errdetails.ErrorInfo{Reason: "DISK_FULL", Domain: "library.example.com"}))

	_, err := Archive(t.Context(), lro.NewClient(srv.Stub()), "operations/export")
	failed, ok := errors.AsType[*lro.OperationError](err)
	if !ok || failed.Code() != codes.ResourceExhausted {
		t.Errorf("Archive = %v, want an OperationError of code ResourceExhausted", err)
	}
}

func TestArchiveGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var srv lrotest.Server
		script := srv.Add("operations/export") // runs until it is cancelled

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := Archive(ctx, lro.NewClient(srv.Stub()), "operations/export")
		if failed, ok := errors.AsType[*lro.OperationError](err); !ok || !failed.Cancelled() {
			t.Errorf("Archive = %v, want that the operation was cancelled", err)
		}
		if n := len(script.Calls(lrotest.CancelOperation)); n != 1 {
			t.Errorf("Archive made %d cancel requests, want 1", n)
		}
	})
}

func TestArchiveMayNotCancel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var srv lrotest.Server
		srv.OnCall = func(_ context.Context, c lrotest.Call) error {
			if c.RPC == lrotest.CancelOperation {
				return status.Error(codes.PermissionDenied, "not yours")
			}
			return nil // the script answers
		}
		srv.Add("operations/export")

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := Archive(ctx, lro.NewClient(srv.Stub()), "operations/export")
		if _, ok := errors.AsType[*lro.WaitError](err); !ok {
			t.Errorf("Archive = %v, want a WaitError: it may still run", err)
		}
	})
}
