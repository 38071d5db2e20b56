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
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// What one wait was told and could not confirm is nothing for the next one.
func TestUnconfirmedEndIsForgottenWithItsWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeService{}
		f.wait = func(_ context.Context, n int, _ time.Duration) (*longrunningpb.Operation, error) {
			if n == 1 {
				return succeeded("unconfirmed"), nil
			}
			return nil, status.Error(codes.Unavailable, "down")
		}
		f.get = func(ctx context.Context, n int) (*longrunningpb.Operation, error) {
			if n == 1 {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return nil, status.Error(codes.PermissionDenied, "not yours")
		}
		op := wrap(t, f)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := op.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Wait: %v, want the end of ctx", err)
		}
		_, err := op.Wait(t.Context())
		if _, ok := errors.AsType[*WaitError](err); !ok || status.Code(err) != codes.PermissionDenied {
			t.Errorf("Wait: %v, want PERMISSION_DENIED", err)
		}
	})
}

// An operation that WaitOperation did not know is long-polled again by the next
// wait: a replica that lagged has caught up.
func TestNextWaitLongPollsAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeService{get: func(context.Context, int) (*longrunningpb.Operation, error) { return running(""), nil }}
		f.wait = func(ctx context.Context, n int, timeout time.Duration) (*longrunningpb.Operation, error) {
			if n == 1 {
				return nil, status.Error(codes.NotFound, "a replica lags")
			}
			return waitsUntil(time.Hour)(ctx, n, timeout)
		}
		op := wrap(t, f)
		for i := range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			if _, err := op.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Wait: %v, want the end of ctx", err)
			}
			cancel()
			if _, waits := f.counts(); (i == 0) != (waits == 1) {
				t.Errorf("WaitOperation was called %d times by the end of wait %d, want once by the first and again by the next", waits, i+1)
			}
		}
	})
}

// What is known to have ended, or becomes known elsewhere, is yielded at once.
func TestGroupYieldsWhatIsKnownAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeService{get: endsAt(time.Minute)}
		client := NewClient(f.pollOnly(), WithPolicy(Policy{FirstPoll: time.Hour, MaxInterval: time.Hour}))
		op, err := Strings.Wrap(client, &longrunningpb.Operation{Name: "operations/polled"})
		if err != nil {
			t.Fatal(err)
		}
		done, err := Strings.Wrap(client, succeeded("x"))
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		time.AfterFunc(2*time.Minute, func() {
			if _, err := op.Poll(t.Context()); err != nil {
				t.Error(err)
			}
		})
		var g Group[Handle]
		g.Add(op, done)
		for yielded, err := range g.Completed(t.Context()) {
			want := time.Duration(0)
			if yielded == Handle(op) {
				want = 2 * time.Minute
			}
			if took := time.Since(begin); err != nil || took != want {
				t.Errorf("%s is yielded after %v with %v, want %v", yielded.Name(), took, err, want)
			}
		}
	})
}

// A wait that is looked at without a call takes no call from the rate.
func TestGroupSpendsNothingOnCallsNotMade(t *testing.T) {
	t.Parallel()
	for polled := range 2 {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			calls := map[string]int{}
			client := NewClient(GetFunc(func(_ context.Context, name string) (*longrunningpb.Operation, error) {
				mu.Lock()
				defer mu.Unlock()
				calls[name]++
				return &longrunningpb.Operation{Name: name}, nil
			}), WithPolicy(Policy{FirstPoll: time.Hour, MaxInterval: time.Hour}))
			g := Group[Handle]{QPS: 0.5}
			var ops []*Operation[stringValue, stringValue]
			for i := range 2 {
				op, err := Strings.Wrap(client, &longrunningpb.Operation{Name: fmt.Sprint("operations/", i)})
				if err != nil {
					t.Fatal(err)
				}
				ops = append(ops, op)
				g.Add(op)
			}
			const deadline = 10 * time.Second
			ctx, cancel := context.WithTimeout(t.Context(), deadline)
			defer cancel()
			// Just before the last polls, which this one needs no more.
			time.AfterFunc(deadline-maxLastPollMargin-time.Millisecond, func() {
				if _, err := ops[polled].Poll(t.Context()); err != nil {
					t.Error(err)
				}
			})
			for range g.Completed(ctx) {
			}
			if other := ops[1-polled].Name(); calls[other] != 1 {
				t.Errorf("calls %v, want a last one for %s", calls, other)
			}
		})
	}
}

// What a single poll saw counts for later waits.
func TestPollIsRemembered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeService{get: func(_ context.Context, n int) (*longrunningpb.Operation, error) {
			if n == 1 {
				return running(""), nil
			}
			return nil, status.Error(codes.NotFound, "deleted")
		}}
		op := resume(t, f.pollOnly())
		if _, err := op.Poll(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := op.Wait(t.Context()); !errors.Is(err, ErrGone) {
			t.Errorf("Wait: %v, want ErrGone", err)
		}
	})
}

// WaitOperation is doubted after it did not know several operations in a row,
// not several in all, and after a pause anew.
func TestDoubtsAreInARow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var unknown atomic.Bool
		f := &fakeService{get: func(context.Context, int) (*longrunningpb.Operation, error) { return running(""), nil }}
		f.wait = func(ctx context.Context, _ int, _ time.Duration) (*longrunningpb.Operation, error) {
			if unknown.Load() {
				return nil, status.Error(codes.NotFound, "a replica lags")
			}
			select {
			case <-time.After(5 * time.Second):
				return running(""), nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		client := NewClient(f)
		const pauses = 8 // with the operation before
		for i, missed := range []bool{true, true, false, true, false, true, true, true, true, false} {
			unknown.Store(missed)
			if i == pauses {
				time.Sleep(longPollPause) // sleep: in a bubble
			}
			op, err := Strings.Wrap(client, &longrunningpb.Operation{Name: fmt.Sprint("operations/", i)})
			if err != nil {
				t.Fatal(err)
			}
			_, before := f.counts()
			ctx, cancel := context.WithTimeout(t.Context(), 12*time.Second)
			if _, err := op.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Wait: %v, want the end of ctx", err)
			}
			cancel()
			if _, waits := f.counts(); waits == before {
				t.Errorf("operation %d was not waited for by WaitOperation", i)
			}
		}
	})
}

// The schedule begins when an operation is first waited for, even if that caller
// leaves before anything was decided. A group whose ctx has ended does not wait.
func TestScheduleBeginsWithTheFirstCaller(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		limit time.Duration // of the first caller's ctx
		want  time.Duration // the first interval of the wait a minute later
	}{
		{"left", time.Second, 100*time.Millisecond + 3*time.Minute/10},
		{"ended", 0, 100 * time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				slow := &Observer{WaitStart: func(ctx context.Context, _ WaitStart) context.Context {
					if time.Since(begin) < time.Minute {
						time.Sleep(2 * tt.limit) // sleep: in a bubble
					}
					return ctx
				}}
				f := &fakeService{get: endsAt(time.Minute + time.Millisecond)}
				op := resume(t, f.pollOnly(), WithPolicy(Policy{Jitter: -1, PlainSchedule: true}), WithObserver(slow))
				ctx, cancel := context.WithTimeout(t.Context(), tt.limit)
				defer cancel()
				wait := func() error { _, err := op.Wait(ctx); return err }
				if tt.limit == 0 {
					wait = func() error { return WaitAll(ctx, op) }
				}
				if err := wait(); !errors.Is(err, context.DeadlineExceeded) || len(f.calls) > 0 {
					t.Fatalf("the first wait: %v after %d calls, want the end of ctx before any", err, len(f.calls))
				}
				time.Sleep(time.Minute - time.Since(begin)) // sleep: in a bubble
				if _, err := op.Wait(t.Context()); err != nil || len(f.calls) != 2 {
					t.Fatalf("the wait a minute later: %v after %d calls, want 2", err, len(f.calls))
				}
				if got := f.calls[1].Sub(f.calls[0]); got != tt.want {
					t.Errorf("its first interval is %v, want %v", got, tt.want)
				}
			})
		})
	}
}
