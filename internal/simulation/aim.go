//go:build unix

package simulation

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/protobuf/types/known/durationpb"

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
	switch s.Do {
	case doElsewhere:
		return c.cancelElsewhere(ctx, l, s, name)
	case doCommit:
		return c.commit(ctx, l, s, name)
	}
	for last, n := 0, 0; n < s.Size; n++ {
		claim, i, r := c.caught(ctx, name, last)
		if r == nil {
			return nil
		}
		last = claim.Attempt
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
	var op *longrunningpb.Operation
	err = insist(ctx, func() (err error) {
		op, err = l.start(ctx, c.w.slot(s), false, req)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("start the operation of %v: %w", s, err)
	}
	return op.GetName(), nil
}

// caught waits until an attempt after the last one has begun, and returns its claim
// and its process; no process when that, or the operation, has ended, which the
// oracle judges.
func (c *cluster) caught(ctx context.Context, name string, last int) (claim *oracle.Event, i int, r *remote) {
	if claim = c.attempt(ctx, name, last); claim != nil {
		i, r = c.runs(claim)
	}
	return claim, i, r
}

// attempt waits until an attempt after the last one has begun, and returns its
// claim; nil when the operation has ended without one.
func (c *cluster) attempt(ctx context.Context, name string, last int) *oracle.Event {
	for {
		// Before the claims: one that is noted meanwhile is found.
		op, err := c.server.Operations().GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: name})
		if claim := c.w.history.find(oracle.Claim, name, last); claim != nil {
			return claim
		}
		if err == nil && op.GetDone() || pause.For(ctx, 20*time.Millisecond) != nil {
			return nil
		}
	}
}

// find returns what an attempt after the last one has done, nil for nothing.
func (h *history) find(do, name string, last int) *oracle.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.events {
		if e.Do == do && e.Name == name && e.Attempt > last {
			found := *e
			return &found
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

// cancelElsewhere cancels an operation through another process than that of its
// attempt, which has to hear of it: also when its connections are reset just before,
// or the other process is killed just after.
func (c *cluster) cancelElsewhere(ctx context.Context, l *link, s step, name string) error {
	_, i, r := c.caught(ctx, name, 0)
	if r == nil {
		return nil
	}
	c.count("cancel through another process")
	other := (i + 1) % ClusterSize
	l.pinned = other + 1
	if s.Fault == elsewhereReset {
		for _, f := range c.store.Faults() {
			if f.Loses {
				continue
			}
			c.count(f.Name)
			if err := f.Do(i, 0); err != nil {
				return err
			}
			break
		}
	}
	err := insist(ctx, func() error {
		_, err := l.CancelOperation(ctx, &longrunningpb.CancelOperationRequest{Name: name})
		return err
	})
	if err != nil {
		return fmt.Errorf("cancel %s: %w", name, err)
	}
	if s.Fault == elsewhereKill {
		return c.kill(other, s.For)
	}
	return nil
}

// commit has a fault happen to an attempt that ends in a transaction, while a caller
// waits for the end through the other process.
func (c *cluster) commit(ctx context.Context, l *link, s step, name string) error {
	claim, i, r := c.caught(ctx, name, 0)
	if r == nil {
		return nil
	}
	waiter := &link{w: c.w, caller: -1, steady: true, pinned: (i+1)%ClusterSize + 1}
	var waiting sync.WaitGroup
	defer waiting.Wait()
	waiting.Go(func() {
		_, _ = waiter.WaitOperation(ctx, &longrunningpb.WaitOperationRequest{Name: name, Timeout: durationpb.New(aimTime / 2)})
	})
	c.count("fault while an attempt ends in a transaction")
	if s.Fault == commitLate {
		return c.stopUntil(r, func() { c.attempt(ctx, name, claim.Attempt) }, s.For)
	}
	for c.w.history.find(oracle.Complete, name, 0) == nil {
		if pause.For(ctx, 5*time.Millisecond) != nil {
			return nil
		}
	}
	_ = pause.For(ctx, s.For)
	switch s.Fault {
	case commitStop:
		return c.stopUntil(r, func() { c.attempt(ctx, name, claim.Attempt) }, 0)
	case commitKill:
		return c.kill(i, s.For)
	case commitStore:
		return c.harm(i, s.Nth%len(c.store.Faults()), time.Duration(s.Size)*time.Second)
	}
	return nil
}
