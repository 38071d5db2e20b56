package enginetest

import (
	"context"
	"iter"
	"sync"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/status"

	"github.com/go-lro/lro/server/engine"
)

var subscribeTests = []test{
	{name: "is as declared", run: func(v *env) { has[engine.Subscriber](v, v.Subscribe) }},
	{name: "every change", run: subscribeChanges},
	{name: "merged", run: subscribeMerged},
	{name: "deleted", run: subscribeDeleted},
	{name: "deleted while it runs", run: subscribeDeletedRunning},
	{name: "ends with ctx", run: subscribeContext},
	{name: "ends with the engine", run: subscribeClosed},
	{name: "once", run: subscribeOnce},
}

// has returns an engine's capability, and whether it has it, as declared.
func has[T any](v *env, declared bool) (T, bool) {
	v.Helper()
	c, ok := v.eng.(T)
	if ok != declared {
		v.Errorf("engine is a %T: %v, declared %v", *new(T), ok, declared)
	}
	return c, ok
}

// feed is a subscription, read by the test.
type feed struct {
	v    *env
	next func() (engine.Change, error, bool)
}

func (v *env) subscribe(ctx context.Context) *feed {
	v.Helper()
	s, ok := has[engine.Subscriber](v, v.Subscribe)
	if !ok {
		v.Skip("declared: no change feed")
	}
	next, stop := iter.Pull2(s.Subscribe(ctx))
	v.Cleanup(stop)
	return &feed{v: v, next: next}
}

// until reads changes until one is as wanted, and returns it.
func (f *feed) until(want func(engine.Change) bool) engine.Change {
	f.v.Helper()
	last := make(map[string]int64)
	for {
		c, err, ok := f.next()
		if !ok || err != nil {
			f.v.Fatalf("subscription ended with %v, want more changes", err)
		}
		if rev, ok := last[c.Record.Name]; ok && c.Record.Revision < rev {
			f.v.Errorf("change of %q has revision %d after %d, want them in order", c.Record.Name, c.Record.Revision, rev)
		}
		last[c.Record.Name] = c.Record.Revision
		if want(c) {
			return c
		}
	}
}

func subscribeChanges(v *env) {
	v.start(engine.Spec{})
	f := v.subscribe(v.Context())
	c := v.work("other")
	rec := v.start(engine.Spec{Kind: "other"})
	state := func(s engine.State) func(engine.Change) bool {
		return func(c engine.Change) bool {
			if c.Record.Kind != "other" {
				v.Errorf("change of %q, which was there before and did not change", c.Record.Name)
			}
			return c.Record.State == s
		}
	}
	r := c.nextOf(rec)
	f.until(state(engine.Running))
	r.Report(text("half"))
	f.until(func(c engine.Change) bool { return read(c.Record.Metadata) == "half" })
	v.cancel(rec.Name)
	f.until(func(c engine.Change) bool { return !c.Record.CancelTime.IsZero() })
	r.end(succeed("response"))
	got := f.until(state(engine.Succeeded))
	v.wantSame("the last change", got.Record, v.wait(rec.Name))
}

func subscribeMerged(v *env) {
	f := v.subscribe(v.Context())
	c := v.work()
	rec := v.start(engine.Spec{})
	r := c.nextOf(rec)
	for range 50_000 {
		r.Report(text("x"))
	}
	r.end(succeed("response"))
	end := v.wait(rec.Name)
	got := f.until(func(c engine.Change) bool { return c.Record.State.Terminal() })
	v.wantSame("the last change", got.Record, end)
}

func subscribeDeleted(v *env) {
	rec := v.startDone(engine.Spec{})
	f := v.subscribe(v.Context())
	v.delete(rec.Name)
	c := f.until(func(c engine.Change) bool { return c.Deleted })
	v.wantSame("the change", c.Record, rec)
}

// subscribeDeletedRunning: what an attempt still does with an operation that was deleted
// is no change.
func subscribeDeletedRunning(v *env) {
	f := v.subscribe(v.Context())
	if v.DeleteNeedsEnd {
		v.Skip("declared: only operations that are done can be deleted")
	}
	c := v.work()
	rec := v.start(engine.Spec{})
	r := c.nextOf(rec)
	v.delete(rec.Name)
	f.until(func(c engine.Change) bool { return c.Deleted })
	for again := range 2 {
		r.Report(text("half"))
		if err := r.Save(v.Context(), []byte("half")); err != nil {
			v.Errorf("Save() = %v", err)
		}
		if again == 0 {
			r.end(engine.Outcome{Retry: true, Error: &status.Status{Code: int32(code.Code_UNAVAILABLE)}})
			r = c.nextOf(rec)
		}
	}
	r.end(succeed("response"))
	v.startDone(engine.Spec{Kind: "other"}) // whose changes come after
	f.until(func(c engine.Change) bool {
		if c.Record.Name == rec.Name {
			v.Errorf("change of %q after it was deleted: %+v", rec.Name, c)
		}
		return c.Record.State.Terminal()
	})
}

func subscribeContext(v *env) {
	ctx, cancel := context.WithCancel(v.Context())
	f := v.subscribe(ctx)
	cancel()
	_, err, ok := f.next()
	v.wantErr("end of the subscription", err, context.Canceled)
	if !ok {
		v.Error("the subscription ended without saying why")
	}
	if _, _, ok := f.next(); ok {
		v.Error("the subscription goes on after its error")
	}
}

func subscribeClosed(v *env) {
	f := v.subscribe(v.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err, _ := f.next()
		v.wantErr("end of the subscription", err, engine.ErrClosed)
	})
	if err := v.eng.Close(); err != nil {
		v.Errorf("Close() = %v", err)
	}
	wg.Wait()
}

func subscribeOnce(v *env) {
	s, ok := has[engine.Subscriber](v, v.Subscribe)
	if !ok {
		v.Skip("declared: no change feed")
	}
	changes := s.Subscribe(v.Context())
	v.start(engine.Spec{})
	for _, err := range changes {
		if err != nil {
			v.Errorf("first use of the iterator = %v", err)
		}
		break
	}
	for c, err := range changes {
		if err == nil {
			v.Errorf("second use of the iterator has %v, want an error", c)
		}
		break
	}
}

var statsTests = []test{{name: "counts", run: statsCounts}}

func statsCounts(v *env) {
	s, ok := has[engine.Statser](v, v.Stats)
	if !ok {
		v.Skip("declared: no counts")
	}
	want := make(map[string]map[engine.State]int64)
	check := func() {
		v.Helper()
		got, err := v.eng.(engine.Statser).Stats(v.Context())
		if err != nil {
			v.Fatalf("Stats() = %v", err)
		}
		if diff := cmp.Diff(want, got.Counts); diff != "" {
			v.Errorf("Stats() (-want +got):\n%s", diff)
		}
	}
	if _, err := s.Stats(canceled(v)); err == nil {
		v.Error("Stats(ended ctx) = nil, want an error")
	}
	check()
	v.startDone(engine.Spec{Kind: "a"})
	gone := v.startDone(engine.Spec{Kind: "a"})
	v.start(engine.Spec{Kind: "a", External: true})
	v.start(engine.Spec{Kind: "b"})
	cancelled := v.start(engine.Spec{Kind: "b"})
	want["a"] = map[engine.State]int64{engine.Succeeded: 2, engine.Running: 1}
	want["b"] = map[engine.State]int64{engine.Pending: 2}
	check()
	v.cancel(cancelled.Name)
	want["b"] = map[engine.State]int64{engine.Pending: 1, engine.Cancelled: 1}
	check()
	v.delete(gone.Name)
	want["a"][engine.Succeeded]--
	check()
	if !v.DeleteNeedsEnd {
		hidden := v.start(engine.Spec{Kind: "c"})
		v.delete(hidden.Name)
		check()
		c := v.work("c")
		c.nextOf(hidden).end(succeed(""))
		c.stop()
		check()
	}
	v.crash()
	check()
	v.reopen()
	check()
}

var historyTests = []test{
	{name: "is as declared", run: func(v *env) { has[engine.Historian](v, v.History) }},
	{name: "of a life", run: historyLife},
	{name: "of a cancelled one", run: historyCancelled},
	{name: "unknown", run: historyUnknown},
}

// event is an engine.Event without its time.
type event struct {
	Type    engine.EventType
	Attempt int
	Text    string
}

func (v *env) wantHistory(name string, want ...event) {
	v.Helper()
	h, ok := has[engine.Historian](v, v.History)
	if !ok {
		v.Skip("declared: no history")
	}
	events, err := h.History(v.Context(), name)
	if err != nil {
		v.Fatalf("History() = %v", err)
	}
	var got []event
	for i, e := range events {
		if e.Time.IsZero() || i > 0 && e.Time.Before(events[i-1].Time) {
			v.Errorf("time of event %d is %v, want them oldest first", i, e.Time)
		}
		got = append(got, event{e.Type, e.Attempt, e.Text})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		v.Errorf("History() (-want +got):\n%s", diff)
	}
}

func historyLife(v *env) {
	rec := v.start(engine.Spec{})
	want := []event{{engine.EventCreated, 0, ""}}
	v.wantHistory(rec.Name, want...)

	c := v.work()
	r := c.nextOf(rec)
	if err := r.Save(r.ctx, []byte("x")); err != nil {
		v.Errorf("Save() = %v", err)
	}
	want = append(want, event{engine.EventAttemptStarted, 1, ""}, event{engine.EventCheckpoint, 1, ""})
	v.wantHistory(rec.Name, want...)

	r.end(engine.Outcome{Error: failed(code.Code_UNAVAILABLE, "try again"), Retry: true})
	r = c.nextOf(rec)
	want = append(want, event{engine.EventAttemptRetry, 1, "try again"}, event{engine.EventAttemptStarted, 2, ""})
	v.wantHistory(rec.Name, want...)

	r.end(engine.Outcome{Release: true})
	c.nextOf(rec)
	want = append(want, event{engine.EventAttemptReleased, 2, ""}, event{engine.EventAttemptStarted, 3, ""})
	v.wantHistory(rec.Name, want...)

	v.crash()
	r = v.work().nextOf(rec)
	want = append(want, event{engine.EventAttemptCrashed, 3, ""}, event{engine.EventAttemptStarted, 4, ""})
	v.wantHistory(rec.Name, want...)

	v.cancel(rec.Name)
	r.end(engine.Outcome{Error: failed(code.Code_CANCELLED, "stopped")})
	v.wait(rec.Name)
	want = append(want, event{engine.EventCancelRequested, 4, ""}, event{engine.EventEnded, 4, "stopped"})
	v.wantHistory(rec.Name, want...)
	v.reopen()
	v.wantHistory(rec.Name, want...)
}

func historyCancelled(v *env) {
	rec := v.start(engine.Spec{})
	end := v.cancel(rec.Name)
	v.wantHistory(rec.Name, event{engine.EventCreated, 0, ""}, event{engine.EventCancelRequested, 0, ""},
		event{engine.EventEnded, 0, end.Error.GetMessage()})
}

func historyUnknown(v *env) {
	h, ok := has[engine.Historian](v, v.History)
	if !ok {
		v.Skip("declared: no history")
	}
	rec := v.start(engine.Spec{})
	for _, name := range badNames(rec.Name) {
		_, err := h.History(v.Context(), name)
		v.wantErr("History()", err, engine.ErrNotFound)
	}
	gone := v.startDone(engine.Spec{})
	v.delete(gone.Name)
	_, err := h.History(v.Context(), gone.Name)
	v.wantErr("History() of a deleted one", err, engine.ErrNotFound)
}
