package enginetest

import (
	"context"
	"fmt"

	"google.golang.org/genproto/googleapis/rpc/code"

	"github.com/go-lro/lro/server/engine"
)

var crashTests = []test{
	{name: "pending stays", run: crashPending},
	{name: "running runs again", run: crashRunning},
	{name: "limit", run: crashLimit},
	{name: "default limit lets others run", run: crashDefaultLimit},
	{name: "at most once", run: crashAtMostOnce},
	{name: "after cancel", run: crashCancelled},
	{name: "order is kept", run: crashOrder},
	{name: "kind that is gone", run: crashKindGone},
	{name: "external goes on", run: crashExternal},
}

func crashPending(v *env) {
	rec := v.start(engine.Spec{})
	v.crash()
	v.wantSame("Get()", v.get(rec.Name), rec)
	r := v.work().nextOf(rec)
	if got := r.Record(); got.Attempt != 1 || got.Crashes != 0 {
		v.Errorf("attempt %d, crashes %d; want 1 and 0: it had not begun", got.Attempt, got.Crashes)
	}
	r.end(succeed(""))
	v.wait(rec.Name)
}

func crashRunning(v *env) {
	rec := v.start(engine.Spec{Request: text("request")})
	first := v.work().nextOf(rec).Record()
	v.crash()
	got := v.get(rec.Name)
	v.wantState(got, engine.Pending)
	if got.Crashes != 1 || got.Revision <= first.Revision || !got.StartTime.Equal(first.StartTime) {
		v.Errorf("crashes %d, revision %d, started %v; want 1, over %d, %v", got.Crashes, got.Revision, got.StartTime, first.Revision, first.StartTime)
	}
	r := v.work().nextOf(rec)
	if got := r.Record(); got.Attempt != 2 || got.Fence <= first.Fence {
		v.Errorf("attempt %d, fence %d; want attempt 2 with a fence over %d", got.Attempt, got.Fence, first.Fence)
	}
	r.end(succeed("response"))
	v.wantState(v.wait(rec.Name), engine.Succeeded)
}

func crashLimit(v *env) {
	rec := v.start(engine.Spec{CrashLimit: 2})
	v.work().nextOf(rec)
	v.crash()
	v.work().nextOf(rec)
	v.crash()
	got := v.wait(rec.Name)
	v.wantFailed(got, engine.Failed, code.Code_ABORTED)
	if got.Crashes != 2 || got.Attempt != 2 {
		v.Errorf("crashes %d, attempt %d; want 2 and 2", got.Crashes, got.Attempt)
	}
}

func crashDefaultLimit(v *env) {
	bad := v.start(engine.Spec{})
	for range engine.DefaultCrashLimit {
		v.work().nextOf(bad)
		v.crash()
	}
	v.wantFailed(v.wait(bad.Name), engine.Failed, code.Code_ABORTED)
	good := v.start(engine.Spec{})
	v.work().nextOf(good).end(succeed(""))
	v.wantState(v.wait(good.Name), engine.Succeeded)
}

func crashAtMostOnce(v *env) {
	rec, other := v.start(engine.Spec{AtMostOnce: true}), v.start(engine.Spec{AtMostOnce: true})
	c := v.workAs(engine.Worker{Kinds: map[string]int{kind: 1}})
	if got := c.next().Record().Name; v.LooseOrder && got == other.Name {
		rec, other = other, rec
	} else if got != rec.Name {
		v.Fatalf("attempt of %q, want %q", got, rec.Name)
	}
	v.crash()
	v.wantFailed(v.wait(rec.Name), engine.Failed, code.Code_ABORTED)
	// One that had not begun is not harmed.
	v.work().nextOf(other).end(succeed(""))
	v.wantState(v.wait(other.Name), engine.Succeeded)
}

func crashCancelled(v *env) {
	rec := v.start(engine.Spec{})
	v.work().nextOf(rec)
	v.cancel(rec.Name)
	v.crash()
	v.wantFailed(v.wait(rec.Name), engine.Cancelled, code.Code_CANCELLED)
}

func crashOrder(v *env) {
	var recs []*engine.Record
	for range 4 {
		recs = append(recs, v.start(engine.Spec{}))
	}
	c := v.workAs(engine.Worker{Kinds: map[string]int{kind: 0}, Concurrency: 2})
	c.next()
	c.next()
	v.crash()
	v.workAs(engine.Worker{Kinds: map[string]int{kind: 0}, Concurrency: 1}).runAll(recs)
}

func crashKindGone(v *env) {
	gone := v.start(engine.Spec{Kind: "gone"})
	v.work("gone").nextOf(gone)
	v.crash()
	c := v.work("other")
	rec := v.start(engine.Spec{Kind: "other"})
	c.nextOf(rec).end(succeed(""))
	v.wait(rec.Name)
	v.wantState(v.get(gone.Name), engine.Pending)
	v.wantNames(engine.Query{Parent: parent}, rec.Name, gone.Name)
}

func crashExternal(v *env) {
	rec := v.start(engine.Spec{External: true})
	v.crash()
	got := v.get(rec.Name)
	if got.State != engine.Running || got.Crashes != 0 || got.Fence != rec.Fence {
		v.Errorf("state %v, crashes %d, fence %d; want it untouched", got.State, got.Crashes, got.Fence)
	}
	end, err := v.eng.Complete(v.Context(), rec.Lease(), engine.Completion{Response: text("response")})
	if err != nil {
		v.Fatalf("Complete() with the lease of before the crash = %v", err)
	}
	v.wantSame("Get()", v.get(rec.Name), end)
}

var fenceTests = []test{
	{name: "old attempt after another was claimed", run: fenceOldAttempt},
	{name: "attempt whose operation was ended", run: fenceEnded},
	{name: "old lease", run: fenceOldLease},
}

func fenceOldAttempt(v *env) {
	rec := v.start(engine.Spec{})
	c := v.work()
	old := c.nextOf(rec)
	lease := old.Record().Lease()
	old.end(engine.Outcome{Error: failed(code.Code_UNAVAILABLE, ""), Retry: true})
	r := c.nextOf(rec)
	want := v.get(rec.Name)
	v.wantErr("Save() of the old attempt", old.Save(v.Context(), []byte("late")), engine.ErrFenced)
	old.Report(text("late"))
	v.wantLeaseRefused(lease)
	v.wantSame("Get()", v.get(rec.Name), want)
	if r.ctx.Err() != nil {
		v.Errorf("ctx of the new attempt ended: %v", context.Cause(r.ctx))
	}
	r.end(succeed("response"))
	end := v.wait(rec.Name)
	v.wantLeaseRefused(lease)
	v.wantSame("Get() after the end", v.get(rec.Name), end)
}

// wantLeaseRefused checks that a lease gives no right to write.
func (v *env) wantLeaseRefused(l engine.Lease) {
	v.Helper()
	_, err := v.eng.Report(v.Context(), l, engine.Update{Metadata: text("late")})
	v.wantErr("Report()", err, engine.ErrFenced)
	_, err = v.eng.Heartbeat(v.Context(), l)
	v.wantErr("Heartbeat()", err, engine.ErrFenced)
	_, err = v.eng.Complete(v.Context(), l, engine.Completion{Response: text("late")})
	v.wantErr("Complete()", err, engine.ErrFenced)
	_, err = v.eng.Fail(v.Context(), l, engine.Failure{Error: failed(code.Code_INTERNAL, "late")})
	v.wantErr("Fail()", err, engine.ErrFenced)
}

func fenceEnded(v *env) {
	rec := v.start(engine.Spec{})
	c := v.work()
	r := c.nextOf(rec)
	r.Report(text("in time"))
	end, err := v.eng.Complete(v.Context(), r.Record().Lease(), engine.Completion{Response: text("by lease")})
	if err != nil {
		v.Fatalf("Complete() = %v", err)
	}
	<-r.ctx.Done()
	v.wantErr("cause of the attempt's ctx", context.Cause(r.ctx), engine.ErrLeaseLost)
	r.Report(text("late"))
	v.wantErr("Save()", r.Save(v.Context(), []byte("late")), engine.ErrFenced)
	r.end(engine.Outcome{Error: failed(code.Code_INTERNAL, "late")})
	c.stop()
	v.wantSame("Get()", v.get(rec.Name), end)
	if read(end.Metadata) != "in time" || read(end.Response) != "by lease" {
		v.Errorf("metadata %v, response %v; want those of before the end", end.Metadata, end.Response)
	}
}

func fenceOldLease(v *env) {
	rec := v.start(engine.Spec{External: true})
	for _, l := range []engine.Lease{
		{Name: rec.Name, Fence: rec.Fence + 1},
		{Name: rec.Name, Fence: rec.Fence - 1},
		{Name: rec.Name, Fence: -1},
		{Name: rec.Name},
	} {
		if l != rec.Lease() {
			v.wantLeaseRefused(l)
		}
	}
	v.wantSame("Get()", v.get(rec.Name), rec)
	for _, name := range badNames(rec.Name) {
		l := engine.Lease{Name: name, Fence: rec.Fence}
		_, err := v.eng.Report(v.Context(), l, engine.Update{Metadata: text("late")})
		v.wantErr(fmt.Sprintf("Report(%.80q)", name), err, engine.ErrNotFound)
		_, err = v.eng.Heartbeat(v.Context(), l)
		v.wantErr(fmt.Sprintf("Heartbeat(%.80q)", name), err, engine.ErrNotFound)
		_, err = v.eng.Complete(v.Context(), l, engine.Completion{Response: text("late")})
		v.wantErr(fmt.Sprintf("Complete(%.80q)", name), err, engine.ErrNotFound)
		_, err = v.eng.Fail(v.Context(), l, engine.Failure{Error: failed(code.Code_INTERNAL, "")})
		v.wantErr(fmt.Sprintf("Fail(%.80q)", name), err, engine.ErrNotFound)
	}
}
