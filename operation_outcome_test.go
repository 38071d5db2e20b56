package lro

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
)

// TestOutcomeStays: an answer that comes after the operation is known to be done,
// from a service that ignores the end of ctx, does not replace the outcome.
func TestOutcomeStays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := &fakeService{get: func(_ context.Context, n int) (*longrunningpb.Operation, error) {
			if n > 1 {
				return succeeded("first"), nil
			}
			time.Sleep(time.Minute)
			return failed(codes.Internal, "late"), nil
		}}
		op := wrap(t, fake.pollOnly())
		waiting := op.Await(t.Context())
		time.Sleep(time.Second)
		if s, err := op.Poll(t.Context()); err != nil || !s.Done() {
			t.Fatalf("Poll: done %t, %v, want a done operation", s.Done(), err)
		}
		out := <-waiting
		wantValue(t, out.Result, out.Err, "first")
		time.Sleep(time.Hour)
		got, err := op.Result()
		wantValue(t, got, err, "first")
	})
}
