package lro

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A service that answers when its ctx ends: the operation has not ended for a
// caller whose ctx did, or has failed, but never succeeded.
func TestWaitAllWhenTheAnswerComesWithTheDeadline(t *testing.T) {
	t.Parallel()
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeService{get: func(ctx context.Context, _ int) (*longrunningpb.Operation, error) {
				<-ctx.Done()
				return failed(codes.Aborted, "broke"), nil
			}}
			for _, wait := range []func(context.Context, Handle) error{
				func(ctx context.Context, op Handle) error { return WaitAll(ctx, op) },
				func(ctx context.Context, op Handle) error { _, err := WaitAny(ctx, op); return err },
			} {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				op := resume(t, f.pollOnly())
				err := wait(ctx, op)
				cancel()
				_, failed := errors.AsType[*OperationError](err)
				_, stopped := errors.AsType[*WaitError](err)
				if !failed && !stopped && !(err == nil && op.Done()) || err == nil && op.ResultErr() == nil {
					t.Fatalf("waiting for an operation that failed: %v, want its error or that of ctx", err)
				}
			}
			op := resume(t, f.pollOnly())
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := WaitAll(ctx, op); err == nil {
				t.Fatal("WaitAll for an operation that failed: no error")
			}
		})
	}
}

// What is known of the operations that ended comes before the list of the rest.
func TestCompletedDrainsBeforeTheRest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{begin: time.Now(), end: func(name string) time.Duration {
			if name == "operations/0" {
				return time.Second
			}
			return time.Hour
		}}
		ops := handles(t, NewClient(f), 3)
		var g Group[Handle]
		g.Add(ops...)
		ctx, cancel := context.WithCancel(t.Context())
		var got []string
		time.AfterFunc(5*time.Second, cancel)
		for op, err := range g.Completed(ctx) {
			got = append(got, fmt.Sprint(op.Name(), " ", err == nil))
			if err == nil {
				<-ctx.Done() // ends while this is handled
				if _, err := ops[1].(*Operation[stringValue, stringValue]).Poll(t.Context()); err != nil {
					t.Error(err)
				}
			}
		}
		if len(got) != 3 || got[0] != "operations/0 true" {
			t.Errorf("Completed yields %q, want operations that are done first", got)
		}
	})
}

// A done answer of WaitOperation that GetOperation has not confirmed is nothing
// that another caller may take for the end.
func TestGroupWaitsForConfirmation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeService{get: endsAt(20 * time.Second)}
		f.wait = func(context.Context, int, time.Duration) (*longrunningpb.Operation, error) {
			return succeeded("a lie"), nil
		}
		slow := f.get
		f.get = func(ctx context.Context, n int) (*longrunningpb.Operation, error) {
			time.Sleep(time.Second) // sleep: in a bubble
			return slow(ctx, n)
		}
		op := wrap(t, f)
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				var g Group[Handle]
				g.Add(op)
				for op, err := range g.Completed(t.Context()) {
					if err != nil || !op.Done() || op.ResultErr() != nil {
						t.Errorf("Completed yields %v, done %v, %v", err, op.Done(), op.ResultErr())
					}
				}
			})
			wg.Go(func() {
				got, err := op.Wait(t.Context())
				if err != nil || got.GetValue() != "done" {
					t.Errorf("Wait: %v, %v, want done", got, err)
				}
			})
			time.Sleep(100 * time.Millisecond)
		}
		wg.Wait()
	})
}

// When the ctx of a loop ends, an outcome that WaitOperation has returned and
// GetOperation could not confirm is yielded, once.
func TestGroupYieldsOutcomeThatCouldNotBeConfirmed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeService{
			get: func(_ context.Context, n int) (*longrunningpb.Operation, error) { return nil, unavailable(n) },
			wait: func(context.Context, int, time.Duration) (*longrunningpb.Operation, error) {
				return succeeded("done"), nil
			},
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		g := GroupOf(wrap(t, f))
		yielded := 0
		for op, err := range g.Completed(ctx) {
			yielded++
			got, resultErr := op.Result()
			if err != nil || resultErr != nil || got.GetValue() != "done" {
				t.Errorf("Completed yields %v, with the result %v, %v, want done", err, got, resultErr)
			}
		}
		if yielded != 1 || g.Len() != 0 {
			t.Errorf("Completed yielded %d operations, and %d are left, want 1 and 0", yielded, g.Len())
		}
	})
}

func TestGroupPollsALastTimeBeforeTheDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{begin: time.Now(), end: func(string) time.Duration { return 59 * time.Second }, took: time.Millisecond}
		ops := handles(t, NewClient(f, WithPolicy(Policy{MaxInterval: 50 * time.Second, Multiplier: 40})), 400)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := WaitAll(ctx, ops...); err != nil {
			t.Errorf("WaitAll: %v, want that what ended a second before the deadline is found", err)
		}
	})
}

// Adding an operation that another caller finds done at the same time loses no
// long poll.
func TestGroupAddLosesNoLongPoll(t *testing.T) {
	t.Parallel()
	service := &fakeService{get: endsAt(0), wait: waitsUntil(0)}
	c := NewClient(service)
	c.longPollTrust.Store(true)
	for range 500 {
		op, err := Strings.Wrap(c, running(""))
		if err != nil {
			t.Fatal(err)
		}
		var g Group[Handle]
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = op.Poll(t.Context()) })
		wg.Go(func() { _, _ = op.Wait(t.Context()) })
		g.Add(op)
		for _, err := range g.Completed(t.Context()) {
			if err != nil {
				t.Error(err)
			}
		}
		wg.Wait()
	}
	if open := c.longPolls.Load(); open != 0 {
		t.Errorf("%d long polls still count as open", open)
	}
}

// One service whose calls hang has its share of a group's limits, and no more.
func TestGroupSharesItsLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hole := NewClient(GetFunc(func(ctx context.Context, _ string) (*longrunningpb.Operation, error) {
			<-ctx.Done()
			return nil, status.FromContextError(ctx.Err()).Err()
		}))
		healthy := &fleet{begin: time.Now(), end: func(string) time.Duration { return 10 * time.Second }, took: 10 * time.Millisecond}
		var g Group[Handle]
		g.Add(handles(t, hole, 300)...)
		g.Add(handles(t, NewClient(healthy), 50)...)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		left := 50
		for op, err := range g.Completed(ctx) {
			if err != nil {
				break
			}
			if left--; left == 0 {
				if took := time.Since(healthy.begin); took > 14*time.Second {
					t.Errorf("%s and the other healthy ones were found done after %v, want 30%% late at most", op.Name(), took)
				}
				cancel()
			}
		}
		if left != 0 {
			t.Errorf("%d healthy operations were not found done", left)
		}
	})
}

// Long polls that fill a group's limits give way to operations that are added.
func TestGroupLongPollsGiveWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := &fakeService{get: endsAt(time.Hour), wait: waitsUntil(time.Hour)}
		c := NewClient(slow)
		g := Group[Handle]{InFlight: 4}
		for range 4 {
			op, err := Strings.Wrap(c, running(""))
			if err != nil {
				t.Fatal(err)
			}
			g.Add(op)
		}
		begin := time.Now()
		added := &fleet{begin: begin, end: func(string) time.Duration { return 5 * time.Second }}
		more := NewClient(added)
		time.AfterFunc(3*time.Second, func() { g.Add(handles(t, more, 20)...) })
		left := 20
		for op, err := range g.Completed(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if op.ResultErr() != nil {
				t.Errorf("%s: %v", op.Name(), op.ResultErr())
			}
			if left--; left == 0 {
				break
			}
		}
		if took := time.Since(begin); took > 7*time.Second {
			t.Errorf("operations that ended after 5s were found done after %v", took)
		}
	})
}

// A group makes use of unused time for no more than a burst of calls.
func TestGroupKeepsItsRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{begin: time.Now(), end: func(string) time.Duration { return 10 * time.Second }}
		c := NewClient(f, WithPolicy(Policy{FirstPoll: 5 * time.Second, MaxInterval: 5 * time.Second, Jitter: -1}))
		var ops []Handle
		for i := range 500 {
			op, err := Strings.Wrap(c, &longrunningpb.Operation{Name: fmt.Sprintf("operations/%d", i)})
			if err != nil {
				t.Fatal(err)
			}
			ops = append(ops, op)
		}
		var g Group[Handle]
		g.QPS = 100
		g.Add(ops...)
		for _, err := range g.Completed(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
		}
		// All become due at once after 5 s without calls.
		if first := f.calls[1].Sub(f.calls[0]); first != 0 {
			t.Errorf("the second call is made %v after the first, want at once: the burst is one call of unused time", first)
		}
		const within = 100 * time.Millisecond
		for i := range f.calls {
			n := 0
			for j := i; j < len(f.calls) && f.calls[j].Sub(f.calls[i]) < within; j++ {
				n++
			}
			if n > 12 {
				t.Fatalf("%d calls within %v at 100 a second, want at most 10 and a burst of 10ms", n, within)
			}
		}
	})
}

// A limit that is no number, or so low or high that a duration cannot hold its
// period, is a limit all the same, or none.
func TestGroupQPS(t *testing.T) {
	t.Parallel()
	const n, within = 1200, time.Second
	for _, test := range []struct {
		qps       float64
		low, high int // calls within a second
	}{
		{0, 500, 510},
		{math.NaN(), 500, 510},
		{1e-300, 1, 1},
		{1e-12, 1, 1},
		{2, 2, 3},
		{1e12, n, n},
		{math.MaxFloat64, n, n},
		{math.Inf(1), n, n},
		{math.Inf(-1), n, n},
		{-1, n, n},
	} {
		t.Run(fmt.Sprint(test.qps), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &fakeService{get: func(context.Context, int) (*longrunningpb.Operation, error) { return running(""), nil }}
				g := Group[Handle]{QPS: test.qps}
				g.Add(handles(t, NewClient(f.pollOnly(), WithPolicy(Policy{FirstPoll: time.Hour, MaxInterval: time.Hour})), n)...)
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(within, cancel)
				for range g.Completed(ctx) {
				}
				if gets, _ := f.counts(); gets < test.low || gets > test.high {
					t.Errorf("%d calls within %v, want %d to %d", gets, within, test.low, test.high)
				}
			})
		})
	}
}

// Once ctx has ended no call is made, also while the loop is still at what
// ended before.
func TestGroupWithAContextThatHasEnded(t *testing.T) {
	t.Parallel()
	for _, after := range []time.Duration{0, time.Second} {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeService{get: func(context.Context, int) (*longrunningpb.Operation, error) { return running(""), nil }}
			client := NewClient(f.pollOnly())
			const n = 200
			g := Group[Handle]{QPS: -1}
			g.Add(handles(t, client, n)...)
			done, err := Any().Wrap(client, succeeded("x"))
			if err != nil {
				t.Fatal(err)
			}
			g.Add(done)
			ctx, cancel := context.WithCancel(t.Context())
			var ended, stopped, before int
			if after == 0 {
				cancel()
			}
			for _, err := range g.Completed(ctx) {
				switch {
				case err == nil:
					ended++
					time.Sleep(after)
					cancel()
					before, _ = f.counts()
					time.Sleep(time.Minute)
				case errors.Is(err, context.Canceled):
					stopped++
				}
			}
			if after == 0 {
				before = 0
			}
			if gets, _ := f.counts(); gets > before || ended != 1 || stopped != n {
				t.Errorf("%d calls after ctx ended, %d operations yielded as done, %d as stopped; want 0, 1 and %d", gets-before, ended, stopped, n)
			}
			cancel()
		})
	}
}

// An operation that is found done while ctx ends is yielded as such, also before
// the observer has been told.
func TestCompletedWhileTheObserverIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		op := wrap(t, (&fakeService{get: endsAt(time.Second)}).pollOnly(), WithObserver(&Observer{WaitEnd: func(context.Context, WaitEnd) {
			time.Sleep(time.Minute) // sleep: in a bubble
		}}))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		var yielded int
		for op, err := range GroupOf(op).Completed(ctx) {
			yielded++
			if err != nil || !op.Done() {
				t.Errorf("Completed: %v, done %v, want the end", err, op.Done())
			}
		}
		if yielded != 1 {
			t.Errorf("%d operations were yielded, want 1", yielded)
		}
		time.Sleep(time.Minute) // sleep: in a bubble, for the observer to return
	})
}

// TestGroupAddWhileAnIterationBegins: an operation that is added after an iteration
// has begun and before it waits for the members is waited for once. Linked twice it
// was followed by itself, and Completed never returned.
func TestGroupAddWhileAnIterationBegins(t *testing.T) {
	t.Parallel()
	op := resume(t, &fakeService{get: endsAt(time.Hour)})
	var g group
	var it *caller
	var both sync.WaitGroup
	// A mutex that a goroutine has waited for longer than a millisecond is handed on in
	// the order of waiting, so add gets it as soon as begin unlocks it.
	g.mu.Lock()
	both.Go(func() { it = g.begin(t.Context(), 1, -1) })
	time.Sleep(5 * time.Millisecond) // sleep: begin has to wait for the mutex
	both.Go(func() { g.add(op) })
	time.Sleep(5 * time.Millisecond) // sleep: add has to wait behind it
	g.mu.Unlock()
	g.mu.Lock()
	time.Sleep(5 * time.Millisecond) // sleep: begin has to find it locked once more
	g.mu.Unlock()
	both.Wait()
	for _, m := range g.members() {
		op.mu.Lock()
		first, second := op.wait.members, m.next
		op.mu.Unlock()
		if first != m || second != nil {
			t.Fatalf("the operation is waited for by %p and then %p, want by %p alone", first, second, m)
		}
	}
	g.end(it)
}
