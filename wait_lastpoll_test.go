package lro

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
)

// TestGroupLastPollBesideWaiter: a group polls before its deadline also where
// others wait for its operation, so that another scheduler moves the wait.
func TestGroupLastPollBesideWaiter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		answer := endsAt(59500 * time.Millisecond)
		fake := &fakeService{get: func(ctx context.Context, n int) (*longrunningpb.Operation, error) {
			time.Sleep(5 * time.Millisecond)
			return answer(ctx, n)
		}}
		op := wrap(t, fake.pollOnly())
		other := op.Await(t.Context())
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begin := time.Now()
		if err := WaitAll(ctx, op); err != nil {
			t.Errorf("WaitAll of an operation that ended before the deadline: %v after %v", err, time.Since(begin))
		}
		<-other
	})
}
