package enginetest

import (
	"context"
	"errors"
	"sync"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"

	"github.com/go-lro/lro/server/engine"
)

var cancelTests = []test{
	{name: "pending", run: cancelPending},
	{name: "running", run: cancelRunning},
	{name: "running, which succeeds all the same", run: cancelTooLate},
	{name: "twice", run: cancelTwice},
	{name: "ended", run: cancelEnded},
	{name: "external", run: cancelExternal},
	{name: "while it waits for a retry", run: cancelWaiting, timed: true},
	{name: "survives crash", run: cancelSurvives},
}

func cancelPending(v *env) {
	rec := v.start(engine.Spec{})
	got := v.cancel(rec.Name)
	v.wantFailed(got, engine.Cancelled, code.Code_CANCELLED)
	if got.CancelTime.IsZero() || got.EndTime.IsZero() || got.Attempt != 0 {
		v.Errorf("CancelTime %v, EndTime %v, attempt %d; want both times and no attempt", got.CancelTime, got.EndTime, got.Attempt)
	}
	v.wantSame("Wait()", v.wait(rec.Name), got)
	// It is not run.
	c := v.work()
	other := v.start(engine.Spec{})
	c.nextOf(other).end(succeed(""))
	v.wantSame("Get()", v.get(rec.Name), got)
}

func cancelRunning(v *env) {
	c := v.work()
	rec := v.start(engine.Spec{})
	r := c.nextOf(rec)
	got := v.cancel(rec.Name)
	v.wantState(got, engine.Running)
	if got.CancelTime.IsZero() {
		v.Error("CancelTime is zero after Cancel")
	}
	<-r.ctx.Done()
	v.wantErr("cause of the attempt's ctx", context.Cause(r.ctx), engine.ErrCancelRequested)
	// Its ctx has ended, its right to write has not.
	r.Report(text("cleaning up"))
	if err := r.Save(v.Context(), []byte("x")); err != nil {
		v.Errorf("Save() after cancel = %v", err)
	}
	r.end(engine.Outcome{Error: failed(code.Code_CANCELLED, "as you wish")})
	end := v.wait(rec.Name)
	v.wantFailed(end, engine.Cancelled, code.Code_CANCELLED)
	if end.Error.GetMessage() != "as you wish" || read(end.Metadata) != "cleaning up" {
		v.Errorf("error %v, metadata %v; want those of the attempt", end.Error, end.Metadata)
	}
}

func cancelTooLate(v *env) {
	c := v.work()
	rec := v.start(engine.Spec{})
	r := c.nextOf(rec)
	v.cancel(rec.Name)
	r.end(succeed("response"))
	end := v.wait(rec.Name)
	v.wantState(end, engine.Succeeded)
	if read(end.Response) != "response" || end.CancelTime.IsZero() {
		v.Errorf("response %v, CancelTime %v; want both", end.Response, end.CancelTime)
	}
}

func cancelTwice(v *env) {
	c := v.work()
	rec := v.start(engine.Spec{})
	r := c.nextOf(rec)
	first := v.cancel(rec.Name)
	v.wantSame("second Cancel()", v.cancel(rec.Name), first)
	r.end(succeed(""))
}

func cancelEnded(v *env) {
	done := v.startDone(engine.Spec{})
	v.wantSame("Cancel() of a succeeded one", v.cancel(done.Name), done)
	rec := v.start(engine.Spec{})
	cancelled := v.cancel(rec.Name)
	v.wantSame("Cancel() of a cancelled one", v.cancel(rec.Name), cancelled)
}

func cancelExternal(v *env) {
	rec := v.start(engine.Spec{External: true})
	v.wantState(v.cancel(rec.Name), engine.Running)
	got, err := v.eng.Heartbeat(v.Context(), rec.Lease())
	if err != nil || got.CancelTime.IsZero() {
		v.Errorf("Heartbeat() = %v, %v; want a record that tells of the cancel", got, err)
	}
	got, err = v.eng.Fail(v.Context(), rec.Lease(), engine.Failure{Error: failed(code.Code_CANCELLED, "")})
	if err != nil {
		v.Fatalf("Fail() = %v", err)
	}
	v.wantFailed(got, engine.Cancelled, code.Code_CANCELLED)
}

func cancelWaiting(v *env) {
	c := v.work()
	rec := v.start(engine.Spec{})
	c.nextOf(rec).end(engine.Outcome{Error: failed(code.Code_UNAVAILABLE, ""), Retry: true, RetryAfter: 1000 * time.Hour})
	c.stop()
	v.wantState(v.get(rec.Name), engine.Pending)
	v.wantFailed(v.cancel(rec.Name), engine.Cancelled, code.Code_CANCELLED)
}

func cancelSurvives(v *env) {
	rec := v.start(engine.Spec{})
	want := v.cancel(rec.Name)
	v.crash()
	v.wantSame("Get() after a crash", v.get(rec.Name), want)
}

var deleteTests = []test{
	{name: "ended", run: deleteEnded},
	{name: "pending", run: deletePending},
	{name: "running", run: deleteRunning},
	{name: "answers waiters", run: deleteWaiters},
	{name: "survives crash", run: deleteSurvives},
	{name: "running, then crash", run: deleteThenCrash},
}

// wantGone checks that an operation cannot be found.
func (v *env) wantGone(name string) {
	v.Helper()
	_, err := v.eng.Get(v.Context(), name)
	v.wantErr("Get()", err, engine.ErrNotFound)
	_, err = v.eng.Wait(v.Context(), name)
	v.wantErr("Wait()", err, engine.ErrNotFound)
	_, err = v.eng.Cancel(v.Context(), name)
	v.wantErr("Cancel()", err, engine.ErrNotFound)
	v.wantErr("Delete()", v.eng.Delete(v.Context(), name), engine.ErrNotFound)
	v.wantNames(engine.Query{AnyParent: true})
	v.wantNames(engine.Query{Parent: parent})
	v.wantNames(engine.Query{Parent: parent, Where: engine.Where{Done: new(false)}})
}

func deleteEnded(v *env) {
	rec := v.startDone(engine.Spec{})
	v.delete(rec.Name)
	v.wantGone(rec.Name)
}

// deleteActive deletes an operation that has not ended. It reports false where
// the engine refuses that.
func (v *env) deleteActive(rec *engine.Record) bool {
	v.Helper()
	if !v.DeleteNeedsEnd {
		v.delete(rec.Name)
		v.wantGone(rec.Name)
		return true
	}
	want := v.get(rec.Name)
	v.wantErr("Delete()", v.eng.Delete(v.Context(), rec.Name), engine.ErrNotTerminal)
	v.wantSame("Get() after it", v.get(rec.Name), want)
	return false
}

func deletePending(v *env) {
	rec := v.start(engine.Spec{})
	if !v.deleteActive(rec) {
		return
	}
	// It was not cancelled.
	c := v.work()
	c.nextOf(rec).end(succeed(""))
	other := v.start(engine.Spec{})
	c.nextOf(other).end(succeed(""))
	v.wait(other.Name)
	v.delete(other.Name)
	v.wantGone(rec.Name)
}

func deleteRunning(v *env) {
	c := v.work()
	rec := v.start(engine.Spec{RequestID: "id"})
	r := c.nextOf(rec)
	if !v.deleteActive(rec) {
		r.end(succeed(""))
		v.wait(rec.Name)
		v.delete(rec.Name)
		v.wantGone(rec.Name)
		return
	}
	r.Report(text("still here"))
	if err := r.Save(r.ctx, []byte("x")); err != nil {
		v.Errorf("Save() after Delete = %v", err)
	}
	if err := r.ctx.Err(); err != nil {
		v.Errorf("ctx of the attempt ended with %v, want it to go on", context.Cause(r.ctx))
	}
	v.wantGone(rec.Name)
	r.end(succeed(""))
	c.stop()
	v.wantGone(rec.Name)
	v.reopen()
	v.wantGone(rec.Name)
}

func deleteWaiters(v *env) {
	rec := v.start(engine.Spec{})
	if v.DeleteNeedsEnd {
		v.Skip("declared: only operations that are done can be deleted, and no caller waits for those")
	}
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			_, err := v.eng.Wait(v.Context(), rec.Name)
			v.wantErr("Wait() of a deleted operation", err, engine.ErrNotFound)
		})
	}
	v.delete(rec.Name)
	wg.Wait()
}

func deleteSurvives(v *env) {
	rec := v.startDone(engine.Spec{})
	v.delete(rec.Name)
	v.crash()
	v.wantGone(rec.Name)
}

func deleteThenCrash(v *env) {
	if v.DeleteNeedsEnd {
		v.Skip("declared: only operations that are done can be deleted")
	}
	c := v.work()
	rec := v.start(engine.Spec{})
	c.nextOf(rec)
	v.delete(rec.Name)
	v.crash()
	v.wantGone(rec.Name)
	// Deleting is not cancelling: it runs again.
	c = v.work()
	c.nextOf(rec).end(succeed(""))
	c.stop()
	v.wantGone(rec.Name)
	v.reopen()
	v.wantGone(rec.Name)
}

var waitTests = []test{
	{name: "ended", run: waitEnded},
	{name: "is woken by the end", run: waitWoken},
	{name: "many", run: waitMany},
	{name: "returns the latest state with the ctx", run: waitContext},
	{name: "until a deadline", run: waitDeadline, timed: true},
	{name: "ended ctx", run: waitEndedContext},
	{name: "goes through retries", run: waitRetries},
}

func waitEnded(v *env) {
	rec := v.startDone(engine.Spec{})
	v.wantSame("Wait()", v.wait(rec.Name), rec)
	got, err := v.eng.Wait(canceled(v), rec.Name)
	if err != nil {
		v.Fatalf("Wait(ended ctx) of an ended operation = %v, want none", err)
	}
	v.wantSame("Wait(ended ctx)", got, rec)
	v.crash()
	v.wantSame("Wait() after a crash", v.wait(rec.Name), rec)
}

func waitWoken(v *env) {
	rec := v.start(engine.Spec{})
	done := make(chan *engine.Record, 1)
	go func() {
		rec, err := v.eng.Wait(v.Context(), rec.Name)
		if err != nil {
			v.Errorf("Wait() = %v", err)
		}
		done <- rec
	}()
	c := v.work()
	c.nextOf(rec).end(succeed("response"))
	got := <-done
	v.wantState(got, engine.Succeeded)
	v.wantSame("Get()", v.get(rec.Name), got)
}

func waitMany(v *env) {
	recs := []*engine.Record{v.start(engine.Spec{}), v.start(engine.Spec{})}
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			rec, err := v.eng.Wait(v.Context(), recs[i%2].Name)
			if err != nil || rec.State != engine.Succeeded {
				v.Errorf("Wait() = %v, %v; want SUCCEEDED", rec, err)
			}
		})
	}
	c := v.work()
	for range recs {
		c.next().end(succeed(""))
	}
	wg.Wait()
}

func waitContext(v *env) {
	c := v.work()
	rec := v.start(engine.Spec{})
	r := c.nextOf(rec)
	r.Report(text("half"))
	ctx, cancel := context.WithCancelCause(v.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		got, err := v.eng.Wait(ctx, rec.Name)
		v.wantErr("Wait()", err, context.Canceled)
		if got == nil || got.State != engine.Running || read(got.Metadata) != "half" {
			v.Errorf("Wait() = %v when its ctx ended, want the latest state", got)
		}
	}()
	cancel(errors.New("enough"))
	<-done
	r.end(succeed(""))
}

// waitDeadline has many waits end, because what ends first may be chance: the
// ctx, or a call to a store that ends with it.
func waitDeadline(v *env) {
	rec := v.start(engine.Spec{})
	for i := range 20 {
		ctx, cancel := context.WithTimeout(v.Context(), v.delay()/10+time.Duration(i)*time.Millisecond)
		got, err := v.eng.Wait(ctx, rec.Name)
		cancel()
		v.wantErr("Wait()", err, context.DeadlineExceeded)
		if errors.Is(err, engine.ErrUnavailable) {
			v.Errorf("Wait() = %v, want no word of the store", err)
		}
		v.wantSame("Wait()", got, rec)
	}
}

func waitEndedContext(v *env) {
	rec := v.start(engine.Spec{})
	got, err := v.eng.Wait(canceled(v), rec.Name)
	v.wantErr("Wait()", err, context.Canceled)
	if got == nil {
		v.Fatal("Wait() has no record, want the latest state")
	}
	v.wantSame("Wait()", got, rec)
}

func waitRetries(v *env) {
	rec := v.start(engine.Spec{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		got, err := v.eng.Wait(v.Context(), rec.Name)
		if err != nil || got.Attempt != 3 {
			v.Errorf("Wait() = %v, %v; want the end of attempt 3", got, err)
		}
	}()
	c := v.work()
	for range 2 {
		c.nextOf(rec).end(engine.Outcome{Error: failed(code.Code_UNAVAILABLE, ""), Retry: true})
	}
	c.nextOf(rec).end(succeed(""))
	<-done
}
