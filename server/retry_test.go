package server

import (
	"errors"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

func TestRetryAgain(t *testing.T) {
	t.Parallel()
	unavailable := status.Error(codes.Unavailable, "later")
	plain := errors.New("plain")
	hinted, err := status.New(codes.Unavailable, "later").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(7 * time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	endless, err := status.New(codes.Unavailable, "later").WithDetails(&errdetails.RetryInfo{RetryDelay: &durationpb.Duration{Seconds: 1 << 60}})
	if err != nil {
		t.Fatal(err)
	}
	always := func(error) bool { return true }
	for _, tc := range []struct {
		name    string
		retry   Retry
		attempt int
		err     error
		want    time.Duration // without jitter; 0 for no retry
	}{
		{"zero value", Retry{}, 1, unavailable, 0},
		{"one attempt", Retry{MaxAttempts: 1}, 1, unavailable, 0},
		{"first", Retry{MaxAttempts: 3}, 1, unavailable, time.Second},
		{"second", Retry{MaxAttempts: 3}, 2, unavailable, 2 * time.Second},
		{"used up", Retry{MaxAttempts: 3}, 3, unavailable, 0},
		{"no limit", Retry{MaxAttempts: -1}, 1_000_000, unavailable, time.Minute},
		{"not retryable", Retry{MaxAttempts: 3}, 1, status.Error(codes.Aborted, ""), 0},
		{"plain", Retry{MaxAttempts: 3}, 1, plain, 0},
		{"If accepts", Retry{MaxAttempts: 3, If: always}, 1, plain, time.Second},
		{"If refuses", Retry{MaxAttempts: 3, If: func(error) bool { return false }}, 1, unavailable, 0},
		{"own backoff", Retry{MaxAttempts: 9, Backoff: 10 * time.Millisecond}, 4, unavailable, 80 * time.Millisecond},
		{"limit", Retry{MaxAttempts: 9, Backoff: time.Second, MaxBackoff: 3 * time.Second}, 4, unavailable, 3 * time.Second},
		{"backoff above limit", Retry{MaxAttempts: 9, Backoff: time.Hour}, 1, unavailable, time.Minute},
		{"hint is longer", Retry{MaxAttempts: 9}, 1, hinted.Err(), 7 * time.Second},
		{"hint is shorter", Retry{MaxAttempts: 9}, 6, hinted.Err(), 32 * time.Second},
		{"hint is endless", Retry{MaxAttempts: 9}, 1, endless.Err(), 24 * time.Hour},
	} {
		got, ok := tc.retry.again(tc.attempt, tc.err, status.Convert(tc.err).Proto())
		if ok != (tc.want > 0) || got < tc.want || got > tc.want+tc.want/5 {
			t.Errorf("%s: again(%d, %v) = %s, %t, want %s to 20 %% more", tc.name, tc.attempt, tc.err, got, ok, tc.want)
		}
	}
}
