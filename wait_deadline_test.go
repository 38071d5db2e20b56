package lro

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// A client that keeps to a low rate after refusals still polls before a deadline,
// whatever is due before.
func TestLastPollIsNotDelayedByTheRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const ends, deadline = 15 * time.Second, 20 * time.Second
		begin := time.Now()
		client := NewClient(GetFunc(func(_ context.Context, name string) (*longrunningpb.Operation, error) {
			if time.Since(begin) < ends {
				return nil, status.Error(codes.ResourceExhausted, "quota exceeded")
			}
			op := succeeded("done")
			op.Name = name
			return op, nil
		}))
		ctx, cancel := context.WithDeadline(t.Context(), begin.Add(deadline))
		defer cancel()
		var wg sync.WaitGroup
		for _, op := range handles(t, client, 200) {
			wg.Go(func() {
				if err := waitFor(ctx, op, false); err != nil {
					t.Errorf("%s: %v, want success by the last poll", op.Name(), err)
				}
			})
		}
		wg.Wait()
	})
}

// Operations whose state is younger than the margin at their common deadline are
// not polled for it.
func TestNoLastPollForAYoungState(t *testing.T) {
	t.Parallel()
	for _, grouped := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			const operations, interval, deadline = 50, 15 * time.Millisecond, time.Second
			var calls atomic.Int64
			client := NewClient(GetFunc(func(_ context.Context, name string) (*longrunningpb.Operation, error) {
				calls.Add(1)
				return &longrunningpb.Operation{Name: name}, nil
			}), WithPolicy(Policy{FirstPoll: interval, MaxInterval: interval, Jitter: -1, PlainSchedule: true}))
			ctx, cancel := context.WithTimeout(t.Context(), deadline)
			defer cancel()
			var wg sync.WaitGroup
			ops := handles(t, client, operations)
			if grouped {
				group := Group[Handle]{QPS: -1}
				group.Add(ops...)
				for op, err := range group.Completed(ctx) {
					if !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("%s: %v, want the deadline", op.Name(), err)
					}
				}
			} else {
				for _, op := range ops {
					wg.Go(func() { _ = waitFor(ctx, op, false) })
				}
				wg.Wait()
			}
			if got, want := calls.Load(), int64(operations*(1+deadline/interval)); got != want {
				t.Errorf("grouped %v: %d calls, want the %d of the schedule", grouped, got, want)
			}
		})
	}
}

// Calls that hang, and those that are due behind them, keep no wait from being
// decided about.
func TestNewWaitsGoFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var begun atomic.Int64
		client := NewClient(GetFunc(func(ctx context.Context, _ string) (*longrunningpb.Operation, error) {
			<-ctx.Done()
			return nil, status.FromContextError(ctx.Err()).Err()
		}), WithObserver(&Observer{WaitStart: func(ctx context.Context, _ WaitStart) context.Context {
			begun.Add(1)
			return ctx
		}}))
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		const n = 10 * maxCalls
		for i := range n {
			op, err := Any().Resume(client, fmt.Sprint("operations/", i))
			if err != nil {
				t.Fatal(err)
			}
			wg.Go(func() { _, _ = op.Wait(ctx) })
			synctest.Wait()
		}
		if got := begun.Load(); got != n {
			t.Errorf("%d waits have begun for the observer, want all %d", got, n)
		}
		cancel()
		wg.Wait()
	})
}

// A WaitOperation that is given up for the last poll may still say when the
// service wants to be called again.
func TestLastPollKeepsToAHintThatComesMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeService{get: endsAt(time.Hour)}
		op := wrap(t, hinting{f})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := op.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Wait: %v, want the deadline", err)
		}
		if gets, _ := f.counts(); gets != 0 {
			t.Errorf("made %d polls, want none: the service asked for a pause", gets)
		}
	})
}

// A caller with a deadline has its last poll also where it joins others that have
// none, in a wait whose next poll is far away.
func TestLastPollOfOneThatJoins(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		op := wrap(t, (&fakeService{get: endsAt(5 * time.Second)}).pollOnly(), WithPolicy(Policy{FirstPoll: time.Hour, MaxInterval: time.Hour}))
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = op.Wait(t.Context()) })
		time.Sleep(time.Second) // sleep: in a bubble
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		begin := time.Now()
		if _, err := op.Wait(ctx); err != nil || time.Since(begin) < 9*time.Second {
			t.Errorf("Wait: %v after %v, want success shortly before 10s", err, time.Since(begin))
		}
		wg.Wait()
	})
}

// hinting answers WaitOperation when it is given up, and asks for a pause.
type hinting struct{ *fakeService }

func (hinting) WaitOperation(ctx context.Context, _ *longrunningpb.WaitOperationRequest, opts ...grpc.CallOption) (*longrunningpb.Operation, error) {
	<-ctx.Done()
	setMetadata(opts, metadata.Pairs("retry-after", "60"), nil)
	return running(""), nil
}
