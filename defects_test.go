package lro

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Defects of google.api_core's futures that ours must not have, by the numbers
// of docs/from-python.md. Those that other tests show are named there.

// D3: a response of another type fails the first call, and the second returns
// None as if all were well.
func TestD3WrongTypeStaysAnError(t *testing.T) {
	t.Parallel()
	f := &fakeService{get: func(context.Context, int) (*longrunningpb.Operation, error) {
		return doneWith(anyOf(durationpb.New(1))), nil
	}}
	op := resume(t, f.pollOnly())
	var texts []string
	for range 3 {
		_, err := op.Wait(t.Context())
		if _, ok := errors.AsType[*ResultError](err); !ok {
			t.Fatalf("Wait: %v, want a *ResultError each time", err)
		}
		texts = append(texts, err.Error())
	}
	if texts[0] != texts[1] || texts[1] != texts[2] || !op.Done() {
		t.Errorf("Wait: %q, done %v, want the same error of a done operation", texts, op.Done())
	}
}

// D4: any exhausted retry below is reported as the polling timeout.
func TestD4FailureIsNotATimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeService{get: func(context.Context, int) (*longrunningpb.Operation, error) {
			return nil, status.Error(codes.Internal, "broken for good")
		}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_, err := resume(t, f.pollOnly()).Wait(ctx)
		if errors.Is(err, context.DeadlineExceeded) || status.Code(err) != codes.Internal {
			t.Errorf("Wait: %v, want the service's INTERNAL and no deadline", err)
		}
	})
}

// D5: callbacks never run when the polling thread dies of an error.
func TestD5CallbackRunsWhenPollingFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeService{get: func(_ context.Context, n int) (*longrunningpb.Operation, error) {
			if n == 1 {
				return nil, status.Error(codes.PermissionDenied, "not today")
			}
			return succeeded("done"), nil
		}}
		op := resume(t, f.pollOnly())
		calls := 0
		<-op.OnDone(t.Context(), func(out Outcome[stringValue]) {
			calls++
			if status.Code(out.Err) != codes.PermissionDenied {
				t.Errorf("callback got %v, want PERMISSION_DENIED", out.Err)
			}
		})
		if calls != 1 {
			t.Errorf("callback ran %d times, want once", calls)
		}
		got, err := op.Wait(t.Context()) // and waiting starts again
		wantValue(t, got, err, "done")
	})
}

// D6: a callback registered at the moment of completion is lost.
// D7: completing twice runs callbacks again.
func TestD6CallbackIsNeverLostNorRepeated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for range 200 {
			op := wrap(t, &fakeService{get: endsAt(time.Second)})
			var mu sync.Mutex
			calls := 0
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() { _, _ = op.Wait(t.Context()) })
				wg.Go(func() { _, _ = op.Poll(t.Context()) })
				wg.Go(func() {
					time.Sleep(time.Second)
					<-op.OnDone(t.Context(), func(Outcome[stringValue]) {
						mu.Lock()
						defer mu.Unlock()
						calls++
					})
				})
			}
			wg.Wait()
			if calls != 4 {
				t.Fatalf("4 callbacks ran %d times", calls)
			}
		}
	})
}

// D16: callbacks run under the lock that every other use of the future needs.
func TestD16CallbacksHoldNoLock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		op := wrap(t, &fakeService{get: endsAt(time.Second)})
		release := make(chan struct{})
		returned := op.OnDone(t.Context(), func(Outcome[stringValue]) { <-release })
		got, err := op.Wait(t.Context())
		wantValue(t, got, err, "done")
		synctest.Wait() // the callback hangs now
		if _, err := op.Poll(t.Context()); err != nil || !op.Done() {
			t.Errorf("Poll beside a callback: %v", err)
		}
		close(release)
		<-returned
	})
}

// An older answer that arrives late does not take back what is known.
func TestLateAnswerDoesNotUndo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := make(chan struct{})
		f := &fakeService{get: func(_ context.Context, n int) (*longrunningpb.Operation, error) {
			if n == 1 {
				<-slow
				return running("old"), nil
			}
			return succeeded("done"), nil
		}}
		op := resume(t, f.pollOnly())
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = op.Poll(t.Context()) })
		synctest.Wait()
		got, err := op.Wait(t.Context())
		wantValue(t, got, err, "done")
		close(slow)
		wg.Wait()
		if !op.Done() {
			t.Error("a done operation is running again")
		}
	})
}
