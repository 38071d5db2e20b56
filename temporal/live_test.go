package temporal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/genproto/googleapis/rpc/code"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
	"github.com/go-lro/lro/temporal/internal/testserver"
)

// live is a Temporal server with two engines on one task queue, each with
// connections of its own.
type live struct {
	*testing.T
	server *testserver.Server
	stores [2]*store
	engs   [2]engine.Engine
}

func newLive(t *testing.T, o testserver.Options) *live {
	t.Helper()
	l := &live{T: t, server: testserver.Start(t, o)}
	first := newStore(t, l.server.HostPort())
	for i := range l.engs {
		l.stores[i] = &store{address: first.address, queue: first.queue}
		l.engs[i] = l.stores[i].Open(t)
	}
	return l
}

// work has an engine run handlers until the test ends.
func (l *live) work(eng engine.Engine, w engine.Worker) {
	l.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(l.Context()))
	var working sync.WaitGroup
	working.Go(func() {
		if err := eng.Work(ctx, w); err != nil {
			l.Errorf("Work() = %v", err)
		}
	})
	l.Cleanup(func() {
		stop()
		working.Wait()
	})
}

func (l *live) start(spec engine.Spec) *engine.Record {
	l.Helper()
	if spec.Kind == "" {
		spec.Kind = "k"
	}
	rec, err := l.engs[0].Start(l.Context(), spec)
	if err != nil {
		l.Fatalf("Start() = %v", err)
	}
	return rec
}

func (l *live) wait(name string) *engine.Record {
	l.Helper()
	rec, err := l.engs[0].Wait(l.Context(), name)
	if err != nil {
		l.Fatalf("Wait(%q) = %v", name, err)
	}
	return rec
}

// TestCancelElsewhere: a cancel asked of one process ends the context of a
// handler in another. That it takes a second at most is for a quiet machine to
// show; here it must be well before a heartbeat would have told.
func TestCancelElsewhere(t *testing.T) {
	t.Parallel()
	l := newLive(t, testserver.Options{})
	running, cause := make(chan struct{}), make(chan error, 1)
	l.work(l.engs[1], engine.Worker{Kinds: map[string]int{"k": 0}, Run: func(ctx context.Context, _ engine.Attempt) engine.Outcome {
		close(running)
		<-ctx.Done()
		cause <- context.Cause(ctx)
		return engine.Outcome{Error: enginekit.Status(code.Code_CANCELLED, "stopped")}
	}})
	rec := l.start(engine.Spec{})
	<-running
	begin := time.Now()
	if _, err := l.engs[0].Cancel(t.Context(), rec.Name); err != nil {
		t.Fatalf("Cancel() = %v", err)
	}
	if err := <-cause; !errors.Is(err, engine.ErrCancelRequested) {
		t.Errorf("cause = %v, want %v", err, engine.ErrCancelRequested)
	}
	t.Logf("the handler heard of it after %v", time.Since(begin))
	if end := l.wait(rec.Name); end.State != engine.Cancelled || end.Error.GetMessage() != "stopped" {
		t.Errorf("ended as %v with %v, want CANCELLED with the handler's error", end.State, end.Error)
	}
}

// TestLostEndsNothing: an attempt that has lost its lease, as far as its process
// can tell, ends nothing and keeps nothing any more, though Temporal does not know
// that yet.
func TestLostEndsNothing(t *testing.T) {
	t.Parallel()
	l := newLive(t, testserver.Options{})
	eng := l.engs[0]
	l.work(eng, engine.Worker{Kinds: map[string]int{"k": 0}, Run: func(ctx context.Context, a engine.Attempt) engine.Outcome {
		rec := a.Record()
		if rec.Attempt > 1 {
			return engine.Outcome{Error: enginekit.Status(code.Code_NOT_FOUND, "second")}
		}
		a.(*attempt).expire() // as when no heartbeat gets through
		ctx, lease := context.WithoutCancel(ctx), engine.Lease{Name: rec.Name, Fence: rec.Fence}
		calls := map[string]func() error{
			"Save":      func() error { return a.Save(ctx, nil) },
			"Report":    func() error { _, err := eng.Report(ctx, lease, engine.Update{}); return err },
			"Heartbeat": func() error { _, err := eng.Heartbeat(ctx, lease); return err },
			"Fail": func() error {
				_, err := eng.Fail(ctx, lease, engine.Failure{Error: enginekit.Status(code.Code_NOT_FOUND, "by its lease")})
				return err
			},
		}
		for name, call := range calls {
			if err := call(); !errors.Is(err, engine.ErrFenced) {
				t.Errorf("%s() = %v, want %v", name, err, engine.ErrFenced)
			}
		}
		return engine.Outcome{Error: enginekit.Status(code.Code_NOT_FOUND, "first")}
	}})
	if end := l.wait(l.start(engine.Spec{}).Name); end.Attempt != 2 || end.Crashes != 0 || end.Error.GetMessage() != "second" {
		t.Errorf("ended by attempt %d after %d crashes with %v, want the error of attempt 2", end.Attempt, end.Crashes, end.Error)
	}
}

// TestDoomedIsNoAttempt: an operation that has crashed too often, and is given to a
// worker then, has no further attempt.
func TestDoomedIsNoAttempt(t *testing.T) {
	t.Parallel()
	l := newLive(t, testserver.Options{})
	running := make(chan struct{})
	l.work(l.engs[0], engine.Worker{Kinds: map[string]int{"k": 0}, Run: func(ctx context.Context, _ engine.Attempt) engine.Outcome {
		close(running)
		<-ctx.Done()
		return engine.Outcome{Release: true}
	}})
	name := l.start(engine.Spec{CrashLimit: 1}).Name
	<-running
	l.work(l.engs[1], engine.Worker{Kinds: map[string]int{"k": 0}, Run: func(context.Context, engine.Attempt) engine.Outcome {
		t.Error("it runs again")
		return engine.Outcome{Release: true}
	}})
	l.stores[0].cut()
	eng := l.engs[1].(*Engine)
	d, err := eng.describe(t.Context(), name)
	for err == nil && d.stage() != over {
		d, err = eng.untilOver(t.Context(), d) // no reader ends it before the worker does
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := eng.record(d); got.Attempt != 1 || got.Crashes != 1 || got.Error.GetCode() != int32(code.Code_ABORTED) {
		t.Errorf("ended by attempt %d after %d crashes with %v, want 1, 1 and ABORTED", got.Attempt, got.Crashes, got.Error)
	}
}

// TestLeaseElsewhere: by the lease of an operation that an attempt runs in
// another process, that attempt is shut out.
func TestLeaseElsewhere(t *testing.T) {
	t.Parallel()
	l := newLive(t, testserver.Options{})
	attempts, causes := make(chan engine.Attempt, 1), make(chan error, 1)
	l.work(l.engs[1], engine.Worker{Kinds: map[string]int{"k": 0}, Run: func(ctx context.Context, a engine.Attempt) engine.Outcome {
		attempts <- a
		<-ctx.Done()
		causes <- context.Cause(ctx)
		return engine.Outcome{Error: enginekit.Status(code.Code_INTERNAL, "late")}
	}})
	rec := l.start(engine.Spec{})
	a := <-attempts
	end, err := l.engs[0].Complete(t.Context(), a.Record().Lease(), engine.Completion{Response: packed(t, "done")})
	if err != nil || end.State != engine.Succeeded {
		t.Fatalf("Complete() = %v, %v; want SUCCEEDED", end, err)
	}
	if cause := <-causes; !errors.Is(cause, engine.ErrLeaseLost) {
		t.Errorf("cause = %v, want %v", cause, engine.ErrLeaseLost)
	}
	if err := a.Save(t.Context(), []byte("late")); !errors.Is(err, engine.ErrFenced) {
		t.Errorf("Save() = %v, want %v", err, engine.ErrFenced)
	}
	if got := l.wait(rec.Name); got.State != engine.Succeeded {
		t.Errorf("ended as %v, want SUCCEEDED", got.State)
	}
}

// TestCutOff: an attempt whose process cannot reach Temporal learns that its
// lease has ended before the operation goes on elsewhere, from its checkpoint.
func TestCutOff(t *testing.T) {
	t.Parallel()
	l := newLive(t, testserver.Options{})
	saved, cause := make(chan struct{}), make(chan error, 1)
	l.work(l.engs[1], engine.Worker{Kinds: map[string]int{"k": 0}, Run: func(ctx context.Context, a engine.Attempt) engine.Outcome {
		if err := a.Save(ctx, []byte("half")); err != nil {
			t.Errorf("Save() = %v", err)
		}
		close(saved)
		<-ctx.Done()
		cause <- context.Cause(ctx)
		return engine.Outcome{Response: packed(t, "late")}
	}})
	rec := l.start(engine.Spec{})
	<-saved
	l.work(l.engs[0], engine.Worker{Kinds: map[string]int{"k": 0}, Run: func(_ context.Context, a engine.Attempt) engine.Outcome {
		select {
		case err := <-cause:
			if !errors.Is(err, engine.ErrLeaseLost) {
				t.Errorf("cause = %v, want %v", err, engine.ErrLeaseLost)
			}
			close(cause) // for further attempts
		default:
			t.Error("another attempt began before the first one had been told")
		}
		return engine.Outcome{Response: packed(t, string(a.Record().Checkpoint))}
	}})
	l.stores[1].cut()
	end := l.wait(rec.Name)
	if !sameAny(end.Response, packed(t, "half")) || end.Attempt < 2 || end.Crashes != end.Attempt-1 {
		t.Errorf("response %v, attempt %d, crashes %d; want that of another attempt, from the checkpoint", end.Response, end.Attempt, end.Crashes)
	}
}

// TestServerRestarts: while Temporal is down, calls say that it is unavailable
// and invent nothing; when it is back everything is there, and what ran ends.
func TestServerRestarts(t *testing.T) {
	t.Parallel()
	l := newLive(t, testserver.Options{OnDisk: true})
	running, goOn := make(chan struct{}), make(chan struct{})
	l.work(l.engs[1], engine.Worker{Kinds: map[string]int{"k": 0}, Run: func(context.Context, engine.Attempt) engine.Outcome {
		running <- struct{}{}
		<-goOn
		return engine.Outcome{Response: packed(t, "done")}
	}})
	ran, pending := l.start(engine.Spec{}), l.start(engine.Spec{Kind: "nobody's"})
	<-running
	go func() { // an attempt that lost its lease meanwhile is run again
		for {
			select {
			case <-running:
			case <-t.Context().Done():
				return
			}
		}
	}()
	l.server.Kill()
	for call, f := range map[string]func() error{
		"Start": func() error { _, err := l.engs[0].Start(t.Context(), engine.Spec{Kind: "k"}); return err },
		"Get":   func() error { _, err := l.engs[0].Get(t.Context(), ran.Name); return err },
		"Wait":  func() error { _, err := l.engs[0].Wait(t.Context(), ran.Name); return err },
		"List": func() error {
			_, err := l.engs[0].List(t.Context(), engine.Query{AnyParent: true, Limit: 1})
			return err
		},
		"Cancel": func() error { _, err := l.engs[0].Cancel(t.Context(), ran.Name); return err },
		"Delete": func() error { return l.engs[0].Delete(t.Context(), ran.Name) },
	} {
		if err := f(); !errors.Is(err, engine.ErrUnavailable) {
			t.Errorf("%s while Temporal is down = %v, want %v", call, err, engine.ErrUnavailable)
		}
	}
	close(goOn)
	l.server.Restart(t)
	var end *engine.Record
	for end == nil {
		rec, err := l.engs[0].Wait(t.Context(), ran.Name)
		if err != nil && !errors.Is(err, engine.ErrUnavailable) {
			t.Fatalf("Wait() = %v", err)
		}
		if err == nil {
			end = rec
		}
	}
	if end.State != engine.Succeeded {
		t.Errorf("ended as %v, want SUCCEEDED", end.State)
	}
	if got, err := l.engs[0].Get(t.Context(), pending.Name); err != nil || got.State != engine.Pending {
		t.Errorf("Get() = %v, %v; want PENDING", got, err)
	}
}

// TestLimits: what Temporal would refuse or fail is refused before.
func TestLimits(t *testing.T) {
	t.Parallel()
	l := newLive(t, testserver.Options{})
	most := strings.Repeat("x", defaultMaxPayload-reserve-1024)
	over := strings.Repeat("x", defaultMaxPayload-reserve+1)
	if _, err := l.engs[0].Start(t.Context(), engine.Spec{Kind: "k", Request: packed(t, over)}); !errors.Is(err, engine.ErrTooLarge) {
		t.Errorf("Start() with too much = %v, want %v", err, engine.ErrTooLarge)
	}
	for _, parent := range []string{strings.Repeat("p", 255), strings.Repeat("p", 256)} {
		if _, err := l.engs[0].Start(t.Context(), engine.Spec{Kind: "k", Parent: parent}); !errors.Is(err, engine.ErrInvalid) {
			t.Errorf("Start() with a parent of %d bytes = %v, want %v", len(parent), err, engine.ErrInvalid)
		}
	}
	rec := l.start(engine.Spec{Request: packed(t, most), Parent: strings.Repeat("p", 200)})
	l.work(l.engs[1], engine.Worker{Kinds: map[string]int{"k": 0}, Run: func(ctx context.Context, a engine.Attempt) engine.Outcome {
		if err := a.Save(ctx, []byte(over)); !errors.Is(err, engine.ErrTooLarge) {
			t.Errorf("Save() of too much = %v, want %v", err, engine.ErrTooLarge)
		}
		if err := a.Save(ctx, []byte(most)); err != nil {
			t.Errorf("Save() of as much as may be = %v", err)
		}
		return engine.Outcome{Response: packed(t, most)}
	}})
	end := l.wait(rec.Name)
	if end.State != engine.Succeeded || !sameAny(end.Response, packed(t, most)) || !sameAny(end.Request, packed(t, most)) || string(end.Checkpoint) != most {
		t.Errorf("ended as %v with %v; want everything there", end.State, end.Error)
	}
}

// TestSeparate: operations of another base queue in the same namespace
// are not ours.
func TestSeparate(t *testing.T) {
	t.Parallel()
	l := newLive(t, testserver.Options{})
	other := newStore(t, l.server.HostPort()).Open(t)
	rec := l.start(engine.Spec{RequestID: "id"})
	if got, err := other.Get(t.Context(), rec.Name); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("Get() on another queue = %v, %v; want %v", got, err, engine.ErrNotFound)
	}
	theirs, err := other.Start(t.Context(), engine.Spec{Kind: "k", RequestID: "id"})
	if err != nil || theirs.Name == rec.Name {
		t.Errorf("Start() with the same request ID on another queue = %v, %v; want another operation", theirs, err)
	}
}

// TestTurns: kinds take turns where there are fewer places than kinds, and none
// is left out.
func TestTurns(t *testing.T) {
	t.Parallel()
	l := newLive(t, testserver.Options{})
	kinds := map[string]int{}
	var names []string
	for i := range 4 {
		kind := fmt.Sprintf(`it's \ %d`, i)
		kinds[kind] = 0
		names = append(names, l.start(engine.Spec{Kind: kind}).Name)
	}
	l.work(l.engs[1], engine.Worker{Kinds: kinds, Concurrency: 1, Run: func(context.Context, engine.Attempt) engine.Outcome {
		return engine.Outcome{Response: packed(t, "done")}
	}})
	for _, name := range names {
		if end := l.wait(name); end.State != engine.Succeeded {
			t.Errorf("%q ended as %v, want SUCCEEDED", name, end.State)
		}
	}
	// Their names reach visibility unharmed.
	for kind := range kinds {
		for {
			p, err := l.engs[0].List(t.Context(), engine.Query{AnyParent: true, Limit: 5, Where: engine.Where{Kinds: []string{kind}}})
			if err != nil {
				t.Fatalf("List() = %v", err)
			}
			if len(p.Records) == 1 {
				break
			}
			<-time.After(50 * time.Millisecond) // visibility lags
		}
	}
}

// TestForeign: an activity that another program puts into our queue is refused,
// and does not stop the worker.
func TestForeign(t *testing.T) {
	t.Parallel()
	l := newLive(t, testserver.Options{})
	eng := l.engs[0].(*Engine)
	spec := engine.Spec{Kind: "k"}
	req, err := eng.startRequest(newInput("elsewhere", "o1", &spec), "foreign", &spec)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := eng.service.StartActivityExecution(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	rec := l.start(engine.Spec{})
	l.work(l.engs[1], engine.Worker{Kinds: map[string]int{"k": 0}, Run: func(_ context.Context, a engine.Attempt) engine.Outcome {
		if a.Record().Name != rec.Name {
			t.Errorf("attempt of %q, want %q", a.Record().Name, rec.Name)
		}
		return engine.Outcome{Response: packed(t, "done")}
	}})
	l.wait(rec.Name)
	resp, err := eng.service.PollActivityExecution(t.Context(), &workflowservice.PollActivityExecutionRequest{Namespace: "default", ActivityId: "foreign"})
	if got := resp.GetOutcome().GetFailure().GetApplicationFailureInfo().GetType(); err != nil || got != "lro.Foreign" {
		t.Errorf("the foreign activity ended with failure type %q, %v; want it refused", got, err)
	}
}

// TestAbandoned: a handler that ignores its context does not keep the program
// from stopping, and its operation goes on elsewhere.
func TestAbandoned(t *testing.T) {
	t.Parallel()
	l := newLive(t, testserver.Options{})
	running, quit, returned := make(chan struct{}), make(chan struct{}), make(chan struct{})
	defer func() {
		close(quit)
		<-returned
	}()
	l.work(l.engs[1], engine.Worker{Kinds: map[string]int{"k": 0}, Run: func(context.Context, engine.Attempt) engine.Outcome {
		defer close(returned)
		close(running)
		<-quit
		return engine.Outcome{Response: packed(t, "late")}
	}})
	rec := l.start(engine.Spec{})
	<-running
	if err := l.engs[1].Close(); err != nil {
		t.Errorf("Close() = %v", err)
	}
	got, err := l.engs[0].Get(t.Context(), rec.Name)
	if err != nil || got.State != engine.Pending || got.Releases != 1 || got.Crashes != 0 {
		t.Errorf("Get() = %+v, %v; want PENDING, handed back once", got, err)
	}
}
