//go:build unix

package simulation

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"

	"github.com/go-lro/lro/internal/oracle"
	"github.com/go-lro/lro/internal/pause"
)

// aimTime bounds how long an aimed fault waits for the state that it needs: a lease,
// and those of operations that run before it.
const aimTime = time.Minute

// aim starts an operation, waits until it is in the state that the step is about,
// and has the fault happen to the process of its attempt then.
func (c *cluster) aim(s step) error {
	ctx, cancel := context.WithTimeout(context.Background(), aimTime)
	defer cancel()
	l := &link{w: c.w, caller: -1, steady: true}
	name, err := c.prey(ctx, l, s)
	if err != nil {
		return err
	}
	for last, n := 0, 0; n < s.Size; n++ {
		claim := c.attempt(ctx, name, last)
		if claim == nil {
			return nil // it has ended, which the oracle judges
		}
		last = claim.Attempt
		i, r := c.runs(claim)
		if r == nil {
			return nil
		}
		switch s.Do {
		case doStop:
			err = c.stopUntil(r, func() { c.attempt(ctx, name, last) }, s.For)
		case doCancel:
			if _, err = l.CancelOperation(ctx, &longrunningpb.CancelOperationRequest{Name: name}); err == nil {
				err = c.kill(i, s.For)
			}
		default:
			err = c.kill(i, s.For)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// prey starts the operation of a step, by a caller that loses no calls.
func (c *cluster) prey(ctx context.Context, l *link, s step) (string, error) {
	req, err := c.w.startRequest(s)
	if err != nil {
		return "", err
	}
	for {
		// A fault before this one may have left the store away for a while.
		op, err := l.start(ctx, c.w.slot(s), false, req)
		if err == nil {
			return op.GetName(), nil
		}
		if pause.For(ctx, 100*time.Millisecond) != nil {
			return "", fmt.Errorf("start the operation of %v: %w", s, err)
		}
	}
}

// attempt waits until an attempt after the last one has begun, and returns its
// claim; nil when the operation has ended without one.
func (c *cluster) attempt(ctx context.Context, name string, last int) *oracle.Event {
	for {
		// Before the claims: one that is noted meanwhile is found.
		op, err := c.server.Operations().GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: name})
		if claim := c.w.history.claimOf(name, last); claim != nil {
			return claim
		}
		if err == nil && op.GetDone() || pause.For(ctx, 20*time.Millisecond) != nil {
			return nil
		}
	}
}

// claimOf returns the claim of an attempt after the last one, nil for none.
func (h *history) claimOf(name string, last int) *oracle.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.events {
		if e.Do == oracle.Claim && e.Name == name && e.Attempt > last {
			claim := *e
			return &claim
		}
	}
	return nil
}

// runs returns the process of an attempt, nil when it has ended.
func (c *cluster) runs(claim *oracle.Event) (int, *remote) {
	for i := range ClusterSize {
		if r := c.member(i); r != nil && r.number == claim.Lived {
			return i, r
		}
	}
	return 0, nil
}

// stopUntil stops a process until f returns, and a while longer.
func (c *cluster) stopUntil(r *remote, f func(), longer time.Duration) error {
	c.count("process stopped until its operation was taken over")
	defer c.loses(r, "process stopped")()
	if err := r.child.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	f()
	_ = pause.For(context.Background(), longer)
	return r.child.Signal(syscall.SIGCONT)
}
