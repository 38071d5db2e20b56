package temporal

import (
	"context"
	"errors"
	"time"

	activitypb "go.temporal.io/api/activity/v1"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

const (
	// beatsPerLease is how many heartbeats fit into a lease.
	beatsPerLease = 3
	// firstBeat is when an attempt is heard from first. What ends before costs
	// no heartbeat.
	firstBeat = 300 * time.Millisecond
	// persistEvery is how often reported progress is sent at most.
	persistEvery = 250 * time.Millisecond
	// beatRetry is the pause after a heartbeat that did not get through.
	beatRetry = 250 * time.Millisecond

	// watchAfter is when an attempt begins to watch for requests.
	watchAfter = 100 * time.Millisecond
	// watchPause keeps an attempt's own heartbeats from waking it all the time.
	watchPause = 200 * time.Millisecond
	// watchRetry is the pause after a failure.
	watchRetry = time.Second
)

// keep renews the attempt's lease, and sends what it reports, until ctx ends or
// the lease is lost.
func (a *attempt) keep(ctx context.Context) {
	every := a.lease / beatsPerLease
	next := a.began.Add(min(firstBeat, every))
	var sent time.Time
	timer := time.NewTimer(time.Until(next))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.kick:
			// The first report at once, the following ones together.
			if due := sent.Add(persistEvery); due.Before(next) {
				next = due
			}
			timer.Reset(max(time.Until(next), 0))
			continue
		case <-timer.C:
		}
		if a.isLost() {
			return // a heartbeat would keep the operation from others
		}
		err := a.beat(ctx)
		sent = time.Now()
		switch {
		case err == nil:
			next = sent.Add(every)
			if a.isDirty() {
				next = sent.Add(persistEvery)
			}
		case errors.Is(err, engine.ErrFenced), ctx.Err() != nil:
			return
		default:
			next = sent.Add(min(beatRetry, every))
		}
		timer.Reset(max(time.Until(next), 0))
	}
}

// beat sends the progress there is.
func (a *attempt) beat(ctx context.Context) error {
	select {
	case a.sending <- struct{}{}:
		defer func() { <-a.sending }()
	case <-ctx.Done():
		return ctx.Err()
	}
	a.mu.Lock()
	p := a.progress
	a.mu.Unlock()
	return a.heartbeat(ctx, p)
}

func (a *attempt) isDirty() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.progress.GetChanges() > a.persisted
}

// watch waits for what others do to the operation, until ctx ends: a heartbeat
// would notice only at its time.
func (a *attempt) watch(ctx context.Context) {
	var token []byte
	for wait := watchAfter; enginekit.Pause(ctx, wait); {
		resp, err := a.e.changed(ctx, a.owner.activityID, a.owner.runID, token)
		switch {
		case errors.Is(err, engine.ErrNotFound):
			a.lose(true)
			return
		case err != nil:
			token, wait = nil, watchRetry
			continue
		case resp == nil:
			wait = 0
			continue
		}
		token, wait = resp.GetLongPollToken(), watchPause
		if !a.owns(resp.GetInfo()) {
			a.lose(true)
			return
		}
		if resp.GetInfo().GetRunState() == enumspb.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED {
			a.cancelled()
		}
	}
}

// owns reports whether an activity is in the attempt's hands.
func (a *attempt) owns(info *activitypb.ActivityExecutionInfo) bool {
	d := described{info: info}
	return info.GetAttempt() == a.n && (d.stage() == started || d.stage() == cancelling)
}
