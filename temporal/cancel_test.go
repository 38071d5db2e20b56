package temporal

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	activitypb "go.temporal.io/api/activity/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"

	"github.com/go-lro/lro/server/engine"
)

// slowDelete is a Temporal service with one activity, which is gone a while after
// it was deleted.
type slowDelete struct {
	workflowservice.WorkflowServiceClient
	input   *commonpb.Payloads
	takes   time.Duration
	gone    time.Time // zero before it is deleted
	deletes int
	looks   int // after it was deleted
}

func (s *slowDelete) DescribeActivityExecution(_ context.Context, req *workflowservice.DescribeActivityExecutionRequest, _ ...grpc.CallOption) (*workflowservice.DescribeActivityExecutionResponse, error) {
	if !s.gone.IsZero() {
		s.looks++
		if !time.Now().Before(s.gone) {
			return nil, serviceerror.NewNotFound("gone")
		}
	}
	return &workflowservice.DescribeActivityExecutionResponse{
		RunId: "run",
		Info: &activitypb.ActivityExecutionInfo{
			ActivityId: req.GetActivityId(), RunId: "run", ActivityType: &commonpb.ActivityType{Name: "load"},
			Status: enumspb.ACTIVITY_EXECUTION_STATUS_COMPLETED, Attempt: 1,
		},
		Input: s.input,
	}, nil
}

func (s *slowDelete) DeleteActivityExecution(context.Context, *workflowservice.DeleteActivityExecutionRequest, ...grpc.CallOption) (*workflowservice.DeleteActivityExecutionResponse, error) {
	s.deletes++
	s.gone = time.Now().Add(s.takes)
	return &workflowservice.DeleteActivityExecutionResponse{}, nil
}

// TestDeleteLooksSeldom: looks take the time that a busy Temporal needs to delete,
// so Delete makes few, and still returns soon after.
func TestDeleteLooksSeldom(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ takes, within time.Duration }{
		{0, time.Millisecond},
		{20 * time.Millisecond, 40 * time.Millisecond},
		{time.Second, 2*time.Second + time.Millisecond},
		{time.Minute, 66 * time.Second},
	} {
		t.Run(test.takes.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				id, _ := newID("q", "", "")
				in := newInput("q", id, &engine.Spec{Kind: "load"})
				payloads, err := encode(in)
				if err != nil {
					t.Fatal(err)
				}
				service := &slowDelete{input: payloads, takes: test.takes}
				e := &Engine{opts: Options{TaskQueue: "q"}, service: service, closing: t.Context(), locks: map[string]*nameLock{}}
				begin := time.Now()
				if err := e.Delete(t.Context(), in.GetName()); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(begin); took < test.takes || took > test.within {
					t.Errorf("Delete() took %v, want %v to %v", took, test.takes, test.within)
				}
				if service.deletes != 1 || service.looks > 25 {
					t.Errorf("%d deletes and %d looks, want 1 and at most 25", service.deletes, service.looks)
				}
			})
		})
	}
}
