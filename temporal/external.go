package temporal

import (
	"context"
	"fmt"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// An operation whose work is done elsewhere is an activity in a queue of its
// own. An engine that polls that queue claims it on behalf of the caller that
// has its lease: only Temporal's view that it is started matters. So every engine
// that starts one, or writes to one that is not claimed, polls until it is closed.

// claimPolls is how many polls for them an engine has under way, so that starts
// do not wait for each other.
const claimPolls = 4

// claimExternals has the engine poll for external operations from now on.
func (e *Engine) claimExternals() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return engine.ErrClosed
	}
	if e.claims {
		return nil
	}
	e.claims = true
	for range claimPolls {
		e.background.Go(e.claim)
	}
	return nil
}

func (e *Engine) claim() {
	wait := minPollPause
	for e.closing.Err() == nil {
		_, err := e.pollTask(e.closing, e.externalQueue(), longPoll)
		if err == nil {
			wait = minPollPause
			continue
		}
		if e.closing.Err() == nil {
			e.opts.Logger.Warn("poll for external operations failed, will try again", "error", err, "after", wait)
		}
		enginekit.WaitFor(e.closing.Done(), wait)
		wait = min(2*wait, maxPollPause)
	}
}

// untilStarted returns an external operation once it is claimed.
func (e *Engine) untilStarted(ctx context.Context, activityID, runID string) (*engine.Record, error) {
	for {
		d, err := e.describeActivity(ctx, activityID, runID)
		if err != nil {
			return nil, err
		}
		if d.stage() != waiting {
			return e.record(d), nil
		}
		if _, err := e.changed(ctx, activityID, runID, d.token); err != nil {
			return nil, fmt.Errorf("claim external operation: %w", err)
		}
	}
}
