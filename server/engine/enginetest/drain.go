package enginetest

import (
	"context"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"

	"github.com/go-lro/lro/server/engine"
)

var drainTests = []test{
	{name: "lets attempts finish", run: drainFinish, timed: true},
	{name: "ends them after the grace", run: drainGrace, timed: true},
	{name: "hands back", run: drainHandsBack},
	{name: "at most once", run: drainAtMostOnce},
	{name: "after cancel", run: drainCancelled},
	{name: "stops claiming", run: drainStopsClaiming},
}

func drainFinish(v *env) {
	rec := v.start(engine.Spec{})
	c := v.workAs(engine.Worker{Kinds: map[string]int{kind: 0}, Drain: 100 * time.Hour})
	r := c.nextOf(rec)
	c.cancel()
	if v.Bubble {
		<-time.After(99 * time.Hour)
	}
	if err := r.ctx.Err(); err != nil {
		v.Errorf("ctx ended within the grace: %v", context.Cause(r.ctx))
	}
	r.end(succeed("response"))
	v.wantState(v.wait(rec.Name), engine.Succeeded)
	c.stop()
}

func drainGrace(v *env) {
	rec := v.start(engine.Spec{})
	begin := time.Now()
	grace := v.delay()
	c := v.workAs(engine.Worker{Kinds: map[string]int{kind: 0}, Drain: grace})
	r := c.nextOf(rec)
	c.cancel()
	<-r.ctx.Done()
	v.wantErr("cause of the attempt's ctx", context.Cause(r.ctx), engine.ErrDraining)
	if took := time.Since(begin); took < grace {
		v.Errorf("ctx ended after %v, want a grace of %v", took, grace)
	}
	r.end(engine.Outcome{Release: true})
	c.stop()
	v.wantState(v.get(rec.Name), engine.Pending)
}

func drainHandsBack(v *env) {
	rec := v.start(engine.Spec{})
	c := v.work()
	r := c.nextOf(rec)
	r.Report(text("half"))
	c.cancel()
	<-r.ctx.Done()
	v.wantErr("cause of the attempt's ctx", context.Cause(r.ctx), engine.ErrDraining)
	if err := r.Save(v.Context(), []byte("checkpoint")); err != nil {
		v.Errorf("Save() while draining = %v", err)
	}
	r.end(engine.Outcome{Release: true})
	c.stop()
	got := v.get(rec.Name)
	v.wantState(got, engine.Pending)
	r = v.work().nextOf(rec)
	got = r.Record()
	if got.Attempt != 2 || got.Crashes != 0 || got.Releases != 1 || string(got.Checkpoint) != "checkpoint" || read(got.Metadata) != "half" {
		v.Errorf("attempt %d, crashes %d, releases %d, checkpoint %q, metadata %v; want 2, 0, 1 and what was saved",
			got.Attempt, got.Crashes, got.Releases, got.Checkpoint, got.Metadata)
	}
	r.end(succeed(""))
}

func drainAtMostOnce(v *env) {
	rec := v.start(engine.Spec{AtMostOnce: true})
	c := v.work()
	c.nextOf(rec)
	c.stop()
	v.wantFailed(v.wait(rec.Name), engine.Failed, code.Code_ABORTED)
}

func drainCancelled(v *env) {
	rec := v.start(engine.Spec{})
	c := v.work()
	c.nextOf(rec)
	v.cancel(rec.Name)
	c.stop()
	v.wantFailed(v.wait(rec.Name), engine.Cancelled, code.Code_CANCELLED)
}

func drainStopsClaiming(v *env) {
	c := v.workAs(engine.Worker{Kinds: map[string]int{kind: 0}, Drain: time.Hour})
	first := v.start(engine.Spec{})
	r := c.nextOf(first)
	c.cancel()
	// Another worker shows when Work has noticed: it gets what comes next.
	other := v.work()
	for {
		rec := v.start(engine.Spec{})
		select {
		case r := <-other.runs:
			r.end(succeed(""))
			v.wait(rec.Name)
		case r := <-c.runs:
			r.end(succeed(""))
			v.wait(rec.Name)
			continue
		}
		break
	}
	for range 5 {
		rec := v.start(engine.Spec{})
		other.nextOf(rec).end(succeed(""))
	}
	r.end(succeed(""))
	c.stop()
}
