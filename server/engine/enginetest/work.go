package enginetest

import (
	"context"
	"sync"
	"time"

	"github.com/go-lro/lro/server/engine"
)

var workTests = []test{
	{name: "oldest first", run: workOrder},
	{name: "idle is woken by start", run: workIdle},
	{name: "only its kinds", run: workKinds},
	{name: "concurrency", run: workConcurrency},
	{name: "concurrency of a kind", run: workKindConcurrency},
	{name: "several at once", run: workSeveral},
	{name: "runs each once", run: workOnce},
	{name: "values of ctx", run: workValues},
	{name: "invalid", run: workInvalid},
}

func workOrder(v *env) {
	var recs []*engine.Record
	for i := range 6 {
		recs = append(recs, v.start(engine.Spec{Kind: []string{"a", "b"}[i%2], Parent: []string{"x", "y", "z"}[i%3]}))
	}
	c := v.workAs(engine.Worker{Kinds: map[string]int{"a": 0, "b": 0}, Concurrency: 1})
	c.runAll(recs)
}

// runAll runs operations to their end, oldest first where the engine does.
func (c *crew) runAll(recs []*engine.Record) {
	c.v.Helper()
	if !c.v.LooseOrder {
		for _, rec := range recs {
			c.nextOf(rec).end(succeed(""))
		}
		return
	}
	got := make(map[string]bool)
	for range recs {
		r := c.next()
		got[r.Record().Name] = true
		r.end(succeed(""))
	}
	for _, rec := range recs {
		if !got[rec.Name] {
			c.v.Errorf("%q did not run among the first %d attempts", rec.Name, len(recs))
		}
	}
}

func workIdle(v *env) {
	c := v.work()
	for range 5 {
		rec := v.start(engine.Spec{})
		c.nextOf(rec).end(succeed(""))
		v.wait(rec.Name)
	}
}

func workKinds(v *env) {
	other := v.start(engine.Spec{Kind: "other"})
	mine := v.start(engine.Spec{})
	c := v.work()
	c.nextOf(mine).end(succeed(""))
	v.wait(mine.Name)
	v.wantSame("an operation of another kind", v.get(other.Name), other)
	v.reopen()
	v.wantState(v.get(other.Name), engine.Pending)
	v.work("other").nextOf(other).end(succeed(""))
	v.wait(other.Name)
}

// wantIdle checks that c has begun all it may: an operation of another kind,
// which its own worker ran from start to end, came and went since.
func (c *crew) wantIdle() {
	c.v.Helper()
	probe := c.v.work("probe")
	rec := c.v.start(engine.Spec{Kind: "probe"})
	probe.nextOf(rec).end(succeed(""))
	c.v.wait(rec.Name)
	probe.stop()
	select {
	case r := <-c.runs:
		c.v.Errorf("attempt of %q, want none over the limit", r.Record().Name)
	default:
	}
}

func workConcurrency(v *env) {
	v.startN(5, engine.Spec{})
	c := v.workAs(engine.Worker{Kinds: map[string]int{kind: 0}, Concurrency: 2})
	first, second := c.next(), c.next()
	c.wantIdle()
	second.end(succeed(""))
	third := c.next()
	c.wantIdle()
	first.end(succeed(""))
	third.end(succeed(""))
	c.next().end(succeed(""))
	c.next().end(succeed(""))
}

func workKindConcurrency(v *env) {
	v.startN(3, engine.Spec{Kind: "narrow"})
	wide := v.startN(3, engine.Spec{Kind: "wide"})
	c := v.workAs(engine.Worker{Kinds: map[string]int{"narrow": 1, "wide": 0}})
	runs := make(map[string]*run)
	for range 1 + len(wide) {
		r := c.next()
		runs[r.Record().Name] = r
	}
	c.wantIdle()
	var narrow *run
	for _, r := range runs {
		if r.Record().Kind == "narrow" {
			narrow = r
		}
	}
	if narrow == nil {
		v.Fatal("no attempt of the narrow kind, want one")
	}
	narrow.end(succeed(""))
	if r := c.next(); r.Record().Kind != "narrow" {
		v.Errorf("attempt of kind %q, want the narrow one", r.Record().Kind)
	}
}

func workSeveral(v *env) {
	crews := []*crew{
		v.workAs(engine.Worker{Kinds: map[string]int{kind: 0}, Concurrency: 1}),
		v.workAs(engine.Worker{Kinds: map[string]int{kind: 0}, Concurrency: 1}),
	}
	a, b := v.start(engine.Spec{}), v.start(engine.Spec{})
	r1, r2 := crews[0].next(), crews[1].next()
	got := map[string]bool{r1.Record().Name: true, r2.Record().Name: true}
	if !got[a.Name] || !got[b.Name] {
		v.Errorf("two workers run %v, want %q and %q", got, a.Name, b.Name)
	}
	r1.end(succeed(""))
	r2.end(succeed(""))
}

func workOnce(v *env) {
	const n = 60
	var mu sync.Mutex
	runs := make(map[string]int)
	ctx, cancel := context.WithCancel(v.Context())
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			err := v.eng.Work(ctx, engine.Worker{Kinds: map[string]int{kind: 0}, Concurrency: 4,
				Run: func(_ context.Context, a engine.Attempt) engine.Outcome {
					mu.Lock()
					defer mu.Unlock()
					runs[a.Record().Name]++
					return succeed("")
				}})
			if err != nil {
				v.Errorf("Work() = %v", err)
			}
		})
	}
	var callers sync.WaitGroup
	for range 2 * n {
		callers.Go(func() {
			rec, err := v.eng.Start(v.Context(), engine.Spec{Kind: kind, Parent: parent})
			if err == nil {
				_, err = v.eng.Wait(v.Context(), rec.Name)
			}
			if err != nil {
				v.Errorf("Start() and Wait() = %v", err)
			}
		})
	}
	callers.Wait()
	cancel()
	wg.Wait()
	if len(runs) != 2*n {
		v.Errorf("%d operations ran, want %d", len(runs), 2*n)
	}
	for name, got := range runs {
		if got != 1 {
			v.Errorf("%q ran %d times, want once", name, got)
		}
	}
}

type ctxKey struct{}

func workValues(v *env) {
	rec := v.start(engine.Spec{})
	ctx, cancel := context.WithCancel(context.WithValue(v.Context(), ctxKey{}, "value"))
	got := make(chan any, 1)
	done := make(chan error, 1)
	go func() {
		done <- v.eng.Work(ctx, engine.Worker{Kinds: map[string]int{kind: 0},
			Run: func(ctx context.Context, _ engine.Attempt) engine.Outcome {
				got <- ctx.Value(ctxKey{})
				return succeed("")
			}})
	}()
	if got := <-got; got != "value" {
		v.Errorf("ctx of the attempt has %v, want the value of Work's ctx", got)
	}
	v.wait(rec.Name)
	cancel()
	if err := <-done; err != nil {
		v.Errorf("Work() = %v, want nil", err)
	}
}

func workInvalid(v *env) {
	err := v.eng.Work(v.Context(), engine.Worker{Kinds: map[string]int{kind: 0}})
	v.wantErr("Work without Run", err, engine.ErrInvalid)
}

var attemptTests = []test{
	{name: "record", run: attemptRecord},
	{name: "report is shown at once", run: attemptReport},
	{name: "report does nothing after the end", run: attemptLateReport},
	{name: "save is durable", run: attemptSave},
	{name: "save keeps its own bytes", run: attemptSaveCopies},
	{name: "save with an ended ctx", run: attemptSaveContext},
	{name: "progress survives close", run: attemptProgressClose},
	{name: "progress is persisted by itself", run: attemptPersisted, timed: true},
	{name: "many at once", run: attemptMany},
}

func attemptRecord(v *env) {
	rec := v.start(engine.Spec{Request: text("request"), Metadata: text("metadata"), Trace: map[string]string{"a": "b"}})
	r := v.work().nextOf(rec)
	want := copyRecord(rec)
	got := r.Record()
	want.State, want.Attempt = engine.Running, 1
	want.Revision, want.Fence, want.StartTime, want.UpdateTime = got.Revision, got.Fence, got.StartTime, got.UpdateTime
	v.wantSame("Record()", got, want)
	if got.Fence <= rec.Fence || got.StartTime.IsZero() {
		v.Errorf("fence %d, StartTime %v; want a new fence and a time", got.Fence, got.StartTime)
	}
	v.wantSame("Get()", v.get(rec.Name), got)
	r.Report(text("later"))
	v.wantSame("Record() after a report", r.Record(), want)
}

func attemptReport(v *env) {
	rec := v.start(engine.Spec{Metadata: text("first")})
	r := v.work().nextOf(rec)
	for _, want := range []string{"1", "2", "3"} {
		r.Report(text(want))
		if got := read(v.get(rec.Name).Metadata); got != want {
			v.Errorf("metadata is %q, want %q at once", got, want)
		}
	}
	r.Report(nil)
	if got := read(v.get(rec.Name).Metadata); got != "3" {
		v.Errorf("metadata is %q after a report of nothing, want %q", got, "3")
	}
	r.end(succeed(""))
	if got := read(v.wait(rec.Name).Metadata); got != "3" {
		v.Errorf("metadata is %q after the end, want the last reported", got)
	}
}

func attemptLateReport(v *env) {
	rec := v.start(engine.Spec{})
	r := v.work().nextOf(rec)
	r.Report(text("in time"))
	r.end(succeed(""))
	want := v.wait(rec.Name)
	r.Report(text("late"))
	v.wantErr("Save() after the end", r.Save(v.Context(), []byte("late")), engine.ErrFenced)
	v.wantSame("Get()", v.get(rec.Name), want)
	v.reopen()
	v.wantSame("Get() after Close", v.get(rec.Name), want)
}

func attemptSave(v *env) {
	rec := v.start(engine.Spec{})
	r := v.work().nextOf(rec)
	if cp := r.Record().Checkpoint; cp != nil {
		v.Errorf("checkpoint is %q, want nil", cp)
	}
	for _, s := range []string{"one", "two"} {
		r.Report(text("metadata " + s))
		if err := r.Save(r.ctx, []byte(s)); err != nil {
			v.Fatalf("Save() = %v", err)
		}
		if got := string(v.get(rec.Name).Checkpoint); got != s {
			v.Errorf("checkpoint is %q, want %q", got, s)
		}
	}
	v.crash()
	r = v.work().nextOf(rec)
	got := r.Record()
	if string(got.Checkpoint) != "two" || read(got.Metadata) != "metadata two" || got.Attempt != 2 || got.Crashes != 1 {
		v.Errorf("checkpoint %q, metadata %v, attempt %d, crashes %d; want those saved last, attempt 2 after 1 crash",
			got.Checkpoint, got.Metadata, got.Attempt, got.Crashes)
	}
	r.end(succeed(""))
	if got := string(v.wait(rec.Name).Checkpoint); got != "two" {
		v.Errorf("checkpoint is %q after the end, want %q", got, "two")
	}
}

func attemptSaveCopies(v *env) {
	rec := v.start(engine.Spec{})
	r := v.work().nextOf(rec)
	b := []byte("mine")
	if err := r.Save(r.ctx, b); err != nil {
		v.Fatalf("Save() = %v", err)
	}
	copy(b, "YOUR")
	if got := string(v.get(rec.Name).Checkpoint); got != "mine" {
		v.Errorf("checkpoint is %q after the caller changed its bytes, want %q", got, "mine")
	}
	if err := r.Save(r.ctx, nil); err != nil {
		v.Fatalf("Save(nil) = %v", err)
	}
	v.crash()
	if got := v.get(rec.Name).Checkpoint; got == nil || len(got) != 0 {
		v.Errorf("checkpoint is %#v, want it empty, and not nil as when none was saved", got)
	}
}

func attemptSaveContext(v *env) {
	rec := v.start(engine.Spec{})
	r := v.work().nextOf(rec)
	v.wantErr("Save(ended ctx)", r.Save(canceled(v), []byte("x")), context.Canceled)
}

func attemptProgressClose(v *env) {
	rec := v.start(engine.Spec{})
	c := v.workAs(engine.Worker{Kinds: map[string]int{kind: 0}})
	r := c.nextOf(rec)
	r.Report(text("half"))
	go func() {
		<-r.ctx.Done()
		r.end(engine.Outcome{Release: true})
	}()
	v.reopen()
	got := v.get(rec.Name)
	if read(got.Metadata) != "half" || got.State != engine.Pending {
		v.Errorf("metadata %v, state %v after Close; want the last report, PENDING", got.Metadata, got.State)
	}
}

func attemptPersisted(v *env) {
	rec := v.start(engine.Spec{})
	r := v.work().nextOf(rec)
	r.Report(text("early"))
	// Twice what an engine may take.
	<-time.After(time.Second)
	r.Report(text("too late to be sure"))
	v.crash()
	if got := read(v.get(rec.Name).Metadata); got == "" {
		v.Errorf("metadata is %q after a crash a second after the report, want it", got)
	}
}

func attemptMany(v *env) {
	rec := v.start(engine.Spec{})
	r := v.work().nextOf(rec)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				r.Report(text("x"))
			}
		})
		wg.Go(func() {
			for range 5 {
				if err := r.Save(r.ctx, []byte("checkpoint")); err != nil {
					v.Errorf("Save() = %v", err)
				}
			}
		})
		wg.Go(func() {
			for range 50 {
				v.wantState(v.get(rec.Name), engine.Running)
			}
		})
	}
	wg.Wait()
	r.end(succeed(""))
	end := v.wait(rec.Name)
	if read(end.Metadata) != "x" || string(end.Checkpoint) != "checkpoint" {
		v.Errorf("metadata %v, checkpoint %q; want what was reported and saved", end.Metadata, end.Checkpoint)
	}
}
