package lro

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// outage is a fleet that is away for a time: calls are refused, or hang.
type outage struct {
	fleet
	from, to time.Duration
	hangs    bool
}

func (o *outage) GetOperation(ctx context.Context, req *longrunningpb.GetOperationRequest, opts ...grpc.CallOption) (*longrunningpb.Operation, error) {
	at := time.Since(o.begin)
	if at < o.from || at >= o.to {
		return o.fleet.GetOperation(ctx, req, opts...)
	}
	o.mu.Lock()
	o.calls = append(o.calls, time.Now())
	o.mu.Unlock()
	if o.hangs {
		select {
		case <-ctx.Done():
		case <-time.After(o.to - at):
		}
	}
	return nil, status.Error(codes.Unavailable, "away")
}

// perSecond counts the calls of each second.
func (f *fleet) perSecond() []int {
	var n []int
	for _, at := range f.calls {
		second := int(at.Sub(f.begin) / time.Second)
		for len(n) <= second {
			n = append(n, 0)
		}
		n[second]++
	}
	return n
}

// Many operations whose service is away for half a minute are all found done, and
// do not fall upon it when it comes back.
func TestOutage(t *testing.T) {
	t.Parallel()
	const takes, away, back = 2 * time.Minute, 30 * time.Second, 60 * time.Second
	operations := 10_000
	if testing.Short() {
		operations = 1000
	}
	run := func(t *testing.T, o *outage) {
		o.begin, o.took = time.Now(), 10*time.Millisecond
		o.end = func(name string) time.Duration {
			var i int
			fmt.Sscanf(name, "operations/%d", &i)
			return takes * time.Duration(i) / time.Duration(operations)
		}
		c := NewClient(o)
		var wg sync.WaitGroup
		for i := range operations {
			op, err := Strings.Wrap(c, &longrunningpb.Operation{Name: fmt.Sprintf("operations/%d", i)})
			if err != nil {
				t.Fatal(err)
			}
			wg.Go(func() {
				if _, err := op.Wait(t.Context()); err != nil {
					t.Errorf("Wait: %v", err)
				}
			})
		}
		wg.Wait()
	}
	for _, hangs := range []bool{false, true} {
		t.Run(fmt.Sprint(hangs), func(t *testing.T) {
			t.Parallel()
			var mean float64
			synctest.Test(t, func(t *testing.T) {
				plain := &outage{}
				run(t, plain)
				mean = float64(len(plain.calls)) / takes.Seconds()
			})
			synctest.Test(t, func(t *testing.T) {
				o := &outage{from: away, to: back, hangs: hangs}
				run(t, o)
				seconds := o.perSecond()
				for second, n := range seconds[int(back.Seconds()):] {
					if float64(n) > 3*mean {
						t.Errorf("%d calls in second %d after the return, want at most 3 times the plain schedule's mean of %.0f", n, second, mean)
					}
				}
			})
		})
	}
}
