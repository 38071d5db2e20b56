package temporal

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	activitypb "go.temporal.io/api/activity/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
	"github.com/go-lro/lro/temporal/internal/statepb"
)

const (
	// maxParent is the longest parent whose operations have names that fit into
	// maxKeyword, in bytes.
	maxParent = maxKeyword - len("/operations/") - requestLen

	// forever is the time an attempt may take, because Temporal requires one.
	forever = 100 * 365 * 24 * time.Hour
	// retryPause is how long an operation waits after a crash before it can be
	// claimed again.
	retryPause = 10 * time.Millisecond

	startTries = 5
)

// Words that follow the base in the names of queues, and cannot be in it: the
// queues of two bases would meet.
const (
	kindsWord    = "kinds"
	externalWord = "external"
)

func isQueueWord(s string) bool { return s == kindsWord || s == externalWord }

func (e *Engine) kindQueue(kind string) string {
	return e.opts.TaskQueue + "/" + kindsWord + "/" + kind
}

func (e *Engine) externalQueue() string { return e.opts.TaskQueue + "/" + externalWord }

// Start implements [engine.Engine]. It ignores [engine.Spec.Retention]: the
// namespace's retention applies.
func (e *Engine) Start(ctx context.Context, spec engine.Spec) (*engine.Record, error) {
	rec, err := e.start(ctx, spec)
	if err != nil {
		return nil, fmt.Errorf("start operation of kind %q: %w", spec.Kind, err)
	}
	return rec, nil
}

func (e *Engine) start(ctx context.Context, spec engine.Spec) (*engine.Record, error) {
	if e.closing.Err() != nil {
		return nil, engine.ErrClosed
	}
	spec, err := spec.Checked(e.maxPayload())
	if err != nil {
		return nil, err
	}
	ctx, done, err := e.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	if spec.External {
		if err := e.claimExternals(); err != nil {
			return nil, err
		}
	}
	// Between the answer that there is one and the look at it, it may be
	// deleted.
	for range startTries {
		rec, err := e.startOnce(ctx, &spec)
		if spec.RequestID == "" || !errors.Is(err, engine.ErrNotFound) {
			return rec, err
		}
	}
	return nil, fmt.Errorf("%w: the operation of request ID %q comes and goes", engine.ErrUnavailable, spec.RequestID)
}

// startOnce starts an operation, or returns the one that its request ID has
// started.
func (e *Engine) startOnce(ctx context.Context, spec *engine.Spec) (*engine.Record, error) {
	id, activityID := newID(e.opts.TaskQueue, spec.Caller, spec.RequestID)
	input := newInput(e.opts.TaskQueue, id, spec)
	if len(input.GetName()) > maxKeyword {
		return nil, fmt.Errorf("%w: name %q of %d bytes is over %d", engine.ErrInvalid, input.GetName(), len(input.GetName()), maxKeyword)
	}
	if err := e.checkSize("request with metadata", input); err != nil {
		return nil, err
	}
	req, err := e.startRequest(input, activityID, spec)
	if err != nil {
		return nil, err
	}
	rpc, cancel := context.WithTimeout(ctx, rpcTimeout)
	resp, err := e.service.StartActivityExecution(rpc, req)
	cancel()
	if isAlreadyStarted(err) {
		return e.existing(ctx, spec, activityID)
	}
	if err != nil {
		return nil, convert(ctx, err)
	}
	if !resp.GetStarted() {
		return e.existing(ctx, spec, activityID)
	}
	e.runs.put(input.GetName(), resp.GetRunId())
	if spec.External {
		return e.untilStarted(ctx, activityID, resp.GetRunId())
	}
	return fresh(input, spec.Kind).record(), nil
}

// fresh is an operation that was just started. It may run by now.
func fresh(input *statepb.Input, kind string) *described {
	return &described{
		info: &activitypb.ActivityExecutionInfo{
			ActivityType: &commonpb.ActivityType{Name: kind},
			Status:       enumspb.ACTIVITY_EXECUTION_STATUS_RUNNING,
			RunState:     enumspb.PENDING_ACTIVITY_STATE_SCHEDULED, Attempt: 1,
		},
		input: input, progress: new(statepb.Progress),
	}
}

func newInput(queue, id string, spec *engine.Spec) *statepb.Input {
	return &statepb.Input{
		Queue:      queue,
		Name:       enginekit.FormatName(spec.Parent, id),
		Parent:     spec.Parent,
		Request:    spec.Request,
		Metadata:   spec.Metadata,
		RequestId:  spec.RequestID,
		AtMostOnce: spec.AtMostOnce,
		CrashLimit: int32(min(spec.CrashLimit, math.MaxInt32)),
		External:   spec.External,
		Trace:      spec.Trace,
		CreateTime: timestamppb.Now(),
	}
}

func (e *Engine) startRequest(input *statepb.Input, activityID string, spec *engine.Spec) (*workflowservice.StartActivityExecutionRequest, error) {
	payloads, err := encode(input)
	if err != nil {
		return nil, err
	}
	attributes := map[string]*commonpb.Payload{OperationAttribute: keyword(input.GetName())}
	if spec.Parent != "" {
		attributes[ParentAttribute] = keyword(spec.Parent)
	}
	policy := &commonpb.RetryPolicy{
		InitialInterval: durationpb.New(retryPause), MaximumInterval: durationpb.New(retryPause), BackoffCoefficient: 1,
	}
	queue, lease := e.kindQueue(spec.Kind), e.opts.Lease
	if spec.External {
		queue, lease = e.externalQueue(), spec.LeaseFor
	}
	if spec.External || spec.AtMostOnce {
		policy.MaximumAttempts = 1
	}
	return &workflowservice.StartActivityExecutionRequest{
		Namespace:           e.opts.Namespace,
		Identity:            e.opts.Identity,
		RequestId:           enginekit.Random(randomDigits),
		ActivityId:          activityID,
		ActivityType:        &commonpb.ActivityType{Name: spec.Kind},
		TaskQueue:           &taskqueuepb.TaskQueue{Name: queue},
		StartToCloseTimeout: durationpb.New(forever),
		HeartbeatTimeout:    durationpb.New(lease),
		RetryPolicy:         policy,
		Input:               payloads,
		IdReusePolicy:       enumspb.ACTIVITY_ID_REUSE_POLICY_REJECT_DUPLICATE,
		IdConflictPolicy:    enumspb.ACTIVITY_ID_CONFLICT_POLICY_USE_EXISTING,
		SearchAttributes:    &commonpb.SearchAttributes{IndexedFields: attributes},
		UserMetadata:        summary(input.GetName()),
	}, nil
}

// existing returns the operation that a request ID has started, if it is the
// same.
func (e *Engine) existing(ctx context.Context, spec *engine.Spec, activityID string) (*engine.Record, error) {
	d, err := e.describeActivity(ctx, activityID, "")
	if err != nil {
		return nil, err
	}
	in := d.input
	if d.info.GetActivityType().GetName() != spec.Kind || in.GetParent() != spec.Parent || !sameAny(in.GetRequest(), spec.Request) {
		return nil, fmt.Errorf("%w: %q started %q", engine.ErrRequestIDReused, spec.RequestID, in.GetName())
	}
	if in.GetExternal() && d.stage() == waiting {
		// The other Start waits for this as well.
		return e.untilStarted(ctx, activityID, d.runID)
	}
	// By name, so that one that crashed too often is ended.
	if d, err = e.describe(ctx, in.GetName()); err != nil {
		return nil, err
	}
	return e.record(d), nil
}

func sameAny(a, b *anypb.Any) bool {
	return (a == nil) == (b == nil) && proto.Equal(a, b)
}
