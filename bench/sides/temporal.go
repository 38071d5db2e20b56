package main

import (
	"context"
	"debug/buildinfo"
	"errors"
	"path/filepath"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/go-lro/lro/internal/cutproxy"
	"github.com/go-lro/lro/internal/temporalserver"
)

const (
	queue = "jobs"
	// heartbeatTimeout is as long as lro's lease.
	heartbeatTimeout = 10 * time.Second
	heartbeatEvery   = time.Second
)

type temporalSystem struct {
	binary string
	server *temporalserver.Server
	proxy  *cutproxy.Proxy
	client client.Client
}

// devserver builds the Temporal server, which takes minutes the first time.
var devserver = sync.OnceValues(func() (string, error) {
	root, err := temporalserver.Root()
	if err != nil {
		return "", err
	}
	return temporalserver.Build(context.Background(), root)
})

func openTemporal(ctx context.Context, dir string, _ setting) (_ system, err error) {
	s := &temporalSystem{}
	if s.binary, err = devserver(); err != nil {
		return nil, err
	}
	if s.server, err = temporalserver.Start(ctx, temporalserver.Config{Binary: s.binary, File: filepath.Join(dir, "temporal.db")}); err != nil {
		return nil, err
	}
	if s.proxy, err = cutproxy.Start(s.server.HostPort()); err == nil {
		s.client, err = client.DialContext(ctx, client.Options{HostPort: s.proxy.Address(), Logger: quiet{}})
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *temporalSystem) address() string { return s.server.HostPort() }

func (s *temporalSystem) start(ctx context.Context, j job) (string, error) {
	run, err := s.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: j.Key, TaskQueue: queue, WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
	}, flow, j)
	if err != nil {
		return "", err
	}
	return run.GetRunID(), nil
}

func (s *temporalSystem) cancel(ctx context.Context, key, id string) error {
	err := s.client.CancelWorkflow(ctx, key, id)
	if _, ok := errors.AsType[*serviceerror.NotFound](err); ok {
		return nil // it has ended
	}
	return err
}

func (s *temporalSystem) look(ctx context.Context, key, id string) (state, run string, err error) {
	d, err := s.client.DescribeWorkflowExecution(ctx, key, id)
	if _, ok := errors.AsType[*serviceerror.NotFound](err); ok {
		return unknown, "", nil
	}
	if err != nil {
		return "", "", err
	}
	switch d.GetWorkflowExecutionInfo().GetStatus() {
	case enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING:
		return pending, "", nil
	case enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		err := s.client.GetWorkflow(ctx, key, id).Get(ctx, &run)
		return succeeded, run, err
	case enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED:
		return canceled, "", nil
	}
	return failed, d.GetWorkflowExecutionInfo().GetStatus().String(), nil
}

func (s *temporalSystem) cut() { s.proxy.Restore() }

func (s *temporalSystem) restart(ctx context.Context) error {
	s.server.Kill()
	time.Sleep(storeDown)
	return s.server.Restart(ctx)
}

func (s *temporalSystem) effects(context.Context) ([]event, error) { return nil, nil }

func (s *temporalSystem) version(context.Context) string {
	if info, err := buildinfo.ReadFile(s.binary); err == nil {
		for _, d := range info.Deps {
			if d.Path == "go.temporal.io/server" {
				return "Temporal server " + d.Version
			}
		}
	}
	return "Temporal server, of an unknown version"
}

func (s *temporalSystem) close() error {
	if s.client != nil {
		s.client.Close()
	}
	if s.proxy != nil {
		s.proxy.Close()
	}
	s.server.Kill()
	return nil
}

// flow is the workflow of a job: one activity, retried by Temporal's default
// policy.
func flow(ctx workflow.Context, j job) (run string, err error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: attemptLimit, HeartbeatTimeout: heartbeatTimeout, WaitForCancellation: true,
	})
	err = workflow.ExecuteActivity(ctx, activityName, j).Get(ctx, &run)
	return run, err
}

const activityName = "perform"

func workTemporal(ctx context.Context, w *worker, address string, ready func()) error {
	c, err := client.DialContext(ctx, client.Options{HostPort: address, Logger: quiet{}})
	if err != nil {
		return err
	}
	defer c.Close()
	sdk := sdkworker.New(c, queue, sdkworker.Options{MaxHeartbeatThrottleInterval: w.setting.Throttle})
	sdk.RegisterWorkflow(flow)
	sdk.RegisterActivityWithOptions(func(ctx context.Context, j job) (string, error) {
		info := activity.GetInfo(ctx)
		a := &activityAttempt{}
		if activity.HasHeartbeatDetails(ctx) {
			if err := activity.GetHeartbeatDetails(ctx, &a.done); err != nil {
				return "", err
			}
		}
		defer a.beat(ctx)()
		return w.perform(ctx, info.WorkflowExecution.RunID, info.Attempt == 1, j, a)
	}, activity.RegisterOptions{Name: activityName})
	if err := sdk.Start(); err != nil {
		return err
	}
	defer sdk.Stop()
	ready()
	<-ctx.Done()
	return nil
}

// activityAttempt saves checkpoints as details of heartbeats.
type activityAttempt struct {
	mu   sync.Mutex
	done int
}

// beat repeats the last heartbeat while the activity runs, as it must be heard of
// within its heartbeat timeout. The function that it returns ends that.
func (a *activityAttempt) beat(ctx context.Context) func() {
	ended := make(chan struct{})
	var beating sync.WaitGroup
	beating.Go(func() {
		every := time.NewTicker(heartbeatEvery)
		defer every.Stop()
		for {
			select {
			case <-ended:
				return
			case <-every.C:
				a.heartbeat(ctx, 0)
			}
		}
	})
	return func() {
		close(ended)
		beating.Wait()
	}
}

func (a *activityAttempt) heartbeat(ctx context.Context, done int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.done = max(a.done, done)
	activity.RecordHeartbeat(ctx, a.done)
}

func (a *activityAttempt) steps(ctx context.Context, n int, do func(context.Context, int, func(context.Context) error) error) error {
	for step := a.done + 1; step <= n; step++ {
		err := do(ctx, step, func(ctx context.Context) error {
			a.heartbeat(ctx, step)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *activityAttempt) finish(context.Context, string, func(context.Context, pgx.Tx) error) (bool, error) {
	return false, nil
}

// quiet is a logger: what the SDK meets is what this is about.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}
