package lro

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// quota allows so many calls in each window, and counts.
type quota struct {
	service Service
	calls   int
	window  time.Duration

	mu      sync.Mutex
	begin   time.Time
	used    int
	refused int
	all     int
}

func (q *quota) get(ctx context.Context, name string) (*longrunningpb.Operation, error) {
	q.mu.Lock()
	if now := time.Now(); now.Sub(q.begin) >= q.window {
		q.begin, q.used = now, 0
	}
	q.used++
	q.all++
	over := q.used > q.calls
	if over {
		q.refused++
	}
	q.mu.Unlock()
	if over {
		return nil, status.Error(codes.ResourceExhausted, "quota exceeded")
	}
	return q.service.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: name})
}

// Waiting survives a quota that is too small for its schedule, and after the
// first refusals keeps to it.
func TestRateKeepsToQuota(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		operations, calls int
		window            time.Duration
		group             bool
	}{
		{50, 600, time.Minute, false},
		{200, 600, time.Minute, true},
		{50, 1, time.Second, false},
		{50, 1, time.Second, true},
	} {
		t.Run(fmt.Sprint(test), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				end := endsAt(5 * time.Minute)
				q := &quota{calls: test.calls, window: test.window, begin: time.Now(), service: GetFunc(func(ctx context.Context, _ string) (*longrunningpb.Operation, error) { return end(ctx, 0) })}
				c := NewClient(GetFunc(q.get))
				var ops []*Operation[stringValue, stringValue]
				for i := range test.operations {
					op, err := Strings.Wrap(c, &longrunningpb.Operation{Name: fmt.Sprintf("operations/%d", i)})
					if err != nil {
						t.Fatal(err)
					}
					ops = append(ops, op)
				}
				begin := time.Now()
				if test.group {
					if err := WaitAll(t.Context(), ops...); err != nil {
						t.Fatal(err)
					}
				} else {
					var wg sync.WaitGroup
					for _, op := range ops {
						wg.Go(func() {
							if _, err := op.Wait(t.Context()); err != nil {
								t.Error(err)
							}
						})
					}
					wg.Wait()
				}
				t.Logf("%d calls, %d refused, found within %v of the end", q.all, q.refused, time.Since(begin)-5*time.Minute)
				if q.refused*4 > q.all {
					t.Errorf("%d of %d calls were refused, want less than a quarter", q.refused, q.all)
				}
			})
		})
	}
}

func TestRate(t *testing.T) {
	t.Parallel()
	var r rate
	now := time.Hour
	for range 1000 {
		if wait := r.wait(now); wait != 0 {
			t.Fatalf("wait without a refusal: %v, want 0", wait)
		}
		r.spend(now)
		now += 10 * time.Millisecond
	}
	for range 50 { // those under way are refused together
		r.learn(now, true)
	}
	if r.limit < 50 || r.limit > 80 {
		t.Errorf("limit after 100 calls a second is %v, want about 70", r.limit)
	}
	if wait := r.wait(now); wait <= 0 || wait > 20*time.Millisecond {
		t.Errorf("wait after a refusal: %v, want a pause of at most 20ms", wait)
	}
	for range 100 { // refused for good
		now += time.Second
		r.learn(now, true)
	}
	if r.limit != rateLeast {
		t.Errorf("limit is %v, want the least, %v", r.limit, rateLeast)
	}
	begin := now
	for r.limit < 50 {
		now += max(r.wait(now), time.Millisecond)
		r.spend(now)
		if now-begin > 2*time.Minute {
			t.Fatalf("limit is %v after 2 minutes of success, want it to grow", r.limit)
		}
		r.learn(now, false)
	}
	if wait := r.wait(now + rateForgiven + time.Second); wait != 0 || r.limit != 0 {
		t.Errorf("wait long after the last refusal: %v, want no limit", wait)
	}
}

// After a refusal the limit grows as the window of Cubic does (RFC 9438, section
// 4.2): quickly at first, slowly near the rate that was reached, then quickly.
func TestRateRecovery(t *testing.T) {
	t.Parallel()
	var r rate
	now := time.Hour
	call := func() {
		now += max(r.wait(now), 10*time.Millisecond)
		r.spend(now)
	}
	for range 1000 {
		call()
	}
	r.learn(now, true)
	begin := now
	for _, want := range []struct {
		after time.Duration
		limit float64 // in relation to the rate that was reached
	}{{0, 0.7}, {5 * time.Second, 1 - 0.3/8}, {10 * time.Second, 1}, {15 * time.Second, 1 + 0.3/8}, {20 * time.Second, 1.3}} {
		for now-begin < want.after {
			call()
			r.learn(now, false)
		}
		if got := r.limit / r.reached; got < want.limit-0.01 || got > want.limit+0.01 {
			t.Errorf("limit %v after a refusal is %.3f of the rate reached, want %.3f", want.after, got, want.limit)
		}
	}
}

// A limit that is not made use of does not grow: nothing shows that the service
// would take more.
func TestRateGrowsWithUse(t *testing.T) {
	t.Parallel()
	var r rate
	now := time.Hour
	for range 200 {
		r.spend(now)
		r.learn(now, false)
		now += 10 * time.Millisecond
	}
	r.learn(now, true)
	limit := r.limit
	for range 20 {
		now += 10 * time.Second
		r.spend(now)
		r.learn(now, false)
	}
	if r.limit != limit {
		t.Errorf("the limit of %v grew to %v with a call in 10 s", limit, r.limit)
	}
}

// An answer that is too large for the caller is not the service's quota.
func TestOwnLimitSlowsNothingDown(t *testing.T) {
	t.Parallel()
	for permanent, limited := range map[bool]bool{true: false, false: true} {
		c := NewClient((&fakeService{}).pollOnly())
		c.learnRate(&callError{status: status.New(codes.ResourceExhausted, "x"), permanent: permanent})
		if got := c.rate.limit > 0; got != limited {
			t.Errorf("permanent %v: limited %v, want %v", permanent, got, limited)
		}
	}
}
