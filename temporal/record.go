package temporal

import (
	"time"

	activitypb "go.temporal.io/api/activity/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/temporal/internal/statepb"
)

// described is an operation as its activity is.
type described struct {
	info       *activitypb.ActivityExecutionInfo
	outcome    *activitypb.ActivityExecutionOutcome // nil before the end
	input      *statepb.Input
	progress   *statepb.Progress // empty before the first heartbeat
	activityID string
	runID      string
	token      []byte // to wait for a change
}

// newDescribed returns nil for an activity that is not an operation of this
// engine's task queue.
func (e *Engine) newDescribed(info *activitypb.ActivityExecutionInfo, input *commonpb.Payloads) *described {
	d := &described{
		info: info, input: new(statepb.Input), progress: new(statepb.Progress),
		activityID: info.GetActivityId(), runID: info.GetRunId(),
	}
	if !decode(input, d.input) || d.input.GetQueue() != e.opts.TaskQueue {
		return nil
	}
	if !decode(info.GetHeartbeatDetails(), d.progress) {
		d.progress = new(statepb.Progress)
	}
	return d
}

// stage is where an attempt is. Within one, and from one to the next, nothing
// gets smaller.
type stage int64

const (
	waiting stage = iota
	started
	cancelling
	over
	stages
)

func (d *described) stage() stage {
	switch d.info.GetStatus() {
	case enumspb.ACTIVITY_EXECUTION_STATUS_RUNNING, enumspb.ACTIVITY_EXECUTION_STATUS_PAUSED:
	default:
		return over
	}
	switch d.info.GetRunState() {
	case enumspb.PENDING_ACTIVITY_STATE_STARTED, enumspb.PENDING_ACTIVITY_STATE_PAUSE_REQUESTED:
		return started
	case enumspb.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED:
		return cancelling
	default:
		return waiting
	}
}

// begun counts the attempts that have begun. Temporal counts the one that is
// to come, too.
func (d *described) begun() int {
	n := int(d.info.GetAttempt())
	if d.input.GetExternal() {
		return n // it has one, which begins with the start
	}
	if d.info.GetLastStartedTime() == nil {
		return 0
	}
	if d.doomed() || d.info.GetStatus() == enumspb.ACTIVITY_EXECUTION_STATUS_TERMINATED && d.crashedOut() {
		// Temporal may have given it to a worker since, which did not run it.
		return int(d.input.GetCrashLimit() + d.progress.GetReleases() + d.progress.GetRetries())
	}
	switch d.stage() {
	case waiting:
		return n - 1
	case over:
		// What ends without an attempt was cancelled, terminated or timed out
		// while it waited for one, after the one before had ended.
		switch d.info.GetStatus() {
		case enumspb.ACTIVITY_EXECUTION_STATUS_CANCELED, enumspb.ACTIVITY_EXECUTION_STATUS_TERMINATED,
			enumspb.ACTIVITY_EXECUTION_STATUS_TIMED_OUT:
			done := d.info.GetLastAttemptCompleteTime()
			if n > 1 && done != nil && !done.AsTime().Before(d.info.GetLastStartedTime().AsTime()) && !d.timedOutWhileRunning() {
				return n - 1
			}
		}
	}
	return n
}

func (d *described) timedOutWhileRunning() bool {
	switch d.outcome.GetFailure().GetTimeoutFailureInfo().GetTimeoutType() {
	case enumspb.TIMEOUT_TYPE_HEARTBEAT, enumspb.TIMEOUT_TYPE_START_TO_CLOSE:
		return true
	}
	return false
}

// fence is the number of the attempt that may write, or may have ended the
// operation; one more when it was taken from it.
func (d *described) fence() int64 {
	n := int64(d.begun())
	switch d.info.GetStatus() {
	case enumspb.ACTIVITY_EXECUTION_STATUS_TIMED_OUT, enumspb.ACTIVITY_EXECUTION_STATUS_TERMINATED:
		return n + 1
	}
	return n
}

// crashes counts the attempts that ended without saying so.
func (d *described) crashes() int {
	n := int(d.info.GetAttempt()) - 1 - int(d.progress.GetReleases()) - int(d.progress.GetRetries())
	if d.timedOutWhileRunning() {
		n++
	}
	// Temporal's operators can have attempts counted from the start again.
	return max(n, 0)
}

// doomed reports whether the operation has crashed too often to run again: no
// attempt of it begins, also when Temporal has given it to a worker.
func (d *described) doomed() bool {
	return d.stage() != over && !d.input.GetExternal() && d.crashedOut()
}

func (d *described) crashedOut() bool {
	limit := int(d.input.GetCrashLimit())
	return limit > 0 && d.crashes() >= limit
}

// changes counts what the attempt that runs has changed.
func (d *described) changes() int64 {
	if d.progress.GetAttempt() != d.info.GetAttempt() || d.stage() == waiting || d.stage() == over {
		return 0
	}
	return d.progress.GetChanges()
}

// revision grows with each change that a reader can see, and with no other:
// Temporal's own count of transitions grows with each heartbeat.
func revision(attempt int32, s stage, changes int64) int64 {
	return (int64(attempt)*int64(stages)+int64(s))<<32 + changes
}

func (d *described) record() *engine.Record {
	s := d.stage()
	if s == waiting && d.input.GetExternal() {
		s = started // it will be claimed: the program works on it already
	}
	r := &engine.Record{
		Name:       d.input.GetName(),
		Kind:       d.info.GetActivityType().GetName(),
		Parent:     d.input.GetParent(),
		Request:    d.input.GetRequest(),
		RequestID:  d.input.GetRequestId(),
		Metadata:   d.input.GetMetadata(),
		Checkpoint: d.progress.Checkpoint,
		Attempt:    d.begun(),
		Crashes:    d.crashes(),
		Releases:   int(d.progress.GetReleases()),
		Fence:      d.fence(),
		External:   d.input.GetExternal(),
		Revision:   revision(d.info.GetAttempt(), s, d.changes()),
		CreateTime: asTime(d.input.GetCreateTime()),
		StartTime:  d.startTime(),
		CancelTime: d.cancelTime(),
	}
	if len(d.input.GetTrace()) > 0 {
		r.Trace = d.input.GetTrace()
	}
	if m := d.progress.GetMetadata(); m != nil {
		r.Metadata = m
	}
	switch s {
	case waiting:
		r.State = engine.Pending
		r.UpdateTime = latest(r.CreateTime, asTime(d.info.GetLastAttemptCompleteTime()))
	case started, cancelling:
		r.State = engine.Running
		r.UpdateTime = latest(r.CreateTime, asTime(d.info.GetLastStartedTime()))
		if d.changes() > 0 {
			r.UpdateTime = latest(r.UpdateTime, asTime(d.progress.GetUpdateTime()))
		}
		r.UpdateTime = latest(r.UpdateTime, r.CancelTime)
	case over:
		r.EndTime = asTime(d.info.GetCloseTime())
		r.UpdateTime = r.EndTime
		d.end(r)
	}
	return r
}

// startTime is when the first attempt began. Temporal keeps that of the last
// one alone, so it is known exactly from the first heartbeat on.
func (d *described) startTime() time.Time {
	if d.input.GetExternal() {
		return asTime(d.input.GetCreateTime())
	}
	if d.begun() == 0 {
		return time.Time{}
	}
	if t := d.progress.GetFirstStartTime(); t != nil {
		return asTime(t)
	}
	return asTime(d.info.GetLastStartedTime())
}

func asTime(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
