package computetest

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	compute "cloud.google.com/go/compute/apiv1"
	"google.golang.org/grpc/codes"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/lroext"
	"github.com/go-lro/lro/lrotest"
)

var rounds = flag.Int("rounds", 10, "operations of each duration that TestBesideGenerated waits for")

// waitFunc waits for an operation that was started.
type waitFunc func(context.Context, *lro.Client, *compute.Operation) error

var waiters = []struct {
	name string
	wait waitFunc
}{
	{"compute.Operation.Wait", func(ctx context.Context, _ *lro.Client, op *compute.Operation) error { return op.Wait(ctx) }},
	{"lroext.Wait", func(ctx context.Context, c *lro.Client, op *compute.Operation) error {
		_, err := lroext.Wait(ctx, c, op)
		return err
	}},
	{"lroext.Wait, LongPoll 2m", func(ctx context.Context, c *lro.Client, op *compute.Operation) error {
		p, err := lroext.Proto(op)
		if err != nil {
			return err
		}
		m := lroext.MethodOf(op.Proto())
		m.Policy = &lro.Policy{LongPoll: 2 * time.Minute}
		o, err := m.Wrap(c, p)
		if err != nil {
			return err
		}
		_, err = o.Wait(ctx)
		return err
	}},
	{"lroext.PollOperation", func(ctx context.Context, _ *lro.Client, op *compute.Operation) error {
		o, err := lroext.PollOperation(op)
		if err != nil {
			return err
		}
		_, err = o.Wait(ctx)
		return err
	}},
}

// measure waits for operations that play steps, which end after d, and returns
// how late the end was found and how many calls it took, on average. The clock is
// that of a bubble, so that neither depends on the machine.
func measure(t *testing.T, wait waitFunc, n int, d time.Duration, steps ...lrotest.Step) (late time.Duration, calls float64, err error) {
	synctest.Test(t, func(t *testing.T) {
		g := newGoogle(t)
		script := g.Add(zonal)
		g.starts("POST /compute/v1/projects/p/zones/z/instances", script)
		instances := must(compute.NewInstancesRESTClient(t.Context(), g.opts...))
		client := g.client(t)
		for range n {
			script.Play(append(steps, lrotest.Succeeded(created()))...)
			begin := time.Now()
			if failed := wait(t.Context(), client, must(instances.Insert(t.Context(), insert()))); failed != nil {
				err = failed
			}
			late += time.Since(begin) - d
		}
		calls = float64(len(script.Calls())) / float64(n)
	})
	return late / time.Duration(n), calls, err
}

// TestBesideGenerated compares with what Compute's own client does: how late the end
// of an operation is found, by how many calls, and whether a poll that fails ends
// the wait. docs/compute.md has its figures.
func TestBesideGenerated(t *testing.T) {
	t.Parallel()
	var table strings.Builder
	for _, d := range []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute} {
		for _, w := range waiters {
			late, calls, err := measure(t, w.wait, *rounds, d, lrotest.Running(created()).For(d))
			if err != nil {
				t.Errorf("%s of %v: %v", w.name, d, err)
			}
			fmt.Fprintf(&table, "%-26s %6v  late %8v  calls %5.1f\n", w.name, d, late.Round(10*time.Millisecond), calls)
			if strings.HasPrefix(w.name, "lroext.Wait") && late > 100*time.Millisecond {
				t.Errorf("%s of %v: %v late, want at once", w.name, d, late)
			}
		}
	}
	for _, w := range waiters {
		survived := map[codes.Code]bool{}
		for _, code := range []codes.Code{codes.Internal, codes.Unavailable, codes.ResourceExhausted} {
			_, _, err := measure(t, w.wait, 1, 0, lrotest.Running(created()).For(10*time.Second),
				lrotest.PollError(code, "for a moment").For(5*time.Second), lrotest.Running(created()).For(time.Minute))
			survived[code] = err == nil
			if err != nil && w.name != waiters[0].name {
				t.Errorf("%s: %v", w.name, err)
			}
		}
		fmt.Fprintf(&table, "%-26s survives 500 %v, 503 %v, 429 %v\n", w.name, survived[codes.Internal], survived[codes.Unavailable], survived[codes.ResourceExhausted])
	}
	t.Log("\n" + table.String())
}
