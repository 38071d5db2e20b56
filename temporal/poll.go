package temporal

import (
	"context"
	"time"

	activitypb "go.temporal.io/api/activity/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

const (
	// shortPoll is a poll's time when others wait for its place. Temporal
	// refuses less than two seconds, and answers a second before.
	shortPoll = 3 * time.Second
	// turnPause is how long a kind that had nothing to do leaves its place to
	// others that wait for it.
	turnPause = time.Second
	// maxPollers is how many polls a kind has under way at most. Temporal
	// divides a queue into four parts, and a poll waits at one of them: what
	// comes to another takes longer.
	maxPollers = 4
	// pollGrace is how long polls may go on when a worker stops.
	pollGrace = 500 * time.Millisecond

	minPollPause = 100 * time.Millisecond
	maxPollPause = 5 * time.Second
)

// poll claims operations of a kind and begins their attempts, until the worker
// stops. While there is work it starts other pollers of the kind, which end
// when there is none.
func (w *worker) poll(k *kindSlots) {
	wait := minPollPause
	for w.acquire(k) {
		limit := longPoll
		contended := w.waiting.Load() > 0 || len(w.Kinds) > 1 && len(w.slots) == cap(w.slots)
		if contended {
			limit = shortPoll
		}
		task, err := w.e.pollTask(w.polls, k.queue, limit)
		if task != nil {
			wait = minPollPause
			w.begin(k, task)
			k.grow(w)
			continue
		}
		w.release(k)
		if err != nil {
			if w.polls.Err() == nil {
				w.e.opts.Logger.Warn("poll failed, will try again", "kind", k.name, "error", err, "after", wait)
			}
			enginekit.WaitFor(w.stopping, wait)
			wait = min(2*wait, maxPollPause)
			continue
		}
		wait = minPollPause
		if k.shrink(contended) {
			return
		}
		if contended {
			w.waiting.Add(1) // for its next turn
			enginekit.WaitFor(w.stopping, turnPause)
			w.waiting.Add(-1)
		}
	}
}

// grow starts another poller.
func (k *kindSlots) grow(w *worker) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.pollers < maxPollers && !enginekit.IsClosed(w.stopping) {
		k.pollers++
		w.pollers.Go(func() { w.poll(k) })
	}
}

// idlePollers is how many polls a kind has under way while there is nothing to
// do: together no more than a quarter of the places, but for one each.
func idlePollers(w engine.Worker, limit int) int {
	n := min(maxPollers, w.Concurrency/4/len(w.Kinds))
	if limit > 0 {
		n = min(n, limit)
	}
	return max(n, 1)
}

// shrink reports whether the poller should end, because there are others.
func (k *kindSlots) shrink(contended bool) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.pollers == 1 || !contended && k.pollers <= k.idle {
		return false
	}
	k.pollers--
	return true
}

// acquire takes a place of the kind and one of the worker, or reports false
// when the worker stops.
func (w *worker) acquire(k *kindSlots) bool {
	if enginekit.IsClosed(w.stopping) {
		return false
	}
	if k.slots != nil {
		select {
		case k.slots <- struct{}{}:
		case <-w.stopping:
			return false
		}
	}
	select {
	case w.slots <- struct{}{}:
		return true
	default:
	}
	w.waiting.Add(1)
	defer w.waiting.Add(-1)
	select {
	case w.slots <- struct{}{}:
		return true
	case <-w.stopping:
		if k.slots != nil {
			<-k.slots
		}
		return false
	}
}

func (w *worker) release(k *kindSlots) {
	<-w.slots
	if k.slots != nil {
		<-k.slots
	}
}

// pollTask claims an activity of a queue. It returns nil when there was none
// within a while.
func (e *Engine) pollTask(ctx context.Context, queue string, limit time.Duration) (*workflowservice.PollActivityTaskQueueResponse, error) {
	rpc, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	task, err := e.service.PollActivityTaskQueue(rpc, &workflowservice.PollActivityTaskQueueRequest{
		Namespace: e.opts.Namespace, Identity: e.opts.Identity,
		TaskQueue: &taskqueuepb.TaskQueue{Name: queue, Kind: enumspb.TASK_QUEUE_KIND_NORMAL},
	})
	if err != nil {
		return nil, convert(ctx, err)
	}
	if len(task.GetTaskToken()) == 0 {
		return nil, nil
	}
	return task, nil
}

// begin starts the attempt that a claimed activity is.
func (w *worker) begin(k *kindSlots, task *workflowservice.PollActivityTaskQueueResponse) {
	began := time.Now()
	d := w.e.newDescribed(&activitypb.ActivityExecutionInfo{
		ActivityId: task.GetActivityId(), RunId: task.GetActivityRunId(), ActivityType: task.GetActivityType(),
		Status:   enumspb.ACTIVITY_EXECUTION_STATUS_RUNNING,
		RunState: enumspb.PENDING_ACTIVITY_STATE_STARTED,
		Attempt:  task.GetAttempt(), ScheduleTime: task.GetScheduledTime(), LastStartedTime: task.GetStartedTime(),
		HeartbeatTimeout: task.GetHeartbeatTimeout(), HeartbeatDetails: task.GetHeartbeatDetails(),
	}, task.GetInput())
	if d == nil {
		w.e.refuse(task)
		w.release(k)
		return
	}
	a := newAttempt(w, k, d, task.GetTaskToken(), began)
	w.running.Add(1)
	w.mu.Lock()
	w.attempts[a] = struct{}{}
	w.mu.Unlock()
	go a.run() // w.running waits for it, until it is abandoned
}

// refuse ends an activity that another program has put into our queue.
func (e *Engine) refuse(task *workflowservice.PollActivityTaskQueueResponse) {
	ctx, cancel := context.WithTimeout(e.ctx, rpcTimeout)
	defer cancel()
	_, err := e.service.RespondActivityTaskFailed(ctx, &workflowservice.RespondActivityTaskFailedRequest{
		Namespace: e.opts.Namespace, Identity: e.opts.Identity, TaskToken: task.GetTaskToken(),
		Failure: &failurepb.Failure{
			Message: "not an operation of this task queue",
			FailureInfo: &failurepb.Failure_ApplicationFailureInfo{
				ApplicationFailureInfo: &failurepb.ApplicationFailureInfo{Type: "lro.Foreign", NonRetryable: true},
			},
		},
	})
	e.opts.Logger.Warn("refused an activity that is not an operation", "activity", task.GetActivityId(), "error", err)
}
