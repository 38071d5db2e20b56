package server

import (
	"context"
	"errors"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
)

// maxWaitMargin is how long before a call's deadline a wait answers at most, so
// that its answer still reaches the caller; of short waits it is 5 %.
const maxWaitMargin = 200 * time.Millisecond

// errWaited ends a wait whose time is over, as opposed to its call's.
var errWaited = errors.New("wait timed out")

// WaitOperation returns the operation once it has ended, or its latest state
// when the timeout, or the call's deadline, or the server's work is about to be
// over.
func (o operations) WaitOperation(ctx context.Context, req *longrunningpb.WaitOperationRequest) (*longrunningpb.Operation, error) {
	name, s := req.GetName(), o.s
	if err := s.admit(ctx, "WaitOperation", name); err != nil {
		return nil, err
	}
	end, limited := waitEnd(ctx, time.Now())
	if t := req.GetTimeout(); t != nil {
		timeout := t.AsDuration()
		if err := t.CheckValid(); err != nil || timeout < 0 {
			return nil, s.faults.invalid("timeout", reasonInvalidTimeout, t.String(), "timeout %v is negative or out of range", t)
		}
		if asked := time.Now().Add(timeout); !limited || asked.Before(end) {
			end, limited = asked, true
		}
	}
	waitCtx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if limited {
		var stop context.CancelFunc
		waitCtx, stop = context.WithDeadlineCause(waitCtx, end, errWaited)
		defer stop()
	}
	defer context.AfterFunc(s.waiting(), func() { cancel(errStopped) })()

	rec, err := s.engine.Wait(waitCtx, name)
	early := err != nil && ctx.Err() == nil && waitCtx.Err() != nil && errors.Is(err, waitCtx.Err())
	if early && rec == nil {
		rec, err = s.engine.Get(ctx, name)
		early = false
	}
	if err != nil && !early {
		return nil, s.engineError(ctx, name, err)
	}
	return s.keptView(rec), nil
}

// waitEnd is when a call that began at now has to answer to be in time.
func waitEnd(ctx context.Context, now time.Time) (time.Time, bool) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return time.Time{}, false
	}
	left := deadline.Sub(now)
	return deadline.Add(-min(left/20, maxWaitMargin)), true
}
