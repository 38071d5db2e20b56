package temporal

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/go-lro/lro/server/engine"
)

// Engine keeps operations in a Temporal service and runs their handlers. Make
// it with [Open]; all methods are safe for concurrent use.
//
// It keeps no state of its own.
type Engine struct {
	opts      Options
	service   workflowservice.WorkflowServiceClient
	retention time.Duration // of the namespace

	// ctx is that of the engine's own goroutines, attempts included: it ends
	// when Close has drained them. closing ends before that, when Close begins.
	ctx     context.Context
	stop    context.CancelFunc
	closing context.Context
	close   context.CancelCauseFunc

	runs runs

	mu         sync.Mutex
	closed     bool
	attempts   map[string]*attempt // that run here, by name of their operation
	claims     bool                // claims of external operations are polled for
	locks      map[string]*nameLock
	works      sync.WaitGroup // calls of Work
	background sync.WaitGroup
}

var _ engine.Engine = (*Engine)(nil)

// Open returns an engine on the Temporal service that c is connected to. The
// caller closes c, after the engine.
//
// It registers the search attributes [OperationAttribute] and [ParentAttribute]
// in the namespace, and waits until they can be used, for at most a minute. If
// the caller may not register them, it returns an error with the command to do
// it.
func Open(ctx context.Context, c client.Client, o *Options) (*Engine, error) {
	opts, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("open engine on Temporal: %w", err)
	}
	e := &Engine{
		opts:     opts,
		service:  c.WorkflowService(),
		attempts: make(map[string]*attempt),
		locks:    make(map[string]*nameLock),
	}
	if err := e.describeNamespace(ctx); err != nil {
		return nil, fmt.Errorf("open engine on Temporal: %w", err)
	}
	if err := registerAttributes(ctx, e.service, c.OperatorService(), opts.Namespace); err != nil {
		return nil, fmt.Errorf("open engine on Temporal: %w", err)
	}
	e.ctx, e.stop = context.WithCancel(context.WithoutCancel(ctx))
	e.closing, e.close = context.WithCancelCause(e.ctx)
	return e, nil
}

func (e *Engine) describeNamespace(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, rpcTimeout)
	defer cancel()
	resp, err := e.service.DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: e.opts.Namespace})
	if err != nil {
		return fmt.Errorf("describe namespace %q: %w", e.opts.Namespace, convert(ctx, err))
	}
	e.retention = resp.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration()
	return nil
}

// Close implements [engine.Engine]. Calls that are under way end with
// [engine.ErrClosed].
func (e *Engine) Close() error {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.close(engine.ErrClosed)
	e.works.Wait()
	e.stop()
	e.background.Wait()
	return nil
}

// enter begins a call: its context ends with the cause [engine.ErrClosed] when
// the engine closes. The caller calls done at its end.
func (e *Engine) enter(ctx context.Context) (_ context.Context, done func(), _ error) {
	if e.closing.Err() != nil {
		return nil, nil, engine.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	ctx, done = e.entered(ctx)
	return ctx, done, nil
}

func (e *Engine) entered(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(e.closing, func() { cancel(engine.ErrClosed) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}

// work counts a call of Work, or a goroutine that Close must wait for before
// anything else ends. It reports false when the engine is closed.
func (e *Engine) work() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return false
	}
	e.works.Add(1)
	return true
}

// nameLock serializes what this process does to one operation in more than one
// step.
type nameLock struct {
	held  chan struct{} // holds one while it is locked
	users int
}

// lock waits for its turn, or returns the error of ctx.
func (e *Engine) lock(ctx context.Context, name string) (unlock func(), _ error) {
	e.mu.Lock()
	l := e.locks[name]
	if l == nil {
		l = &nameLock{held: make(chan struct{}, 1)}
		e.locks[name] = l
	}
	l.users++
	e.mu.Unlock()
	leave := func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if l.users--; l.users == 0 {
			delete(e.locks, name)
		}
	}
	select {
	case l.held <- struct{}{}:
		return func() {
			<-l.held
			leave()
		}, nil
	case <-ctx.Done():
		leave()
		return nil, convert(ctx, ctx.Err())
	}
}
