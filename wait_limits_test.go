package lro

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/status"
)

// WaitOperation does not count as one of the calls that a client may have open.
func TestLongPollsDoNotCount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n = maxCalls + 50
		f := &fakeService{get: endsAt(time.Minute), wait: waitsUntil(time.Minute)}
		client := NewClient(f, WithLongPolls(n))
		var wg sync.WaitGroup
		for i := range n {
			op, err := Any().Wrap(client, &longrunningpb.Operation{Name: fmt.Sprint("operations/", i)})
			if err != nil {
				t.Fatal(err)
			}
			wg.Go(func() { _, _ = op.Wait(t.Context()) })
		}
		synctest.Wait()
		if _, waits := f.counts(); waits != n {
			t.Errorf("%d long polls are open at once, want all %d", waits, n)
		}
		wg.Wait()
		if left := len(client.longCalls.calls); left > 0 {
			t.Errorf("%d long polls are left without waits", left)
		}
	})
}

// A deadline of a caller that has left is nothing for the others.
func TestDeadlineLeavesWithItsCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeService{get: endsAt(time.Minute)}
		op := wrap(t, f.pollOnly(), WithPolicy(Policy{FirstPoll: time.Hour, MaxInterval: time.Hour}))
		stays, end := context.WithTimeout(t.Context(), 30*time.Second)
		defer end()
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = op.Wait(stays) })
		leaves, leave := context.WithTimeout(t.Context(), 10*time.Second)
		time.AfterFunc(2*time.Second, leave)
		_, _ = op.Wait(leaves)
		time.Sleep(20 * time.Second) // sleep: in a bubble
		if gets, _ := f.counts(); gets != 0 {
			t.Errorf("made %d polls, want none before the deadline of a caller that waits", gets)
		}
		wg.Wait()
		if gets, _ := f.counts(); gets != 1 {
			t.Errorf("made %d polls, want the last one", gets)
		}
	})
}

// What was a last poll for one caller is an ordinary wait for those that stay.
func TestLastPollIsOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeService{get: endsAt(time.Hour)}
		op := wrap(t, f.pollOnly())
		stays, end := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = op.Wait(stays) })
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, _ = op.Wait(ctx)
		time.Sleep(time.Minute) // sleep: in a bubble
		op.mu.Lock()
		if op.wait.last {
			t.Error("the polls after a last poll go before those of other operations")
		}
		op.mu.Unlock()
		end()
		wg.Wait()
	})
}

// Calls that hang make room for others after a while, and for no more of them.
func TestCallsThatHangMakeRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const holes, ends = 1000, 5 * time.Second
		var mu sync.Mutex
		var begun []time.Time
		begin := time.Now()
		client := NewClient(GetFunc(func(ctx context.Context, name string) (*longrunningpb.Operation, error) {
			if !strings.HasSuffix(name, "/0") {
				mu.Lock()
				begun = append(begun, time.Now())
				mu.Unlock()
				<-ctx.Done()
				return nil, status.FromContextError(ctx.Err()).Err()
			}
			return &longrunningpb.Operation{Name: name, Done: time.Since(begin) >= ends}, nil
		}), WithPolicy(Policy{AttemptTimeout: time.Second, MaxInterval: time.Second}))
		ctx, cancel := context.WithCancel(t.Context())
		ops := handles(t, client, holes)
		var wg sync.WaitGroup
		for _, op := range ops[1:] {
			wg.Go(func() { _ = waitFor(ctx, op, false) })
		}
		_ = waitFor(ctx, ops[0], false)
		if late := time.Since(begin) - ends; late > 4*time.Second {
			t.Errorf("the healthy operation was found %v late, want at most 4s", late)
		}
		mu.Lock()
		hung := slices.Clone(begun) // without those that are made as others are given up
		mu.Unlock()
		cancel()
		wg.Wait()
		for i := range hung {
			if j := i + 2*maxCalls; j < len(hung) && hung[j].Sub(hung[i]) < hangs {
				t.Fatalf("%d calls were begun within %v", 2*maxCalls+1, hung[j].Sub(hung[i]))
			}
		}
	})
}

// The share of a client in the limits of a group ends with its operations.
func TestGroupShareEndsWithItsOperations(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const inFlight = 4
		quick := NewClient(&fleet{begin: time.Now(), end: func(string) time.Duration { return 0 }})
		slow := &fleet{begin: time.Now(), end: func(string) time.Duration { return 30 * time.Second }, took: time.Second}
		g := Group[Handle]{InFlight: inFlight}
		g.Add(handles(t, quick, 1)...)
		g.Add(handles(t, NewClient(slow), 20)...)
		for _, err := range g.Completed(t.Context()) {
			if err != nil {
				t.Error(err)
			}
		}
		if slow.most != inFlight {
			t.Errorf("%d calls were open at once, want %d", slow.most, inFlight)
		}
	})
}

// What has been due for longest has its call first, whichever client it is of.
func TestGroupIsFairToClients(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		busy := NewClient(&fleet{begin: time.Now(), end: func(string) time.Duration { return time.Hour }},
			WithPolicy(Policy{FirstPoll: 10 * time.Millisecond, MaxInterval: 10 * time.Millisecond}))
		other := NewClient(&fleet{begin: time.Now(), end: func(string) time.Duration { return 5 * time.Second }})
		g := Group[Handle]{QPS: 10}
		g.Add(handles(t, busy, 100)...)
		g.Add(handles(t, other, 1)...)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for op, err := range g.Completed(ctx) {
			if err != nil {
				t.Errorf("%s: %v, want the operation that ended first", op.Name(), err)
			}
			break
		}
	})
}

// A group keeps to its limit also where its clients are more than that.
func TestGroupOfManyClientsKeepsToItsLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const inFlight = 2
		f := &fleet{begin: time.Now(), end: func(string) time.Duration { return 0 }, took: time.Second}
		g := Group[Handle]{InFlight: inFlight}
		for range 5 * inFlight {
			g.Add(handles(t, NewClient(f), 1)...)
		}
		for _, err := range g.Completed(t.Context()) {
			if err != nil {
				t.Error(err)
			}
		}
		if f.most != inFlight {
			t.Errorf("%d calls were open at once, want %d", f.most, inFlight)
		}
	})
}
