package lro

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestWaitPollsBySchedule(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeService{get: endsAt(10 * time.Second)}
		begin := time.Now()
		op := wrap(t, f.pollOnly(), WithPolicy(Policy{Jitter: -1}))
		got, err := op.Wait(t.Context())
		wantValue(t, got, err, "done")
		if late := time.Since(begin) - 10*time.Second; late < 0 || late > 3*time.Second {
			t.Errorf("Wait returned %v after the end, want within 30%% of 10s", late)
		}
		if first := f.calls[0].Sub(begin); first != 100*time.Millisecond {
			t.Errorf("first poll after %v, want 100ms", first)
		}
		if second := f.calls[1].Sub(f.calls[0]); second != 130*time.Millisecond {
			t.Errorf("second poll after %v, want 130ms", second)
		}
	})
}

// Waiters that come and go, and polls that they force, do not lengthen the
// interval: it depends on how long the operation has been running.
func TestWaitScheduleIsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeService{get: endsAt(3 * time.Second)}
		begin := time.Now()
		op := wrap(t, f.pollOnly(), WithPolicy(Policy{Jitter: -1}))
		for range 25 {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			_, _ = op.Wait(ctx)
			cancel()
		}
		got, err := op.Wait(t.Context())
		wantValue(t, got, err, "done")
		if took := time.Since(begin); took > 4*time.Second {
			t.Errorf("found the end at 3s after %v, want within 30%%", took)
		}
	})
}

func TestWaitResumedPollsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeService{get: endsAt(0)}
		begin := time.Now()
		got, err := resume(t, f).Wait(t.Context())
		wantValue(t, got, err, "done")
		if took := time.Since(begin); took != 0 {
			t.Errorf("Wait took %v, want no pause", took)
		}
	})
}

func TestWaitUsesLongPoll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const length = 95 * time.Second // three full long polls and a bit
		f := &fakeService{get: endsAt(length), wait: waitsUntil(length)}
		begin := time.Now()
		op := wrap(t, f)
		got, err := op.Wait(t.Context())
		wantValue(t, got, err, "done")
		if took := time.Since(begin); took != length {
			t.Errorf("Wait took %v, want %v: the answer comes with the end", took, length)
		}
		// The first done answer is confirmed by GetOperation, later ones are not.
		if gets, waits := f.counts(); gets != 1 || waits != 4 {
			t.Errorf("made %d GetOperation and %d WaitOperation calls, want 1 and 4", gets, waits)
		}
		again, err := Strings.Wrap(op.client, running(""))
		if err != nil {
			t.Fatal(err)
		}
		got, err = again.Wait(t.Context())
		wantValue(t, got, err, "done")
		if gets, waits := f.counts(); gets != 1 || waits != 5 {
			t.Errorf("second operation: %d GetOperation and %d WaitOperation calls, want 1 and 5", gets, waits)
		}
	})
}

// A WaitOperation carries a deadline for the service, later than its timeout by
// the time that one call may take.
func TestWaitOperationDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeService{get: endsAt(0)}
		f.wait = func(ctx context.Context, _ int, timeout time.Duration) (*longrunningpb.Operation, error) {
			deadline, _ := ctx.Deadline()
			if got, want := time.Until(deadline), timeout+7*time.Second; got != want {
				t.Errorf("the deadline is in %v, want %v: the timeout, %v, and AttemptTimeout", got, want, timeout)
			}
			return succeeded("done"), nil
		}
		op := wrap(t, f, WithPolicy(Policy{AttemptTimeout: 7 * time.Second}))
		got, err := op.Wait(t.Context())
		wantValue(t, got, err, "done")
		if _, waits := f.counts(); waits == 0 {
			t.Error("WaitOperation was not called")
		}
	})
}

func TestWaitFallsBackWithoutWaitOperation(t *testing.T) {
	t.Parallel()
	for _, code := range []codes.Code{codes.Unimplemented, codes.PermissionDenied, codes.InvalidArgument} {
		t.Run(code.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &fakeService{get: endsAt(5 * time.Second)}
				f.wait = func(context.Context, int, time.Duration) (*longrunningpb.Operation, error) {
					return nil, status.Error(code, "no")
				}
				op := wrap(t, f)
				got, err := op.Wait(t.Context())
				wantValue(t, got, err, "done")
				if _, waits := f.counts(); waits != 1 {
					t.Errorf("WaitOperation was called %d times, want once", waits)
				}
				if op.client.longPollUsable() {
					t.Error("client still wants to use WaitOperation")
				}
				time.Sleep(longPollPause)
				if got, want := op.client.longPollUsable(), code != codes.Unimplemented; got != want {
					t.Errorf("WaitOperation usable after %v: %v, want %v", longPollPause, got, want)
				}
			})
		})
	}
}

// selectiveService has WaitOperation for some operations only.
type selectiveService struct {
	*fakeService
	waits func(name string) bool
}

func (s selectiveService) WaitsFor(name string) bool { return s.waits(name) }

// Operations that the service has no WaitOperation for are polled, and the
// others of the same client keep their long polls.
func TestWaitSelectiveLongPolls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeService{get: endsAt(time.Minute), wait: waitsUntil(time.Minute)}
		c := NewClient(selectiveService{f, func(name string) bool { return name == "long" }})
		polled, err := Strings.Resume(c, "short")
		if err != nil {
			t.Fatal(err)
		}
		got, err := polled.Wait(t.Context())
		wantValue(t, got, err, "done")
		if gets, waits := f.counts(); waits != 0 || gets < 2 {
			t.Errorf("%d GetOperation and %d WaitOperation calls, want polling alone", gets, waits)
		}
		if !c.longPollUsable() {
			t.Error("client gave WaitOperation up")
		}

		f = &fakeService{get: endsAt(time.Minute), wait: waitsUntil(time.Minute)}
		c = NewClient(selectiveService{f, func(name string) bool { return name == "long" }})
		long, err := Strings.Resume(c, "long")
		if err != nil {
			t.Fatal(err)
		}
		got, err = long.Wait(t.Context())
		wantValue(t, got, err, "done")
		if _, waits := f.counts(); waits == 0 {
			t.Error("no WaitOperation call, want long polls")
		}
	})
}

// An operation that the service does not know says nothing about whether
// WaitOperation works.
// One operation that WaitOperation does not know, as a replica that lags may
// not, is polled, and says nothing about the others.
func TestWaitUnknownToWaitOperation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeService{get: endsAt(time.Minute)}
		f.wait = func(context.Context, int, time.Duration) (*longrunningpb.Operation, error) {
			return nil, status.Error(codes.NotFound, "not here")
		}
		c := NewClient(f)
		var wg sync.WaitGroup
		for n := 1; n <= longPollDoubts; n++ {
			op, err := Strings.Wrap(c, running(""))
			if err != nil {
				t.Fatal(err)
			}
			wg.Go(func() { _, _ = op.Wait(t.Context()) })
			time.Sleep(10 * time.Second)
			if _, waits := f.counts(); waits != n {
				t.Errorf("%d operations: WaitOperation was called %d times, want once for each", n, waits)
			}
			if got, want := c.longPollUsable(), n < longPollDoubts; got != want {
				t.Errorf("%d operations: WaitOperation is used: %v, want %v", n, got, want)
			}
		}
		wg.Wait()
	})
}

// The end that WaitOperation told is reported when it cannot be confirmed.
func TestWaitReportsWhatCannotBeConfirmed(t *testing.T) {
	t.Parallel()
	for _, limit := range []time.Duration{time.Hour, 10 * time.Second} {
		t.Run(limit.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &fakeService{get: func(_ context.Context, n int) (*longrunningpb.Operation, error) { return nil, unavailable(n) }, wait: waitsUntil(time.Second)}
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				defer cancel()
				begin := time.Now()
				got, err := wrap(t, f).Wait(ctx)
				wantValue(t, got, err, "done")
				if took := time.Since(begin); took > time.Minute {
					t.Errorf("Wait took %v, want about the time for which errors are tolerated", took)
				}
			})
		})
	}
}

func TestWaitUnknownOperationKeepsLongPoll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeService{}
		f.get = func(context.Context, int) (*longrunningpb.Operation, error) {
			return nil, status.Error(codes.NotFound, "what?")
		}
		f.wait = func(context.Context, int, time.Duration) (*longrunningpb.Operation, error) {
			return nil, status.Error(codes.NotFound, "what?")
		}
		op := wrap(t, f)
		_, err := op.Wait(t.Context())
		if !errors.Is(err, ErrNotFound) {
			t.Fatalf("Wait: %v, want ErrNotFound", err)
		}
		if !op.client.longPollUsable() {
			t.Error("client gave WaitOperation up")
		}
	})
}

func TestWaitEarlyAnswersKeepAFloor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeService{get: endsAt(time.Minute)}
		f.wait = func(ctx context.Context, n int, _ time.Duration) (*longrunningpb.Operation, error) {
			return f.get(ctx, n) // at once, as the specification allows
		}
		got, err := wrap(t, f).Wait(t.Context())
		wantValue(t, got, err, "done")
		if _, waits := f.counts(); waits > 25 {
			t.Errorf("WaitOperation was called %d times in a minute, want no more often than polling", waits)
		}
	})
}

func TestWaitDistrustsContradiction(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeService{get: endsAt(5 * time.Second)}
		f.wait = func(context.Context, int, time.Duration) (*longrunningpb.Operation, error) {
			return succeeded("a lie"), nil
		}
		op := wrap(t, f)
		got, err := op.Wait(t.Context())
		wantValue(t, got, err, "done")
		if _, waits := f.counts(); waits != 1 {
			t.Errorf("WaitOperation was called %d times, want once", waits)
		}
	})
}

func TestWaitConfirmsWhatDoesNotDecode(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeService{get: endsAt(0)}
		f.wait = func(context.Context, int, time.Duration) (*longrunningpb.Operation, error) {
			return &longrunningpb.Operation{Name: testName, Done: true}, nil // without a result
		}
		op := wrap(t, f)
		op.client.longPollTrust.Store(true)
		got, err := op.Wait(t.Context())
		wantValue(t, got, err, "done")
	})
}

// A service that ends a long poll with an error instead of the state costs one
// more call, not the operation.
func TestWaitLongPollTimeoutAsError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeService{get: endsAt(40 * time.Second)}
		f.wait = func(ctx context.Context, _ int, timeout time.Duration) (*longrunningpb.Operation, error) {
			time.Sleep(timeout)
			return nil, status.Error(codes.DeadlineExceeded, "timeout")
		}
		got, err := wrap(t, f).Wait(t.Context())
		wantValue(t, got, err, "done")
		if gets, waits := f.counts(); gets != 2 || waits != 2 {
			t.Errorf("made %d GetOperation and %d WaitOperation calls, want 2 and 2", gets, waits)
		}
	})
}

func TestWaitSharesOneLoop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeService{get: endsAt(10 * time.Second)}
		op := wrap(t, f.pollOnly(), WithPolicy(Policy{Jitter: -1}))
		single := &fakeService{get: f.get}
		alone := wrap(t, single.pollOnly(), WithPolicy(Policy{Jitter: -1}))
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				got, err := op.Wait(t.Context())
				if err != nil || got.GetValue() != "done" {
					t.Errorf("Wait: got (%v, %v), want done", got, err)
				}
			})
		}
		wg.Go(func() { _, _ = alone.Wait(t.Context()) })
		wg.Wait()
		gets, _ := f.counts()
		other, _ := single.counts()
		if gets != other {
			t.Errorf("100 waiters made %d polls, one makes %d", gets, other)
		}
	})
}

// The first waiter's ctx must not end the calls that others wait for.
func TestWaitOutlivesItsFirstWaiter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeService{get: endsAt(10 * time.Second), wait: waitsUntil(10 * time.Second)}
		op := wrap(t, f)
		first, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := op.Wait(first); !errors.Is(err, context.Canceled) {
				t.Errorf("first Wait: %v, want context.Canceled", err)
			}
		})
		synctest.Wait()
		wg.Go(func() {
			got, err := op.Wait(t.Context())
			if err != nil || got.GetValue() != "done" {
				t.Errorf("second Wait: got (%v, %v), want done", got, err)
			}
		})
		synctest.Wait()
		cancel()
		wg.Wait()
		if _, waits := f.counts(); waits != 1 {
			t.Errorf("WaitOperation was called %d times, want once", waits)
		}
	})
}

func TestWaitPollsALastTimeBeforeTheDeadline(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		wait func(context.Context, int, time.Duration) (*longrunningpb.Operation, error)
	}{
		{"polling", nil},
		{"hanging long poll", func(ctx context.Context, _ int, _ time.Duration) (*longrunningpb.Operation, error) {
			<-ctx.Done()
			return nil, status.FromContextError(ctx.Err()).Err()
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				// Ends between the last scheduled poll and the deadline.
				f := &fakeService{get: endsAt(59 * time.Second), wait: test.wait}
				ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
				defer cancel()
				got, err := wrap(t, f, WithPolicy(Policy{MaxInterval: 50 * time.Second, Multiplier: 40})).Wait(ctx)
				wantValue(t, got, err, "done")
			})
		})
	}
}

// How long a service takes to answer is learnt while waiting.
func TestWaitPollsALastTimeEarlyEnoughForASlowService(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		state := endsAt(8 * time.Second)
		f := &fakeService{get: func(ctx context.Context, n int) (*longrunningpb.Operation, error) {
			op, err := state(ctx, n)
			select {
			case <-time.After(400 * time.Millisecond):
				return op, err
			case <-ctx.Done():
				return nil, status.FromContextError(ctx.Err()).Err()
			}
		}}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		op := wrap(t, f.pollOnly(), WithPolicy(Policy{MaxInterval: 50 * time.Second, Multiplier: 40}))
		got, err := op.Wait(ctx)
		wantValue(t, got, err, "done")
	})
}

func TestWaitDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeService{}
		f.get = func(_ context.Context, n int) (*longrunningpb.Operation, error) {
			if n > 3 {
				return nil, unavailable(n)
			}
			return running("step"), nil
		}
		op := wrap(t, f.pollOnly())
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := op.Wait(ctx)
		if took := time.Since(begin); took != time.Minute {
			t.Errorf("Wait took %v, want exactly a minute", took)
		}
		stopped, ok := errors.AsType[*WaitError](err)
		if !ok {
			t.Fatalf("Wait: %v, want a *WaitError", err)
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("errors.Is(%v, context.DeadlineExceeded) = false", err)
		}
		if st, ok := status.FromError(err); ok {
			t.Errorf("error has the gRPC status %v, want none", st)
		}
		if status.Code(stopped.PollErr) != codes.Unavailable {
			t.Errorf("PollErr = %v, want the last poll's", stopped.PollErr)
		}
		if stopped.Polls < 5 || stopped.Elapsed != time.Minute || stopped.Last.Done() {
			t.Errorf("got %d polls, %v, last done %v", stopped.Polls, stopped.Elapsed, stopped.Last.Done())
		}
		m, ok := op.Metadata()
		if !ok || m.GetValue() != "step" {
			t.Errorf("Metadata() = %v, %v, want the last known", m, ok)
		}
		for _, want := range []string{testName, "1m0s", "down", "deadline exceeded"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("error %q does not name %q", err, want)
			}
		}
	})
}

func TestWaitCause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shutdown := errors.New("shutting down")
		ctx, cancel := context.WithCancelCause(t.Context())
		f := &fakeService{get: endsAt(time.Hour)}
		op := wrap(t, f.pollOnly())
		time.AfterFunc(time.Second, func() { cancel(shutdown) })
		_, err := op.Wait(ctx)
		if !errors.Is(err, shutdown) || !errors.Is(err, context.Canceled) {
			t.Errorf("Wait: %v, want both the cause and context.Canceled", err)
		}
		gets, _ := f.counts()
		if _, err := op.Wait(ctx); !errors.Is(err, shutdown) {
			t.Errorf("Wait with an ended ctx: %v, want the cause", err)
		}
		if again, _ := f.counts(); again != gets {
			t.Errorf("plain cancellation made %d polls, want none", again-gets)
		}
	})
}

// A service that ignores its ctx cannot keep Wait.
func TestWaitReturnsFromADeafService(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		op := resume(t, GetFunc(func(context.Context, string) (*longrunningpb.Operation, error) {
			<-release
			return succeeded("late"), nil
		}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		if _, err := op.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Wait: %v, want a deadline", err)
		}
		if took := time.Since(begin); took != time.Second {
			t.Errorf("Wait took %v, want a second", took)
		}
		close(release)
	})
}

func TestWaitHungPollTimesOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeService{}
		f.get = func(ctx context.Context, n int) (*longrunningpb.Operation, error) {
			if n == 1 {
				<-ctx.Done()
				return nil, status.FromContextError(ctx.Err()).Err()
			}
			return succeeded("done"), nil
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		begin := time.Now()
		got, err := resume(t, f.pollOnly()).Wait(ctx)
		wantValue(t, got, err, "done")
		if took := time.Since(begin); took > 21*time.Second {
			t.Errorf("Wait took %v, want about the attempt's 20s", took)
		}
	})
}

func TestWaitPollErrors(t *testing.T) {
	t.Parallel()
	hinted, err := status.New(codes.ResourceExhausted, "quota").WithDetails(retryIn(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name  string
		err   error
		times int
		want  error // nil: Wait succeeds after that many failures
	}{
		{"unavailable for long", status.Error(codes.Unavailable, "x"), 50, nil},
		{"deadline of a poll", status.Error(codes.DeadlineExceeded, "x"), 50, nil},
		{"bare deadline", context.DeadlineExceeded, 50, nil},
		{"exhausted with hint", hinted.Err(), 50, nil},
		{"exhausted", status.Error(codes.ResourceExhausted, "x"), 50, nil},
		{"internal for less than 30s", status.Error(codes.Internal, "x"), 17, nil},
		{"internal for 30s", status.Error(codes.Internal, "x"), 18, status.Error(codes.Internal, "x")},
		{"plain error for 30s", errors.New("broken pipe"), 18, errors.New("broken pipe")},
		{"not found for less than 3s", status.Error(codes.NotFound, "x"), 8, nil},
		{"not found for 3s", status.Error(codes.NotFound, "x"), 9, ErrNotFound},
		{"permission denied", status.Error(codes.PermissionDenied, "x"), 1, status.Error(codes.PermissionDenied, "x")},
		{"unauthenticated", status.Error(codes.Unauthenticated, "x"), 1, status.Error(codes.Unauthenticated, "x")},
		{"unimplemented", status.Error(codes.Unimplemented, "x"), 1, status.Error(codes.Unimplemented, "x")},
		{"invalid", status.Error(codes.InvalidArgument, "x"), 1, status.Error(codes.InvalidArgument, "x")},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &fakeService{}
				f.get = func(_ context.Context, n int) (*longrunningpb.Operation, error) {
					if n <= test.times {
						return nil, test.err
					}
					return succeeded("done"), nil
				}
				op := wrap(t, f.pollOnly(), WithPolicy(Policy{Jitter: -1}))
				got, err := op.Wait(t.Context())
				if test.want == nil {
					wantValue(t, got, err, "done")
					return
				}
				stopped, ok := errors.AsType[*WaitError](err)
				if !ok || !strings.Contains(err.Error(), test.want.Error()) {
					t.Fatalf("Wait: %v, want a *WaitError of %v", err, test.want)
				}
				if gets, _ := f.counts(); gets != test.times || stopped.Polls != gets {
					t.Errorf("made %d polls, reported %d, want %d", gets, stopped.Polls, test.times)
				}
				if got, want := status.Code(err), codeOf(test.err); got != want {
					t.Errorf("status.Code(err) = %v, want the poll's %v", got, want)
				}
				// The operation itself is untouched: waiting again works.
				again, err := op.Wait(t.Context())
				wantValue(t, again, err, "done")
			})
		})
	}
}

func TestWaitGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeService{}
		f.get = func(_ context.Context, n int) (*longrunningpb.Operation, error) {
			if n > 1 {
				return nil, status.Error(codes.NotFound, "never heard of it")
			}
			return running(""), nil
		}
		_, err := resume(t, f.pollOnly()).Wait(t.Context())
		if !errors.Is(err, ErrGone) || errors.Is(err, ErrNotFound) {
			t.Errorf("Wait: %v, want ErrGone", err)
		}
		if gets, _ := f.counts(); gets != 3 {
			t.Errorf("made %d polls, want 3: early in its life one NOT_FOUND may be of a replica that lags", gets)
		}
	})
}

func TestWaitHonoursHints(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeService{}
		f.get = func(_ context.Context, n int) (*longrunningpb.Operation, error) {
			if n == 1 {
				st, err := status.New(codes.Unavailable, "busy").WithDetails(retryIn(42 * time.Second))
				if err != nil {
					return nil, err
				}
				return nil, st.Err()
			}
			return succeeded("done"), nil
		}
		begin := time.Now()
		got, err := resume(t, f.pollOnly()).Wait(t.Context())
		wantValue(t, got, err, "done")
		if took := time.Since(begin); took != 42*time.Second {
			t.Errorf("came back after %v, want the 42s the service asked for", took)
		}
	})
}

func TestWaitAlreadyDone(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // even so
	op, err := Strings.Wrap(NewClient(&fakeService{}), succeeded("at once"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := op.Wait(ctx)
	wantValue(t, got, err, "at once")
	if !op.Done() || op.Snapshot().Cancelled() {
		t.Errorf("Done() = %v, Cancelled() = %v, want true, false", op.Done(), op.Snapshot().Cancelled())
	}
}

func TestWaitBudgetOfLongPolls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeService{get: endsAt(10 * time.Second), wait: waitsUntil(10 * time.Second)}
		c := NewClient(f, WithLongPolls(3))
		var wg sync.WaitGroup
		for range 10 {
			op, err := Strings.Wrap(c, running(""))
			if err != nil {
				t.Fatal(err)
			}
			wg.Go(func() {
				got, err := op.Wait(t.Context())
				if err != nil || got.GetValue() != "done" {
					t.Errorf("Wait: got (%v, %v), want done", got, err)
				}
			})
		}
		synctest.Wait()
		if _, waits := f.counts(); waits != 3 {
			t.Errorf("%d long polls are open, want 3", waits)
		}
		wg.Wait()
		if open := c.longPolls.Load(); open != 0 {
			t.Errorf("%d long polls are still counted as open", open)
		}
	})
}

// TestPollError: the error of one poll does not speak of waiting.
func TestPollError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		op := resume(t, &fakeService{get: func(context.Context, int) (*longrunningpb.Operation, error) {
			return nil, status.Error(codes.PermissionDenied, "no")
		}})
		_, err := op.Poll(t.Context())
		want := `poll operation "` + testName + `": rpc error: code = PermissionDenied desc = no`
		if err == nil || err.Error() != want {
			t.Errorf("Poll = %v, want %s", err, want)
		}
	})
}

func TestPoll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeService{get: endsAt(time.Second)}
		op := resume(t, f)
		if s := op.Snapshot(); !s.Time().IsZero() || s.Done() || s.Name() != testName {
			t.Errorf("resumed snapshot = %v, want a name and nothing else", s.Proto())
		}
		s, err := op.Poll(t.Context())
		if err != nil || s.Done() || s.Time().IsZero() {
			t.Errorf("Poll: done %v, %v, want running", s.Done(), err)
		}
		if _, err := op.Result(); !errors.Is(err, ErrNotDone) {
			t.Errorf("Result: %v, want ErrNotDone", err)
		}
		time.Sleep(time.Second)
		for range 3 {
			s, err = op.Poll(t.Context())
			got, resultErr := s.Result()
			if err != nil || resultErr != nil || got.GetValue() != "done" {
				t.Errorf("Poll: %v, result %v, %v, want done", err, got, resultErr)
			}
		}
		if gets, _ := f.counts(); gets != 2 {
			t.Errorf("made %d calls, want 2: what is done is not asked for", gets)
		}
	})
}

// A Poll that sees the end wakes those who wait.
func TestPollEndsWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeService{get: endsAt(time.Second)}
		op := wrap(t, f.pollOnly(), WithPolicy(Policy{FirstPoll: time.Hour, MaxInterval: time.Hour}))
		begin := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() {
			got, err := op.Wait(t.Context())
			if err != nil || got.GetValue() != "done" {
				t.Errorf("Wait: got (%v, %v), want done", got, err)
			}
		})
		time.Sleep(2 * time.Second)
		if _, err := op.Poll(t.Context()); err != nil {
			t.Errorf("Poll: %v", err)
		}
		wg.Wait()
		if took := time.Since(begin); took != 2*time.Second {
			t.Errorf("Wait took %v, want 2s", took)
		}
		if gets, _ := f.counts(); gets != 1 {
			t.Errorf("made %d calls, want 1", gets)
		}
	})
}

func TestProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeService{}
		f.get = func(_ context.Context, n int) (*longrunningpb.Operation, error) {
			switch {
			case n <= 3:
				return running("one"), nil
			case n <= 6:
				return running("two"), nil
			}
			return succeeded("done"), nil
		}
		var seen []string
		for s, err := range resume(t, f.pollOnly()).Progress(t.Context()) {
			if err != nil {
				t.Fatalf("Progress: %v", err)
			}
			if s.Done() {
				got, err := s.Result()
				wantValue(t, got, err, "done")
				seen = append(seen, "done")
				continue
			}
			m, _ := s.Metadata()
			seen = append(seen, m.GetValue())
		}
		if got, want := strings.Join(seen, " "), "one two done"; got != want {
			t.Errorf("Progress showed %q, want %q", got, want)
		}
	})
}

// With WaitOperation there, progress comes as often as by polling, and the end
// at once.
func TestProgressWithLongPoll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		state := func() *longrunningpb.Operation {
			if time.Since(begin) >= 10*time.Second {
				return succeeded("done")
			}
			return running(time.Since(begin).Truncate(time.Second).String())
		}
		f := &fakeService{}
		f.get = func(context.Context, int) (*longrunningpb.Operation, error) { return state(), nil }
		wait := waitsUntil(10 * time.Second)
		f.wait = func(ctx context.Context, n int, timeout time.Duration) (*longrunningpb.Operation, error) {
			if _, err := wait(ctx, n, timeout); err != nil {
				return nil, err
			}
			return state(), nil
		}
		shown := 0
		for s, err := range wrap(t, f, WithPolicy(Policy{MaxInterval: time.Second})).Progress(t.Context()) {
			if err != nil {
				t.Fatalf("Progress: %v", err)
			}
			shown++
			if s.Done() && time.Since(begin) != 10*time.Second {
				t.Errorf("the end came after %v, want 10s", time.Since(begin))
			}
		}
		if shown < 10 {
			t.Errorf("Progress showed %d states in 10s, want one a second", shown)
		}
	})
}

func TestProgressStopsWithWaitError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeService{get: endsAt(time.Hour)}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var last error
		items := 0
		for s, err := range wrap(t, f).Progress(ctx) {
			if s.Name() != testName {
				t.Errorf("item without a name: %v", s)
			}
			items++
			last = err
		}
		if _, ok := errors.AsType[*WaitError](last); !ok || items != 2 {
			t.Errorf("Progress ended after %d items with %v, want the known state, then a *WaitError", items, last)
		}
	})
}

func TestProgressLeftEarlyStopsPolling(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeService{get: endsAt(time.Hour)}
		op := wrap(t, f)
		for range op.Progress(t.Context()) {
			break
		}
		synctest.Wait()
		before, _ := f.counts()
		time.Sleep(time.Minute)
		if after, _ := f.counts(); after != before {
			t.Errorf("%d polls were made after the iteration was left", after-before)
		}
	})
}

func TestCallerMayKeepMessages(t *testing.T) {
	t.Parallel()
	sent := succeeded("done")
	op, err := Strings.Wrap(NewClient(&fakeService{}), sent)
	if err != nil {
		t.Fatal(err)
	}
	sent.GetResponse().Value = []byte("scribbled over")
	first, err := op.Wait(t.Context())
	wantValue(t, first, err, "done")
	first.Value = "scribbled over"
	second, err := op.Wait(t.Context())
	wantValue(t, second, err, "done")
	if p := op.Snapshot().Proto(); p.GetName() != testName || !p.GetDone() {
		t.Errorf("Proto() = %v", p)
	}
}
