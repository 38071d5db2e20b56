package temporal

import (
	"fmt"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"google.golang.org/genproto/googleapis/rpc/code"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
	"github.com/go-lro/lro/temporal/internal/statepb"
)

// Types of the failures that this engine gives to Temporal.
const (
	failedType   = "lro.Failed"   // the operation's error is in the details
	releasedType = "lro.Released" // the attempt was handed back
)

// cancelReason goes before the time at which cancel was requested, in the one
// text that Temporal keeps of a cancel request.
const cancelReason = "cancel requested at "

// cancelTime is when cancel was first requested. A request made with another
// tool leaves no time.
func (d *described) cancelTime() time.Time {
	reason, ours := strings.CutPrefix(d.info.GetCanceledReason(), cancelReason)
	if ours {
		if t, err := time.Parse(time.RFC3339Nano, reason); err == nil {
			return t.UTC()
		}
	}
	if !d.cancelAsked() {
		return time.Time{}
	}
	if t := d.info.GetCloseTime(); t != nil {
		return t.AsTime()
	}
	return asTime(d.info.GetLastStartedTime())
}

func (d *described) cancelAsked() bool {
	return d.info.GetCanceledReason() != "" ||
		d.info.GetRunState() == enumspb.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED ||
		d.info.GetStatus() == enumspb.ACTIVITY_EXECUTION_STATUS_CANCELED ||
		d.outcome.GetRetryState() == enumspb.RETRY_STATE_CANCEL_REQUESTED
}

// end fills in how the operation ended.
func (d *described) end(r *engine.Record) {
	if d.info.GetStatus() == enumspb.ACTIVITY_EXECUTION_STATUS_COMPLETED {
		d.succeed(r)
		return
	}
	ending := d.ending()
	if ending.GetMetadata() != nil {
		r.Metadata = ending.GetMetadata()
	}
	r.State, r.Error = enginekit.Ending(ending.GetError())
}

func (d *described) succeed(r *engine.Record) {
	result := new(statepb.Result)
	if !decode(d.outcome.GetResult(), result) || result.GetResponse() == nil {
		r.State = engine.Failed
		r.Error = enginekit.Status(code.Code_INTERNAL, "the activity was completed with a result that is not an operation's")
		return
	}
	r.State, r.Response = engine.Succeeded, result.GetResponse()
	if result.GetMetadata() != nil {
		r.Metadata = result.GetMetadata()
	}
}

// ending is the error of an activity that was not completed.
func (d *described) ending() *statepb.Ending {
	f := d.outcome.GetFailure()
	switch d.info.GetStatus() {
	case enumspb.ACTIVITY_EXECUTION_STATUS_CANCELED:
		ending := new(statepb.Ending)
		if decode(f.GetCanceledFailureInfo().GetDetails(), ending) && ending.GetError() != nil {
			return ending
		}
		return &statepb.Ending{Error: enginekit.Cancelled()}
	case enumspb.ACTIVITY_EXECUTION_STATUS_TERMINATED:
		return newEnding(code.Code_ABORTED, f.GetMessage())
	case enumspb.ACTIVITY_EXECUTION_STATUS_TIMED_OUT:
		return d.timeout()
	}
	return d.failure(f)
}

func (d *described) timeout() *statepb.Ending {
	if d.outcome.GetFailure().GetTimeoutFailureInfo().GetTimeoutType() != enumspb.TIMEOUT_TYPE_HEARTBEAT {
		return newEnding(code.Code_DEADLINE_EXCEEDED, d.outcome.GetFailure().GetMessage())
	}
	lease := d.info.GetHeartbeatTimeout().AsDuration()
	switch {
	case d.input.GetExternal():
		return &statepb.Ending{Error: enginekit.LeaseEnded(lease)}
	case d.cancelAsked():
		return &statepb.Ending{Error: enginekit.Cancelled()}
	default:
		return newEnding(code.Code_ABORTED, fmt.Sprintf(
			"nothing was heard from the attempt's process for %v, and the operation may run at most once", lease))
	}
}

func (d *described) failure(f *failurepb.Failure) *statepb.Ending {
	switch info := f.GetApplicationFailureInfo(); info.GetType() {
	case releasedType:
		if d.cancelAsked() {
			return &statepb.Ending{Error: enginekit.Cancelled()}
		}
		return &statepb.Ending{Error: enginekit.Interrupted()}
	case failedType:
		ending := new(statepb.Ending)
		if decode(info.GetDetails(), ending) && ending.GetError() != nil {
			return ending
		}
	}
	if f.GetServerFailureInfo() != nil {
		// Temporal itself fails an activity for what is too large for it.
		return newEnding(code.Code_RESOURCE_EXHAUSTED, f.GetMessage())
	}
	return newEnding(code.Code_UNKNOWN, f.GetMessage())
}

func newEnding(c code.Code, message string) *statepb.Ending {
	return &statepb.Ending{Error: enginekit.Status(c, message)}
}
