package local_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro/console"
	"github.com/go-lro/lro/console/local"
	"github.com/go-lro/lro/internal/leak"
	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/sqlite"
)

func TestMain(m *testing.M) { leak.Main(m) }

var kind = server.Kind[*lropb.SimulateRequest, *lropb.SimulateResponse, *lropb.OperationMetadata]{Name: "echo"}

func echo(_ context.Context, t *server.Task[*lropb.OperationMetadata], req *lropb.SimulateRequest) (*lropb.SimulateResponse, error) {
	return &lropb.SimulateResponse{Echo: req.GetEcho()}, nil
}

// newServer returns a server that works until the test ends.
func newServer(t *testing.T, wrap func(engine.Engine) engine.Engine) *server.Server {
	t.Helper()
	var eng engine.Engine
	eng, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "operations.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if wrap != nil {
		eng = wrap(eng)
	}
	srv, err := server.New(eng, server.Config{Drain: -1}, kind.Handle(echo))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var working sync.WaitGroup
	working.Go(func() {
		if err := srv.Work(ctx); err != nil {
			t.Errorf("Work: %v", err)
		}
	})
	t.Cleanup(func() {
		cancel()
		working.Wait()
		if err := eng.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return srv
}

func newSource(t *testing.T, srv *server.Server, c local.Config) *local.Source {
	t.Helper()
	src, err := local.New(srv, c)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return src
}

func start(t *testing.T, srv *server.Server, parent string) string {
	t.Helper()
	op, err := kind.Start(t.Context(), srv, &lropb.SimulateRequest{Echo: "hello"}, &server.StartOptions{Parent: parent})
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	return op.GetName()
}

// follow reads changes until ok says that one is the last.
func follow(t *testing.T, src *local.Source, begin func(), ok func(console.Change) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	changes, err := src.Watch(ctx)
	if err != nil {
		t.Fatalf("Watch: %v", err)
	}
	begin()
	for c, err := range changes {
		if err != nil {
			t.Fatalf("Watch yields %v", err)
		}
		if ok(c) {
			return
		}
	}
}

func TestSource(t *testing.T) {
	t.Parallel()
	srv := newServer(t, nil)
	src := newSource(t, srv, local.Config{})
	name := ""
	follow(t, src, func() { name = start(t, srv, "projects/p") }, func(c console.Change) bool {
		op, err := src.Get(t.Context(), c.Name)
		if err != nil || c.CreateTime.IsZero() {
			t.Errorf("change %+v, Get = %v", c, err)
		}
		return op.Message.GetDone()
	})

	op, err := src.Get(t.Context(), name)
	if err != nil || op.Info.Kind != "echo" || op.Info.State != lropb.OperationMetadata_SUCCEEDED || op.Info.Attempt != 1 ||
		!op.Info.Request.MessageIs(&lropb.SimulateRequest{}) || op.Info.EndTime.IsZero() || op.Message.GetResponse() == nil {
		t.Errorf("Get(%q) = %+v, %v, want all that is known of a success", name, op, err)
	}
	page, err := src.List(t.Context(), console.Query{PageSize: 10, Filter: "state = SUCCEEDED"})
	if err != nil || len(page.Operations) != 1 || page.Operations[0].Message.GetName() != name || page.Next != "" {
		t.Errorf("List = %+v, %v, want %q", page, err, name)
	}
	if counts, err := src.Count(t.Context()); err != nil || counts["echo"][lropb.OperationMetadata_SUCCEEDED] != 1 {
		t.Errorf("Count = %v, %v, want 1 that succeeded", counts, err)
	}
	events, err := src.History(t.Context(), name)
	if err != nil || len(events) < 3 || events[0].Type != console.EventCreated || events[len(events)-1].Type != console.EventEnded {
		t.Errorf("History = %v, %v, want it from created to ended", events, err)
	}
	if err := src.Cancel(t.Context(), name); err != nil {
		t.Errorf("Cancel of an operation that is done = %v", err)
	}
	follow(t, src, func() {
		if err := src.Delete(t.Context(), name); err != nil {
			t.Errorf("Delete = %v", err)
		}
	}, func(c console.Change) bool { return c.Name == name && c.Deleted })
	if _, err := src.Get(t.Context(), name); status.Code(err) != codes.NotFound {
		t.Errorf("Get of what was deleted = %v, want NOT_FOUND", err)
	}
	if _, err := src.List(t.Context(), console.Query{PageSize: 10, Filter: "nonsense ="}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("List with a bad filter = %v, want INVALID_ARGUMENT", err)
	}
}

// damaging is an engine whose records are damaged.
type damaging struct{ engine.Engine }

func (d damaging) Get(ctx context.Context, name string) (*engine.Record, error) {
	rec, err := d.Engine.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	damaged := *rec
	damaged.Damaged = "history: nonsense"
	return &damaged, nil
}

func TestDamaged(t *testing.T) {
	t.Parallel()
	srv := newServer(t, func(e engine.Engine) engine.Engine { return damaging{e} })
	op, err := newSource(t, srv, local.Config{}).Get(t.Context(), start(t, srv, "projects/p"))
	if err != nil || op.Info.Damaged != "history: nonsense" {
		t.Errorf("Get = %+v, %v, want what is damaged", op.Info, err)
	}
}

func TestParent(t *testing.T) {
	t.Parallel()
	srv := newServer(t, nil)
	start(t, srv, "projects/p")
	other := start(t, srv, "projects/other")
	src := newSource(t, srv, local.Config{Parent: "projects/other"})
	page, err := src.List(t.Context(), console.Query{PageSize: 10})
	if err != nil || len(page.Operations) != 1 || page.Operations[0].Message.GetName() != other {
		t.Errorf("List of one parent = %+v, %v, want %q", page, err, other)
	}
	if _, err := src.Count(t.Context()); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Count of one parent = %v, want %v", err, errors.ErrUnsupported)
	}
}

// bare is an engine without capabilities.
type bare struct{ engine.Engine }

func TestUnsupported(t *testing.T) {
	t.Parallel()
	srv := newServer(t, func(e engine.Engine) engine.Engine { return bare{e} })
	src := newSource(t, srv, local.Config{})
	name := start(t, srv, "")
	if _, err := src.Watch(t.Context()); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Watch = %v, want %v", err, errors.ErrUnsupported)
	}
	if _, err := src.Count(t.Context()); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Count = %v, want %v", err, errors.ErrUnsupported)
	}
	if _, err := src.History(t.Context(), name); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("History = %v, want %v", err, errors.ErrUnsupported)
	}
}

// TestSameWords holds the two sets of words together that Source maps by their
// values.
func TestSameWords(t *testing.T) {
	t.Parallel()
	for s := engine.StateUnspecified; s <= engine.Cancelled; s++ {
		if got := console.State(s).String(); got != s.String() {
			t.Errorf("state %d is %q here and %q in engine", s, got, s)
		}
	}
	for ours, theirs := range map[console.EventType]engine.EventType{
		console.EventCreated: engine.EventCreated, console.EventAttemptStarted: engine.EventAttemptStarted,
		console.EventCheckpoint: engine.EventCheckpoint, console.EventAttemptCrashed: engine.EventAttemptCrashed,
		console.EventAttemptReleased: engine.EventAttemptReleased, console.EventAttemptRetry: engine.EventAttemptRetry,
		console.EventCancelRequested: engine.EventCancelRequested, console.EventEnded: engine.EventEnded,
	} {
		if string(ours) != string(theirs) {
			t.Errorf("event %q is %q in engine", ours, theirs)
		}
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	if _, err := local.New(nil, local.Config{}); err == nil {
		t.Error("New(nil) = nil error")
	}
}

// TestEventTypes: the console has names of its own for the events of an engine,
// since it does not know engines. They are the same.
func TestEventTypes(t *testing.T) {
	t.Parallel()
	for engines, consoles := range map[engine.EventType]console.EventType{
		engine.EventCreated:         console.EventCreated,
		engine.EventAttemptStarted:  console.EventAttemptStarted,
		engine.EventCheckpoint:      console.EventCheckpoint,
		engine.EventAttemptCrashed:  console.EventAttemptCrashed,
		engine.EventAttemptReleased: console.EventAttemptReleased,
		engine.EventAttemptRetry:    console.EventAttemptRetry,
		engine.EventCancelRequested: console.EventCancelRequested,
		engine.EventEnded:           console.EventEnded,
	} {
		if string(engines) != string(consoles) {
			t.Errorf("event of an engine %q, of the console %q", engines, consoles)
		}
	}
}
