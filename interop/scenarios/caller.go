package scenarios

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/go-lro/lro"
)

type grpcError interface {
	error
	GRPCStatus() *status.Status
}

// absent is the outcome of what a future does not offer.
func absent() outcome { return outcome{"outcome": "absent"} }

// caller runs the steps of a scenario with one future.
type caller struct {
	scenario  *Scenario
	client    *lro.Client
	future    future
	callbacks map[string]*callback
}

// callback is a registered function, and what it was given.
type callback struct {
	mu       sync.Mutex
	given    []outcome
	called   chan struct{} // closed at the first call
	returned <-chan struct{}
	stop     context.CancelFunc
}

// close ends what still waits.
func (c *caller) close() {
	for _, cb := range c.callbacks {
		cb.stop()
		<-cb.returned
	}
}

func (c *caller) do(ctx context.Context, step Step) (outcome, error) {
	if step.Timeout != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(*step.Timeout))
		defer cancel()
	}
	switch step.Do {
	case "result":
		return c.future.result(ctx), nil
	case "exception":
		return c.future.exception(ctx), nil
	case "results":
		return c.results(ctx, step.Waiters), nil
	case "done", "running", "cancelled":
		return c.future.call(ctx, step.Do), nil
	case "cancel":
		return c.future.cancel(ctx), nil
	case "delete":
		return c.future.delete(ctx), nil
	case "metadata":
		return c.future.metadata(), nil
	case "name":
		return valueOf(c.future.name()), nil
	case "operation":
		return valueOf(plain(c.future.proto())), nil
	case "progress":
		return c.future.progress(ctx), nil
	case "on_done":
		c.onDone(ctx, step)
		return outcome{"outcome": "registered"}, nil
	case "callback":
		return c.called(ctx, step)
	case "resume":
		return c.resume()
	case "deserialize":
		return c.deserialize(step.Bytes)
	case "list":
		return c.list(ctx, step.Max), nil
	case "grpc_metadata":
		return valueOf(c.scenario.Caller.GRPCMetadata.Pairs), nil // a copy was given away
	case "set_result":
		return absent(), nil
	}
	return nil, fmt.Errorf("unknown step %q", step.Do)
}

// results waits for the result several times at once.
func (c *caller) results(ctx context.Context, waiters int) outcome {
	all := make([]any, waiters)
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() { all[i] = c.future.result(ctx) })
	}
	wg.Wait()
	return outcome{"outcome": "all", "results": all}
}

func (c *caller) onDone(ctx context.Context, step Step) {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	cb := &callback{called: make(chan struct{}), stop: stop}
	cb.returned = c.future.onDone(ctx, func(given outcome) {
		if ctx.Err() != nil {
			return // the scenario is over
		}
		cb.mu.Lock()
		first := len(cb.given) == 0
		cb.given = append(cb.given, given)
		cb.mu.Unlock()
		if first {
			close(cb.called)
		}
		sleep(ctx, time.Duration(step.Takes))
	})
	c.callbacks[step.As] = cb
}

func (c *caller) called(ctx context.Context, step Step) (outcome, error) {
	cb := c.callbacks[step.Of]
	if cb == nil {
		return nil, fmt.Errorf("no callback %q", step.Of)
	}
	limit := time.NewTimer(time.Duration(step.Within))
	defer limit.Stop()
	select {
	case <-cb.called:
	case <-limit.C:
	case <-ctx.Done():
	}
	cb.mu.Lock()
	defer cb.mu.Unlock()
	if len(cb.given) == 0 {
		return outcome{"outcome": "not_called"}, nil
	}
	return outcome{"outcome": "called", "times": len(cb.given), "argument": "outcome", "given": cb.given[0]}, nil
}

// resume goes on with a new future, of which nothing but its token is known.
func (c *caller) resume() (outcome, error) {
	f, err := c.future.resume(c.client)
	if err != nil {
		return failure(err), nil
	}
	c.future = f
	return outcome{"outcome": "future"}, nil
}

// deserialize makes a future of an encoded operation.
func (c *caller) deserialize(data []byte) (outcome, error) {
	op := &longrunningpb.Operation{}
	if err := proto.Unmarshal(data, op); err != nil {
		return outcome{"outcome": "undecodable"}, nil
	}
	again := *c.scenario
	encoded, err := json.Marshal(plain(op))
	if err != nil {
		return nil, err
	}
	again.Operation = encoded
	f, err := newFuture(&again, c.client)
	if err != nil {
		return failure(err), nil
	}
	return outcome{"outcome": "future", "name": f.name()}, nil
}

func (c *caller) list(ctx context.Context, limit int) outcome {
	names := []string{}
	for op, err := range c.client.List(ctx, &longrunningpb.ListOperationsRequest{Name: "projects/p"}) {
		if err != nil {
			return failure(err)
		}
		names = append(names, op.GetName())
		if len(names) == limit {
			break
		}
	}
	return valueOf(names)
}
