package lro

import (
	"context"
	"errors"
	"time"
)

// await returns nil once the operation is done, and a [*WaitError] when
// waiting ended before. With next, it also returns, with nil, when the state
// is no longer the one that next holds.
func (c *core) await(ctx context.Context, l *loop, begin time.Time, next *view) error {
	last := lastPollTimer(ctx)
	defer last.Stop()
	for {
		c.mu.Lock()
		done := c.view.done
		fresh := next != nil && c.view.at != 0 && !c.view.same(*next)
		changed := l.changed
		c.mu.Unlock()
		if done || fresh {
			return nil
		}
		if next == nil {
			changed = nil // only the end matters
		}
		select {
		case <-changed:
		case <-l.ended:
			return c.endOf(l, begin)
		case <-last.C:
			if d := c.untilLastPoll(ctx); d > 0 {
				last.Reset(d)
				continue
			}
			l.pollNow()
		case <-ctx.Done():
			return c.stopped(ctx, l, begin)
		}
	}
}

// lastPollTimer fires when it is time to look at [core.untilLastPoll]: as early
// before ctx's deadline as that can be, since by then is known how long a poll
// takes; never without a deadline.
func lastPollTimer(ctx context.Context) *time.Timer {
	deadline, ok := ctx.Deadline()
	if !ok {
		t := time.NewTimer(forever)
		t.Stop()
		return t
	}
	return time.NewTimer(time.Until(deadline) - maxLastPollMargin)
}

// untilLastPoll is the time until the poll that is made shortly before ctx's
// deadline, so that an operation that ends before it is not reported as
// running.
func (c *core) untilLastPoll(ctx context.Context) time.Duration {
	deadline, _ := ctx.Deadline()
	return time.Until(deadline) - c.client.lastPollMargin()
}

// endOf returns what the ended loop ended with; nil when the operation is
// done.
func (c *core) endOf(l *loop, begin time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.view.done {
		return nil
	}
	cs, ok := l.err.(causes)
	if !ok {
		cs = causes{l.err}
	}
	return c.waitErrorLocked(l, begin, cs)
}

// stopped returns the error for a ctx that ended; nil when the operation was
// done at the same moment.
func (c *core) stopped(ctx context.Context, l *loop, begin time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.view.done {
		return nil
	}
	return c.waitErrorLocked(l, begin, contextCauses(ctx))
}

func (c *core) waitErrorLocked(l *loop, begin time.Time, cs causes) *WaitError {
	e := &WaitError{Name: c.name, Last: Raw{c.name, c.view}, Elapsed: time.Since(begin), cause: cs}
	if l != nil {
		e.PollErr, e.Polls = l.pollErr, l.polls
	}
	return e
}

// contextCauses returns ctx's error, and the cause it ended with where that is
// another.
func contextCauses(ctx context.Context) causes {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return causes{cause}
	}
	return causes{err, cause}
}

// wait blocks until the operation is done or waiting ends.
func (c *core) wait(ctx context.Context, decodes resultChecker) error {
	begin := time.Now()
	if ctx.Err() != nil {
		return c.ended(ctx, begin)
	}
	l := c.join(ctx, decodes, false)
	if l == nil {
		return nil
	}
	defer l.leave(false)
	return c.await(ctx, l, begin, nil)
}

// ended is the answer to waiting with a ctx that has ended: what is known.
func (c *core) ended(ctx context.Context, begin time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.view.done {
		return nil
	}
	return c.waitErrorLocked(nil, begin, contextCauses(ctx))
}
