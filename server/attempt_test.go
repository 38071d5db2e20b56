package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro/server/engine"
)

func newBareServer(c Config) *Server {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Server{views: new(views), config: c, logger: c.Logger, faults: testFaults}
}

func TestOutcome(t *testing.T) {
	t.Parallel()
	var (
		plain       = errors.New("disk is full")
		notFound    = status.Error(codes.NotFound, "no shelf")
		wrapped     = fmt.Errorf("read shelf: %w", notFound)
		rpcCanceled = status.Error(codes.Canceled, "context canceled")
		unavailable = status.Error(codes.Unavailable, "later")
		store       = fmt.Errorf("save: %w", engine.ErrUnavailable)
		refused     = fmt.Errorf("save: %w: permission denied for table live", engine.ErrMisconfigured)
		lostSave    = leaseError(engine.ErrFenced)
	)
	retry := Retry{MaxAttempts: 3, Backoff: time.Second}
	const release = codes.Code(100) // stands for an outcome that hands back
	for _, tc := range []struct {
		name   string
		cause  error // that ended the context; nil if it has not ended
		err    error
		kind   kind
		want   codes.Code
		reason string
		retry  bool
	}{
		{"plain", nil, plain, kind{}, codes.Unknown, reasonHandlerFailed, false},
		{"status", nil, notFound, kind{}, codes.NotFound, "NOT_FOUND", false},
		{"wrapped status", nil, wrapped, kind{}, codes.NotFound, "NOT_FOUND", false},
		{"own timeout", nil, context.DeadlineExceeded, kind{}, codes.DeadlineExceeded, reasonHandlerFailed, false},
		{"own cancel is not CANCELLED", nil, context.Canceled, kind{}, codes.Unknown, reasonHandlerFailed, false},
		{"store failed", nil, store, kind{}, codes.Unavailable, reasonStoreUnavailable, false},
		{"store refuses the program", nil, refused, kind{retry: retry}, codes.FailedPrecondition, reasonStoreMisconfigured, false},
		{"store failed, retried", nil, store, kind{retry: retry}, codes.Unavailable, reasonStoreUnavailable, true},
		{"retryable", nil, unavailable, kind{retry: retry}, codes.Unavailable, "UNAVAILABLE", true},
		{"retryable but at most once", nil, unavailable, kind{retry: retry, atMostOnce: true}, codes.Unavailable, "UNAVAILABLE", false},

		{"cancelled", ErrCancelRequested, context.Canceled, kind{retry: retry}, codes.Canceled, reasonCancelled, false},
		{"cancelled, wrapped", ErrCancelRequested, fmt.Errorf("copy: %w", context.Canceled), kind{}, codes.Canceled, reasonCancelled, false},
		{"cancelled, the cause", ErrCancelRequested, fmt.Errorf("copy: %w", ErrCancelRequested), kind{}, codes.Canceled, reasonCancelled, false},
		{"cancelled, an RPC's error", ErrCancelRequested, rpcCanceled, kind{}, codes.Canceled, reasonCancelled, false},
		{"cancelled, but failed", ErrCancelRequested, notFound, kind{}, codes.NotFound, "NOT_FOUND", false},
		{"cancelled, but failed plainly", ErrCancelRequested, plain, kind{}, codes.Unknown, reasonHandlerFailed, false},

		{"draining", ErrDraining, context.Canceled, kind{}, release, "", false},
		{"draining, an RPC's error", ErrDraining, rpcCanceled, kind{}, release, "", false},
		{"draining, plain", ErrDraining, plain, kind{}, release, "", false},
		{"draining, but failed", ErrDraining, notFound, kind{}, codes.NotFound, "NOT_FOUND", false},

		{"lease lost", ErrLeaseLost, context.Canceled, kind{}, release, "", false},
		{"lease lost, save refused", ErrLeaseLost, lostSave, kind{}, release, "", false},

		{"deadline", context.DeadlineExceeded, context.DeadlineExceeded, kind{}, codes.DeadlineExceeded, reasonDeadline, false},
		{"deadline, an RPC's error", context.DeadlineExceeded, status.Error(codes.DeadlineExceeded, ""), kind{}, codes.DeadlineExceeded, reasonDeadline, false},
		{"deadline, but failed", context.DeadlineExceeded, notFound, kind{}, codes.NotFound, "NOT_FOUND", false},
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		if tc.cause != nil {
			cancel(tc.cause)
		}
		got := newBareServer(Config{}).outcome(ctx, &tc.kind, &engine.Record{Attempt: 1}, nil, tc.err)
		cancel(nil)
		code := codes.Code(got.Error.GetCode())
		if got.Release {
			code = release
		}
		reason := ""
		if infos := errorInfos(t, got.Error); len(infos) == 1 {
			reason = infos[0].GetReason()
		}
		if code != tc.want || reason != tc.reason || got.Retry != tc.retry || got.Response != nil {
			t.Errorf("%s: outcome(%v) = %+v, want code %d, reason %q, retry %t", tc.name, tc.err, got, tc.want, tc.reason, tc.retry)
		}
	}
}

func TestOutcomeKeepsResponseAndStatus(t *testing.T) {
	t.Parallel()
	s := newBareServer(Config{})
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(ErrCancelRequested)
	resp := packed(t, wrapperspb.String("done"))
	if got := s.outcome(ctx, &kind{}, &engine.Record{}, resp, nil); got.Response != resp || got.Error != nil {
		t.Errorf("outcome of a response after cancel = %+v, want the response", got)
	}
	in, err := status.New(codes.FailedPrecondition, "full").WithDetails(wrapperspb.String("detail"))
	if err != nil {
		t.Fatal(err)
	}
	got := s.outcome(t.Context(), &kind{}, &engine.Record{}, nil, in.Err()).Error
	want := in.Proto()
	if got.GetCode() != want.GetCode() || got.GetMessage() != want.GetMessage() {
		t.Errorf("error = %v, want code and message of %v", got, want)
	}
	if d := cmp.Diff([]*anypb.Any{want.GetDetails()[0]}, got.GetDetails()[:1], protocmp.Transform()); d != "" {
		t.Errorf("details (-want +got):\n%s", d)
	}
}

func TestErrorStatus(t *testing.T) {
	t.Parallel()
	secret := errors.New("password is hunter2")
	s := newBareServer(Config{ErrorStatus: func(err error) *status.Status {
		if errors.Is(err, secret) {
			return status.New(codes.Internal, "internal error")
		}
		return nil
	}})
	if got := s.statusOf(secret); got.GetCode() != int32(codes.Internal) || got.GetMessage() != "internal error" {
		t.Errorf("statusOf(secret) = %v, want INTERNAL without its text", got)
	}
	if got := s.statusOf(errors.New("other")); got.GetCode() != int32(codes.Unknown) || got.GetMessage() != "other" {
		t.Errorf("statusOf(other) = %v, want UNKNOWN with its text", got)
	}
}

func TestRetryCountsFailuresOnly(t *testing.T) {
	t.Parallel()
	s, k := newBareServer(Config{}), &kind{retry: Retry{MaxAttempts: 2}}
	err := status.Error(codes.Unavailable, "later")
	if got := s.outcome(t.Context(), k, &engine.Record{Attempt: 6, Crashes: 3, Releases: 2}, nil, err); !got.Retry {
		t.Errorf("outcome of attempt 6 after 3 crashes and 2 releases = %+v, want a retry", got)
	}
	if got := s.outcome(t.Context(), k, &engine.Record{Attempt: 7, Crashes: 3, Releases: 2}, nil, err); got.Retry {
		t.Errorf("outcome of attempt 7 after 3 crashes and 2 releases = %+v, want no retry", got)
	}
}
