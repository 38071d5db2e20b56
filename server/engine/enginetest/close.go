package enginetest

import (
	"context"
	"sync"

	"google.golang.org/genproto/googleapis/rpc/code"

	"github.com/go-lro/lro/server/engine"
)

var closeTests = []test{
	{name: "twice", run: closeTwice},
	{name: "refuses calls", run: closeRefuses},
	{name: "answers waiters", run: closeWaiters},
	{name: "ends work", run: closeEndsWork},
	{name: "keeps everything", run: closeKeeps},
	{name: "while busy", run: closeBusy},
}

func closeTwice(v *env) {
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if err := v.eng.Close(); err != nil {
				v.Errorf("Close() = %v", err)
			}
		})
	}
	wg.Wait()
	if err := v.eng.Close(); err != nil {
		v.Errorf("Close() again = %v", err)
	}
}

func closeRefuses(v *env) {
	rec := v.start(engine.Spec{External: true})
	if err := v.eng.Close(); err != nil {
		v.Fatalf("Close() = %v", err)
	}
	ctx := v.Context()
	calls := map[string]func() error{
		"Start":  func() error { _, err := v.eng.Start(ctx, engine.Spec{Kind: kind}); return err },
		"Get":    func() error { _, err := v.eng.Get(ctx, rec.Name); return err },
		"List":   func() error { _, err := v.eng.List(ctx, engine.Query{Limit: 1}); return err },
		"Cancel": func() error { _, err := v.eng.Cancel(ctx, rec.Name); return err },
		"Delete": func() error { return v.eng.Delete(ctx, rec.Name) },
		"Wait":   func() error { _, err := v.eng.Wait(ctx, rec.Name); return err },
		"Work": func() error {
			return v.eng.Work(ctx, engine.Worker{Run: func(context.Context, engine.Attempt) engine.Outcome { return succeed("") }})
		},
		"Report":    func() error { _, err := v.eng.Report(ctx, rec.Lease(), engine.Update{}); return err },
		"Heartbeat": func() error { _, err := v.eng.Heartbeat(ctx, rec.Lease()); return err },
		"Complete": func() error {
			_, err := v.eng.Complete(ctx, rec.Lease(), engine.Completion{Response: text("")})
			return err
		},
		"Fail": func() error {
			_, err := v.eng.Fail(ctx, rec.Lease(), engine.Failure{Error: failed(code.Code_INTERNAL, "")})
			return err
		},
	}
	if s, ok := v.eng.(engine.Statser); ok {
		calls["Stats"] = func() error { _, err := s.Stats(ctx); return err }
	}
	if c, ok := v.eng.(engine.Checker); ok {
		calls["Check"] = func() error { return c.Check(ctx) }
	}
	if h, ok := v.eng.(engine.Historian); ok {
		calls["History"] = func() error { _, err := h.History(ctx, rec.Name); return err }
	}
	if s, ok := v.eng.(engine.Subscriber); ok {
		calls["Subscribe"] = func() error {
			for _, err := range s.Subscribe(ctx) {
				return err
			}
			return nil
		}
	}
	for name, call := range calls {
		v.wantErr(name+" after Close", call(), engine.ErrClosed)
	}
}

func closeWaiters(v *env) {
	rec := v.start(engine.Spec{})
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			_, err := v.eng.Wait(v.Context(), rec.Name)
			v.wantErr("Wait() when the engine closes", err, engine.ErrClosed)
		})
	}
	if err := v.eng.Close(); err != nil {
		v.Errorf("Close() = %v", err)
	}
	wg.Wait()
}

func closeEndsWork(v *env) {
	c := v.work()
	rec := v.start(engine.Spec{})
	r := c.nextOf(rec)
	go func() {
		<-r.ctx.Done()
		v.wantErr("cause of the attempt's ctx", context.Cause(r.ctx), engine.ErrDraining)
		if err := r.Save(v.Context(), []byte("last")); err != nil {
			v.Errorf("Save() while the engine closes = %v", err)
		}
		r.end(engine.Outcome{Release: true})
	}()
	v.reopen()
	if err := <-c.done; err != nil {
		v.Errorf("Work() = %v when the engine closes, want nil", err)
	}
	c.done <- nil
	got := v.get(rec.Name)
	v.wantState(got, engine.Pending)
	if got.Crashes != 0 || got.Releases != 1 || string(got.Checkpoint) != "last" {
		v.Errorf("crashes %d, releases %d, checkpoint %q; want 0, 1 and what was saved", got.Crashes, got.Releases, got.Checkpoint)
	}
}

func closeKeeps(v *env) {
	var want []*engine.Record
	life(v, func(r *engine.Record) { want = []*engine.Record{r} })
	want = append(want, v.start(engine.Spec{Kind: "other"}), v.startDone(engine.Spec{}))
	v.reopen()
	for _, rec := range want {
		v.wantSame("Get() after Close", v.get(rec.Name), rec)
	}
}

func closeBusy(v *env) {
	eng := v.eng
	var mu sync.Mutex
	var started []string
	var wg sync.WaitGroup
	first := make(chan struct{}, 8)
	for range 8 {
		wg.Go(func() {
			for {
				rec, err := eng.Start(v.Context(), engine.Spec{Kind: kind, Parent: parent})
				if err != nil {
					v.wantErr("Start() while the engine closes", err, engine.ErrClosed)
					return
				}
				mu.Lock()
				started = append(started, rec.Name)
				mu.Unlock()
				select {
				case first <- struct{}{}:
				default:
				}
			}
		})
	}
	<-first
	v.reopen()
	wg.Wait()
	for _, name := range started {
		v.wantState(v.get(name), engine.Pending)
	}
}
