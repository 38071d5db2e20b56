package kintest

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/container/apiv1/containerpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// overloadedGKE refuses the first poll, and asks to be called again in 5 minutes.
type overloadedGKE struct {
	fakeGKE
	polls []time.Time
}

func (f *overloadedGKE) GetOperation(ctx context.Context, req *containerpb.GetOperationRequest) (*containerpb.Operation, error) {
	f.polls = append(f.polls, time.Now())
	if len(f.polls) == 1 {
		if err := grpc.SetTrailer(ctx, metadata.Pairs("retry-after", "300")); err != nil {
			return nil, err
		}
		return nil, status.Error(codes.Unavailable, "overloaded")
	}
	return f.operation(succeeded), nil
}

// GKE's client has retries of its own, which would hide what the
// service asks for.
func TestGKERetryAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := &overloadedGKE{}
		op := must(gkeOperations(dialGKE(t, fake)).Resume(gkeOperation))
		if _, err := op.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(fake.polls) != 2 || fake.polls[1].Sub(fake.polls[0]) < 5*time.Minute {
			t.Errorf("polled at %v, want twice, 5 minutes apart", fake.polls)
		}
	})
}
