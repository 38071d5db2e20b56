package lro

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
)

// Contexts derived from that of a call, in any way, end with it: when its time
// limit has passed, when its caller's ctx has ended, or when it has returned.
func TestPollContextEnds(t *testing.T) {
	t.Parallel()
	type key struct{}
	cause := errors.New("caller had enough")
	for _, test := range []struct {
		name    string
		cancel  time.Duration // of the caller's ctx; 0 for never
		returns time.Duration
		after   time.Duration
		err     error
		cause   error
	}{
		{"time limit", 0, time.Hour, 3 * time.Second, context.DeadlineExceeded, context.DeadlineExceeded},
		{"caller", time.Second, time.Hour, time.Second, context.Canceled, cause},
		{"return", 0, 2 * time.Second, 2 * time.Second, context.Canceled, context.Canceled},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				caller, cancel := context.WithCancelCause(context.WithValue(t.Context(), key{}, "caller's"))
				defer cancel(nil)
				if test.cancel > 0 {
					time.AfterFunc(test.cancel, func() { cancel(cause) })
				}
				var ctx context.Context
				var derived []context.Context
				ended := make(chan time.Duration, 10)
				begin := time.Now()
				op := resume(t, GetFunc(func(c context.Context, name string) (*longrunningpb.Operation, error) {
					ctx = c
					for range 2 {
						value := context.WithValue(ctx, key{}, "own")
						for _, parent := range []context.Context{ctx, value} {
							child, end := context.WithCancel(parent)
							t.Cleanup(end)
							late, end := context.WithTimeout(parent, time.Hour)
							t.Cleanup(end)
							derived = append(derived, child, late)
							context.AfterFunc(parent, func() { ended <- time.Since(begin) })
						}
					}
					stop := context.AfterFunc(ctx, func() { ended <- -1 })
					if !stop() {
						t.Error("stop of AfterFunc = false before the end")
					}
					select {
					case <-ctx.Done():
						return nil, ctx.Err()
					case <-time.After(test.returns):
						return running(""), nil
					}
				}), WithPolicy(Policy{AttemptTimeout: 3 * time.Second}))
				_, err := op.Poll(caller)
				if got := time.Since(begin); got != test.after || (err == nil) != (test.returns == test.after) {
					t.Errorf("Poll = %v after %v, want its end after %v", err, got, test.after)
				}
				synctest.Wait()
				for i, c := range append(derived, ctx) {
					select {
					case <-c.Done():
					default:
						t.Errorf("derived context %d has not ended", i)
					}
					if c.Err() != test.err || context.Cause(c) != test.cause {
						t.Errorf("derived context %d: Err %v, Cause %v, want %v, %v", i, c.Err(), context.Cause(c), test.err, test.cause)
					}
				}
				for len(ended) > 0 {
					if got := <-ended; got != test.after {
						t.Errorf("AfterFunc called after %v, want %v", got, test.after)
					}
				}
				if ctx.Value(key{}) != "caller's" {
					t.Errorf("Value = %v, want the caller's", ctx.Value(key{}))
				}
				late := make(chan struct{})
				context.AfterFunc(ctx, func() { close(late) })
				<-late
			})
		})
	}
}

// gRPC derives a context for each call: that needs no goroutine.
// Not parallel: it counts the goroutines of the process.
func TestPollContextNeedsNoGoroutine(t *testing.T) {
	op := resume(t, GetFunc(func(ctx context.Context, _ string) (*longrunningpb.Operation, error) {
		before := runtime.NumGoroutine()
		for range 100 {
			_, cancel := context.WithCancel(ctx)
			defer cancel()
		}
		if more := runtime.NumGoroutine() - before; more > 50 { // other tests' may come
			t.Errorf("100 derived contexts have %d goroutines", more)
		}
		return running(""), nil
	}))
	if _, err := op.Poll(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Each call ends at its own limit, to the nanosecond, whatever other calls of the
// client do meanwhile: return, begin, or have a shorter or longer limit.
func TestLimitsOfManyCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l limits
		var calls sync.WaitGroup
		for i := range 500 {
			begins := time.Duration(i%37) * 10 * time.Millisecond
			limit := time.Duration(1+i%23) * 50 * time.Millisecond
			returns := limit + time.Duration(i%7-3)*10*time.Millisecond
			if returns == limit {
				returns++ // which of two comes first at one time is open
			}
			calls.Go(func() {
				time.Sleep(begins)
				call := &limited{values: t.Context()}
				child, cancel := context.WithCancel(call)
				defer cancel()
				begin := time.Now()
				l.add(call, limit)
				select {
				case <-child.Done():
				case <-time.After(returns):
				}
				l.drop(call)
				got := time.Since(begin)
				if want := min(limit, returns); got != want || (call.Err() != nil) != (want == limit) {
					t.Errorf("call with the limit %v that returns after %v: ended after %v with %v", limit, returns, got, call.Err())
				}
				call.end(context.Canceled)
				if want := context.Canceled; returns < limit && child.Err() != want {
					t.Errorf("derived context: Err %v, want %v", child.Err(), want)
				}
			})
		}
		calls.Wait()
		time.Sleep(time.Hour)
		synctest.Wait()
		l.mu.Lock()
		defer l.mu.Unlock()
		if len(l.calls) > 0 || l.fires != 0 {
			t.Errorf("%d calls are left, timer is set for %v", len(l.calls), l.fires)
		}
	})
}

// A call's limit, its return and its users meet at the same moment; the race
// detector watches. The context ends once.
func TestLimitedRaces(t *testing.T) {
	t.Parallel()
	var l limits
	for range 200 {
		call := &limited{values: t.Context()}
		var users sync.WaitGroup
		var mu sync.Mutex
		calls := map[int]int{}
		l.add(call, 100*time.Microsecond)
		for i := range 4 {
			users.Go(func() {
				child, cancel := context.WithCancel(call)
				defer cancel()
				context.AfterFunc(call, func() {
					mu.Lock()
					defer mu.Unlock()
					calls[i]++
				})
				<-child.Done()
				if child.Err() != call.Err() {
					t.Errorf("derived context ended with %v, the call with %v", child.Err(), call.Err())
				}
			})
		}
		users.Go(func() {
			time.Sleep(100 * time.Microsecond) // sleep: the races are between a timer of the runtime and this goroutine
			l.drop(call)
			call.end(context.Canceled)
		})
		users.Wait()
		first := call.Err()
		call.end(errors.New("another"))
		if call.Err() != first {
			t.Fatalf("Err changed from %v to %v", first, call.Err())
		}
		mu.Lock()
		for i, n := range calls {
			if n != 1 {
				t.Errorf("function %d was called %d times", i, n)
			}
		}
		mu.Unlock()
	}
}

// Calls in bubbles and outside of them have timers of their own.
func TestLimitsInBubbles(t *testing.T) {
	t.Parallel()
	hang := GetFunc(func(ctx context.Context, _ string) (*longrunningpb.Operation, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	client := NewClient(hang, WithPolicy(Policy{AttemptTimeout: 10 * time.Millisecond}))
	poll := func(t *testing.T) {
		op, err := Any().Resume(client, "operations/test")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := op.Poll(t.Context()); codeOf(err) != codeOf(context.DeadlineExceeded) {
			t.Errorf("Poll of a service that hangs = %v, want the end of the time limit", err)
		}
	}
	for range 2 {
		poll(t)
		synctest.Test(t, poll)
	}
}

// A function that is given to a context which has just ended is called: package context
// looks at Done before, but not while it does so.
func TestAfterTheEnd(t *testing.T) {
	t.Parallel()
	call := &limited{values: t.Context()}
	call.end(context.Canceled)
	called := make(chan struct{})
	call.AfterFunc(func() { close(called) })
	<-called
}
