package temporal

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	activitypb "go.temporal.io/api/activity/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/temporal/internal/statepb"
)

var epoch = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func at(seconds int) *timestamppb.Timestamp {
	return timestamppb.New(epoch.Add(time.Duration(seconds) * time.Second))
}

func payloads(t *testing.T, m proto.Message) *commonpb.Payloads {
	t.Helper()
	p, err := encode(m)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func packed(t *testing.T, s string) *anypb.Any {
	t.Helper()
	a, err := anypb.New(wrapperspb.String(s))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func timeout(kind enumspb.TimeoutType) *failurepb.Failure {
	return &failurepb.Failure{Message: "activity timeout", FailureInfo: &failurepb.Failure_TimeoutFailureInfo{
		TimeoutFailureInfo: &failurepb.TimeoutFailureInfo{TimeoutType: kind},
	}}
}

func application(kind string, details *commonpb.Payloads) *failurepb.Failure {
	return &failurepb.Failure{Message: "text", FailureInfo: &failurepb.Failure_ApplicationFailureInfo{
		ApplicationFailureInfo: &failurepb.ApplicationFailureInfo{Type: kind, Details: details},
	}}
}

// TestEndings: what Temporal tells of an end becomes the right state and code.
func TestEndings(t *testing.T) {
	t.Parallel()
	ended := func(c code.Code) *commonpb.Payloads {
		return payloads(t, &statepb.Ending{Error: &status.Status{Code: int32(c), Message: "why"}, Metadata: packed(t, "final")})
	}
	result := payloads(t, &statepb.Result{Response: packed(t, "response"), Metadata: packed(t, "final")})
	for name, tt := range map[string]struct {
		status   enumspb.ActivityExecutionStatus
		result   *commonpb.Payloads
		failure  *failurepb.Failure
		external bool
		reason   string // of a cancel request
		want     engine.State
		code     code.Code
		metadata string
	}{
		"completed":          {status: enumspb.ACTIVITY_EXECUTION_STATUS_COMPLETED, result: result, want: engine.Succeeded, metadata: "final"},
		"completed by hand":  {status: enumspb.ACTIVITY_EXECUTION_STATUS_COMPLETED, result: &commonpb.Payloads{Payloads: []*commonpb.Payload{text("ok")}}, want: engine.Failed, code: code.Code_INTERNAL, metadata: "first"},
		"completed, nothing": {status: enumspb.ACTIVITY_EXECUTION_STATUS_COMPLETED, want: engine.Failed, code: code.Code_INTERNAL, metadata: "first"},
		"failed":             {status: enumspb.ACTIVITY_EXECUTION_STATUS_FAILED, failure: application(failedType, ended(code.Code_NOT_FOUND)), want: engine.Failed, code: code.Code_NOT_FOUND, metadata: "final"},
		"failed, cancelled":  {status: enumspb.ACTIVITY_EXECUTION_STATUS_FAILED, failure: application(failedType, ended(code.Code_CANCELLED)), want: engine.Cancelled, code: code.Code_CANCELLED, metadata: "final"},
		"failed by hand":     {status: enumspb.ACTIVITY_EXECUTION_STATUS_FAILED, failure: application("mine", nil), want: engine.Failed, code: code.Code_UNKNOWN, metadata: "first"},
		"failed, nothing":    {status: enumspb.ACTIVITY_EXECUTION_STATUS_FAILED, want: engine.Failed, code: code.Code_UNKNOWN, metadata: "first"},
		"too large": {status: enumspb.ACTIVITY_EXECUTION_STATUS_FAILED, failure: &failurepb.Failure{FailureInfo: &failurepb.Failure_ServerFailureInfo{
			ServerFailureInfo: &failurepb.ServerFailureInfo{NonRetryable: true}}}, want: engine.Failed, code: code.Code_RESOURCE_EXHAUSTED, metadata: "first"},
		"released, may run once":     {status: enumspb.ACTIVITY_EXECUTION_STATUS_FAILED, failure: application(releasedType, nil), want: engine.Failed, code: code.Code_ABORTED, metadata: "first"},
		"released after cancel":      {status: enumspb.ACTIVITY_EXECUTION_STATUS_FAILED, failure: application(releasedType, nil), reason: "x", want: engine.Cancelled, code: code.Code_CANCELLED, metadata: "first"},
		"cancelled":                  {status: enumspb.ACTIVITY_EXECUTION_STATUS_CANCELED, want: engine.Cancelled, code: code.Code_CANCELLED, metadata: "first"},
		"terminated":                 {status: enumspb.ACTIVITY_EXECUTION_STATUS_TERMINATED, failure: &failurepb.Failure{Message: "by hand"}, want: engine.Failed, code: code.Code_ABORTED, metadata: "first"},
		"lease ended, may run once":  {status: enumspb.ACTIVITY_EXECUTION_STATUS_TIMED_OUT, failure: timeout(enumspb.TIMEOUT_TYPE_HEARTBEAT), want: engine.Failed, code: code.Code_ABORTED, metadata: "first"},
		"lease ended after cancel":   {status: enumspb.ACTIVITY_EXECUTION_STATUS_TIMED_OUT, failure: timeout(enumspb.TIMEOUT_TYPE_HEARTBEAT), reason: "x", want: engine.Cancelled, code: code.Code_CANCELLED, metadata: "first"},
		"lease of an external ended": {status: enumspb.ACTIVITY_EXECUTION_STATUS_TIMED_OUT, failure: timeout(enumspb.TIMEOUT_TYPE_HEARTBEAT), reason: "x", external: true, want: engine.Failed, code: code.Code_ABORTED, metadata: "first"},
		"took too long":              {status: enumspb.ACTIVITY_EXECUTION_STATUS_TIMED_OUT, failure: timeout(enumspb.TIMEOUT_TYPE_START_TO_CLOSE), want: engine.Failed, code: code.Code_DEADLINE_EXCEEDED, metadata: "first"},
		"not started in time":        {status: enumspb.ACTIVITY_EXECUTION_STATUS_TIMED_OUT, failure: timeout(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE), want: engine.Failed, code: code.Code_DEADLINE_EXCEEDED, metadata: "first"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &described{
				info: &activitypb.ActivityExecutionInfo{
					Status: tt.status, Attempt: 1, LastStartedTime: at(1), CloseTime: at(9),
					CanceledReason: tt.reason, HeartbeatTimeout: durationpb.New(time.Second),
				},
				outcome:  &activitypb.ActivityExecutionOutcome{},
				input:    &statepb.Input{CreateTime: at(0), Metadata: packed(t, "first"), External: tt.external},
				progress: &statepb.Progress{},
			}
			if tt.result != nil {
				d.outcome.Value = &activitypb.ActivityExecutionOutcome_Result{Result: tt.result}
			}
			if tt.failure != nil {
				d.outcome.Value = &activitypb.ActivityExecutionOutcome_Failure{Failure: tt.failure}
			}
			r := d.record()
			if r.State != tt.want || code.Code(r.Error.GetCode()) != tt.code || (r.Response != nil) == (r.Error != nil) {
				t.Errorf("record() = %v, error %v, response %v; want %v with code %v", r.State, r.Error, r.Response, tt.want, tt.code)
			}
			if got := new(wrapperspb.StringValue); r.Metadata.UnmarshalTo(got) != nil || got.GetValue() != tt.metadata {
				t.Errorf("metadata is %v, want %q", r.Metadata, tt.metadata)
			}
			if !r.EndTime.Equal(at(9).AsTime()) || r.UpdateTime != r.EndTime {
				t.Errorf("ended %v, updated %v; want both %v", r.EndTime, r.UpdateTime, at(9).AsTime())
			}
		})
	}
}

// TestLife: attempts, crashes and revisions along a life, as Temporal tells it.
func TestLife(t *testing.T) {
	t.Parallel()
	const (
		running    = enumspb.ACTIVITY_EXECUTION_STATUS_RUNNING
		scheduled  = enumspb.PENDING_ACTIVITY_STATE_SCHEDULED
		isStarted  = enumspb.PENDING_ACTIVITY_STATE_STARTED
		cancelled  = enumspb.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED
		terminated = enumspb.ACTIVITY_EXECUTION_STATUS_TERMINATED
	)
	steps := []struct {
		what     string
		info     *activitypb.ActivityExecutionInfo
		progress *statepb.Progress
		want     *engine.Record
	}{
		{"created", &activitypb.ActivityExecutionInfo{Status: running, RunState: scheduled, Attempt: 1}, nil,
			&engine.Record{State: engine.Pending}},
		{"started", &activitypb.ActivityExecutionInfo{Status: running, RunState: isStarted, Attempt: 1, LastStartedTime: at(1)}, nil,
			&engine.Record{State: engine.Running, Attempt: 1, Fence: 1, StartTime: at(1).AsTime()}},
		{"reported", &activitypb.ActivityExecutionInfo{Status: running, RunState: isStarted, Attempt: 1, LastStartedTime: at(1)},
			&statepb.Progress{Attempt: 1, Changes: 3, FirstStartTime: at(1), UpdateTime: at(2)},
			&engine.Record{State: engine.Running, Attempt: 1, Fence: 1, StartTime: at(1).AsTime()}},
		{"crashed", &activitypb.ActivityExecutionInfo{Status: running, RunState: scheduled, Attempt: 2, LastStartedTime: at(1), LastAttemptCompleteTime: at(3)},
			&statepb.Progress{Attempt: 1, Changes: 3, FirstStartTime: at(1), UpdateTime: at(2)},
			&engine.Record{State: engine.Pending, Attempt: 1, Fence: 1, Crashes: 1, StartTime: at(1).AsTime()}},
		{"started again", &activitypb.ActivityExecutionInfo{Status: running, RunState: isStarted, Attempt: 2, LastStartedTime: at(4), LastAttemptCompleteTime: at(3)},
			&statepb.Progress{Attempt: 1, Changes: 3, FirstStartTime: at(1), UpdateTime: at(2)},
			&engine.Record{State: engine.Running, Attempt: 2, Fence: 2, Crashes: 1, StartTime: at(1).AsTime()}},
		{"handed back", &activitypb.ActivityExecutionInfo{Status: running, RunState: scheduled, Attempt: 3, LastStartedTime: at(4), LastAttemptCompleteTime: at(5)},
			&statepb.Progress{Attempt: 2, FirstStartTime: at(1), Releases: 1},
			&engine.Record{State: engine.Pending, Attempt: 2, Fence: 2, Crashes: 1, Releases: 1, StartTime: at(1).AsTime()}},
		{"cancelled", &activitypb.ActivityExecutionInfo{Status: running, RunState: cancelled, Attempt: 3, LastStartedTime: at(6), LastAttemptCompleteTime: at(5), CanceledReason: cancelReason + "2026-11-22T12:00:07Z"},
			&statepb.Progress{Attempt: 2, FirstStartTime: at(1), Releases: 1},
			&engine.Record{State: engine.Running, Attempt: 3, Fence: 3, Crashes: 1, Releases: 1, StartTime: at(1).AsTime(), CancelTime: at(7).AsTime()}},
		{"terminated while it waits", &activitypb.ActivityExecutionInfo{Status: terminated, Attempt: 4, LastStartedTime: at(6), LastAttemptCompleteTime: at(8), CloseTime: at(9)},
			&statepb.Progress{Attempt: 2, FirstStartTime: at(1), Releases: 1},
			&engine.Record{State: engine.Failed, Attempt: 3, Fence: 4, Crashes: 2, Releases: 1, StartTime: at(1).AsTime()}},
	}
	var last *engine.Record
	for _, step := range steps {
		if step.progress == nil {
			step.progress = new(statepb.Progress)
		}
		d := &described{info: step.info, input: &statepb.Input{CreateTime: at(0)}, progress: step.progress}
		r := d.record()
		got := &engine.Record{State: r.State, Attempt: r.Attempt, Fence: r.Fence, Crashes: r.Crashes, Releases: r.Releases, StartTime: r.StartTime, CancelTime: r.CancelTime}
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.what, diff)
		}
		if last != nil && (r.Revision <= last.Revision || r.UpdateTime.Before(last.UpdateTime)) {
			t.Errorf("%s: revision %d at %v, want it over %d at %v", step.what, r.Revision, r.UpdateTime, last.Revision, last.UpdateTime)
		}
		last = r
	}
}

// TestUnclaimed: an operation whose work is done elsewhere runs from its start
// on, also while no engine has claimed it.
func TestUnclaimed(t *testing.T) {
	t.Parallel()
	info := &activitypb.ActivityExecutionInfo{
		Status: enumspb.ACTIVITY_EXECUTION_STATUS_RUNNING, RunState: enumspb.PENDING_ACTIVITY_STATE_SCHEDULED, Attempt: 1,
	}
	d := &described{info: info, input: &statepb.Input{CreateTime: at(0), External: true}, progress: new(statepb.Progress)}
	before := d.record()
	info.RunState, info.LastStartedTime = enumspb.PENDING_ACTIVITY_STATE_STARTED, at(3)
	after := d.record()
	if before.State != engine.Running || before.Attempt != 1 || before.Fence != 1 || !before.StartTime.Equal(at(0).AsTime()) {
		t.Errorf("unclaimed it is %v, attempt %d, fence %d, started %v; want it RUNNING in its first attempt since its start",
			before.State, before.Attempt, before.Fence, before.StartTime)
	}
	if before.Lease() != after.Lease() || before.Revision != after.Revision || !before.StartTime.Equal(after.StartTime) {
		t.Errorf("claimed it is %+v, want no visible change", after)
	}
}

func FuzzDecode(f *testing.F) {
	seed, err := encode(&statepb.Input{Queue: "q", Name: "operations/o", Trace: map[string]string{"a": "b"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("lro.temporal.v1.Input"), seed.GetPayloads()[0].GetData())
	f.Add([]byte("lro.temporal.v1.Progress"), []byte{0xff})
	f.Add([]byte(nil), []byte(nil))
	f.Fuzz(func(t *testing.T, kind, data []byte) {
		e := &Engine{opts: Options{TaskQueue: "q"}}
		p := &commonpb.Payloads{Payloads: []*commonpb.Payload{{Metadata: map[string][]byte{messageTypeKey: kind}, Data: data}}}
		for status := range enumspb.ActivityExecutionStatus_name {
			info := &activitypb.ActivityExecutionInfo{Status: enumspb.ActivityExecutionStatus(status), Attempt: 1, HeartbeatDetails: p}
			d := e.newDescribed(info, p)
			if d == nil {
				d = e.newDescribed(info, seed)
			}
			d.outcome = &activitypb.ActivityExecutionOutcome{Value: &activitypb.ActivityExecutionOutcome_Result{Result: p}}
			if r := d.record(); r.State.Terminal() && (r.Response != nil) == (r.Error != nil) {
				t.Errorf("record of status %v has response %v and error %v, want one", status, r.Response, r.Error)
			}
		}
	})
}
