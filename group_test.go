package lro

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// fleet is a service of many operations, each with an end of its own.
type fleet struct {
	begin time.Time
	end   func(name string) time.Duration
	took  time.Duration // of a call

	mu    sync.Mutex
	open  int
	most  int // open at once
	calls []time.Time
}

func (f *fleet) GetOperation(ctx context.Context, req *longrunningpb.GetOperationRequest, _ ...grpc.CallOption) (*longrunningpb.Operation, error) {
	f.mu.Lock()
	f.open++
	f.most = max(f.most, f.open)
	f.calls = append(f.calls, time.Now())
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.open--
		f.mu.Unlock()
	}()
	if f.took > 0 {
		time.Sleep(f.took) // sleep: a fleet serves in bubbles only
	}
	if end := f.end(req.GetName()); end < 0 {
		return nil, status.Error(codes.PermissionDenied, "not yours")
	} else if time.Since(f.begin) < end {
		return &longrunningpb.Operation{Name: req.GetName()}, nil
	}
	op := succeeded(req.GetName())
	op.Name = req.GetName()
	return op, nil
}

func handles(t *testing.T, c *Client, n int) []Handle {
	t.Helper()
	ops := make([]Handle, n)
	for i := range ops {
		op, err := Strings.Resume(c, fmt.Sprintf("operations/%d", i))
		if err != nil {
			t.Fatal(err)
		}
		ops[i] = op
	}
	return ops
}

func TestWaitAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{begin: time.Now(), took: 10 * time.Millisecond}
		f.end = func(name string) time.Duration {
			var i int
			fmt.Sscanf(name, "operations/%d", &i)
			return time.Duration(i) * 10 * time.Millisecond
		}
		ops := handles(t, NewClient(f), 1000)
		if err := WaitAll(t.Context(), ops...); err != nil {
			t.Fatalf("WaitAll: %v", err)
		}
		for _, op := range ops {
			if err := op.ResultErr(); err != nil {
				t.Errorf("%s: %v", op.Name(), err)
			}
			if op.untyped().wait.members != nil {
				t.Errorf("%s still belongs to a group", op.Name())
			}
		}
		if f.most > groupInFlight {
			t.Errorf("%d calls were open at once, want at most %d", f.most, groupInFlight)
		}
		for i := range f.calls {
			if i+groupQPS >= len(f.calls) {
				break
			}
			if span := f.calls[i+groupQPS].Sub(f.calls[i]); span < 980*time.Millisecond {
				t.Errorf("%d calls within %v, want at most that many a second", groupQPS, span)
				break
			}
		}
	})
}

func TestWaitAllErrors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := NewClient(&fakeService{get: endsAt(time.Second)})
		good, err := Strings.Resume(c, testName)
		if err != nil {
			t.Fatal(err)
		}
		other := NewClient((&fakeService{get: func(context.Context, int) (*longrunningpb.Operation, error) {
			return failed(codes.Aborted, "broke"), nil
		}}).pollOnly())
		bad, err := Method[*emptypb.Empty, *emptypb.Empty]{}.Resume(other, "operations/bad")
		if err != nil {
			t.Fatal(err)
		}
		lost, err := Strings.Resume(NewClient(&fleet{end: func(string) time.Duration { return -1 }}), "operations/lost")
		if err != nil {
			t.Fatal(err)
		}
		err = WaitAll[Handle](t.Context(), good, bad, lost)
		if end, ok := errors.AsType[*OperationError](err); !ok || end.Name != "operations/bad" {
			t.Errorf("WaitAll: %v, want the *OperationError", err)
		}
		if stopped, ok := errors.AsType[*WaitError](err); !ok || stopped.Name != "operations/lost" || stopped.Polls != 1 {
			t.Errorf("WaitAll: %v, want the *WaitError of operations/lost", err)
		}
		if err := WaitAll[Handle](t.Context()); err != nil {
			t.Errorf("WaitAll of nothing: %v", err)
		}
	})
}

func TestWaitAllContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{begin: time.Now(), end: func(name string) time.Duration {
			if name == "operations/0" {
				return 0
			}
			return time.Hour
		}}
		ops := handles(t, NewClient(f), 3)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begin := time.Now()
		err := WaitAll(ctx, ops...)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Minute {
			t.Errorf("WaitAll: %v after %v, want the deadline after a minute", err, time.Since(begin))
		}
		if stopped, ok := errors.AsType[*WaitError](err); !ok || stopped.Elapsed != time.Minute || stopped.Last.Done() {
			t.Errorf("WaitAll: %v, want the *WaitError of those that run", err)
		}
		if ops[0].ResultErr() != nil || ops[1].Done() {
			t.Errorf("first %v, second done %v", ops[0].ResultErr(), ops[1].Done())
		}
		for _, op := range ops {
			if op.untyped().wait.members != nil {
				t.Errorf("%s still belongs to a group", op.Name())
			}
		}
	})
}

func TestWaitAny(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{begin: time.Now(), end: func(name string) time.Duration {
			if name == "operations/7" {
				return time.Second
			}
			return time.Hour
		}}
		ops := handles(t, NewClient(f), 10)
		op, err := WaitAny(t.Context(), ops...)
		if err != nil || op != ops[7] || op.ResultErr() != nil {
			t.Errorf("WaitAny = %v, %v, want operations/7", op, err)
		}
		if _, err := WaitAny[Handle](t.Context()); err == nil {
			t.Error("WaitAny of nothing: no error")
		}
	})
}

// job embeds an operation, as the types of adapters do.
type job struct {
	Handle
	number int
	_      []int // so that it cannot be compared
}

func TestGroupOfOwnType(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{begin: time.Now(), end: func(name string) time.Duration {
			if name == "operations/2" {
				return time.Hour
			}
			return time.Second
		}}
		var group Group[job]
		for i, op := range handles(t, NewClient(f), 3) {
			group.Add(job{Handle: op, number: i})
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for j, err := range group.Completed(ctx) {
			if want := fmt.Sprintf("operations/%d", j.number); j.Name() != want || (err == nil) != (j.number != 2) {
				t.Errorf("Completed() yields %s, %v, want %s", j.Name(), err, want)
			}
		}
		if group.Len() != 1 {
			t.Errorf("Len() = %d, want 1", group.Len())
		}
		for j, err := range group.Completed(t.Context()) {
			if j.number != 2 || err != nil {
				t.Errorf("Completed() yields %s, %v, want operations/2", j.Name(), err)
			}
		}
	})
}

func TestGroupGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{begin: time.Now(), end: func(name string) time.Duration {
			var i int
			fmt.Sscanf(name, "operations/%d", &i)
			return time.Duration(i) * time.Minute
		}}
		ops := handles(t, NewClient(f), 5)
		var g Group[Handle]
		g.Add(ops[:3]...)
		seen := map[Handle]bool{}
		for op, err := range g.Completed(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			seen[op] = true
			break
		}
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
		defer cancel()
		for op, err := range g.Completed(ctx) {
			if err != nil {
				stopped, ok := errors.AsType[*WaitError](err)
				if !ok || !errors.Is(err, context.DeadlineExceeded) || stopped.Name != op.Name() || op != ops[2] {
					t.Errorf("Completed yields %v, %v, want the last one's *WaitError of the deadline", op.Name(), err)
				}
				continue
			}
			seen[op] = true
		}
		if len(seen) != 2 || g.Len() != 1 {
			t.Fatalf("%d ended and %d left, want 2 and 1", len(seen), g.Len())
		}
		g.Add(ops[3:]...)
		for op, err := range g.Completed(t.Context()) {
			if err != nil || seen[op] {
				t.Errorf("Completed yields %v, %v", op, err)
			}
			seen[op] = true
		}
		if len(seen) != 5 || g.Len() != 0 {
			t.Errorf("%d ended and %d left, want 5 and 0", len(seen), g.Len())
		}
	})
}

// All callers hear of the end, no matter which of them found it.
func TestGroupAndWaitTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeService{get: endsAt(10 * time.Second), wait: waitsUntil(10 * time.Second)}
		op := wrap(t, f)
		slow := Group[Handle]{QPS: 0.001} // one call in 1000 s
		slow.Add(op, wrap(t, (&fakeService{get: endsAt(0)}).pollOnly()))
		var wg sync.WaitGroup
		begin := time.Now()
		wg.Go(func() {
			if _, err := op.Wait(t.Context()); err != nil {
				t.Errorf("Wait: %v", err)
			}
		})
		for got, err := range slow.Completed(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if took := time.Since(begin); got == op && took > 20*time.Second {
				t.Errorf("the group saw the end after %v, although Wait knew it after 10s", took)
			}
		}
		wg.Wait()
	})
}

func TestGroupLongPollsWhatFits(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		inFlight  int
		longPolls int
	}{{5, 5}, {4, 0}} {
		t.Run(fmt.Sprint(test.inFlight), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &fakeService{get: endsAt(time.Minute), wait: waitsUntil(time.Minute)}
				c := NewClient(f)
				g := Group[Handle]{InFlight: test.inFlight}
				for range 5 {
					op, err := Strings.Wrap(c, running(""))
					if err != nil {
						t.Fatal(err)
					}
					g.Add(op)
				}
				time.AfterFunc(time.Second, func() {
					if open := c.longPolls.Load(); open != int64(test.longPolls) {
						t.Errorf("%d long polls are open, want %d", open, test.longPolls)
					}
				})
				for op, err := range g.Completed(t.Context()) {
					if err != nil || op.ResultErr() != nil {
						t.Errorf("Completed: %v, %v", err, op.ResultErr())
					}
				}
				if open := c.longPolls.Load(); open != 0 {
					t.Errorf("%d long polls still count as open", open)
				}
			})
		})
	}
}

func TestGroupIsIteratedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g Group[Handle]
		g.Add(wrap(t, &fakeService{get: endsAt(0)}))
		for range g.Completed(t.Context()) {
			func() {
				defer func() {
					if recover() == nil {
						t.Error("a second iteration at once did not panic")
					}
				}()
				for range g.Completed(t.Context()) {
					t.Error("a second iteration yields")
				}
			}()
		}
	})
}

// A group of one method's operations yields them with their types, by the limits
// that are set before the iteration.
func TestGroupOf(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := NewClient((&fakeService{get: endsAt(0)}).pollOnly())
		var ops []*Operation[stringValue, stringValue]
		for range 5 {
			op, err := Strings.Resume(client, testName)
			if err != nil {
				t.Fatal(err)
			}
			if !errors.Is(op.ResultErr(), ErrNotDone) {
				t.Errorf("ResultErr of an operation that was not polled: %v, want ErrNotDone", op.ResultErr())
			}
			ops = append(ops, op)
		}
		g := GroupOf(ops[:3]...)
		g.QPS = 1
		g.Add(ops[3:]...)
		begin, yielded := time.Now(), 0
		for op, err := range g.Completed(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			got, err := op.Result()
			wantValue(t, got, err, "done")
			yielded++
		}
		if took := time.Since(begin).Round(time.Second); yielded != 5 || took != 4*time.Second {
			t.Errorf("Completed yields %d operations within %v, want 5, one a second", yielded, took)
		}
	})
}
