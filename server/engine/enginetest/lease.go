package enginetest

import (
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"

	"github.com/go-lro/lro/server/engine"
)

var leaseTests = []test{
	{name: "report", run: leaseReport},
	{name: "complete", run: leaseComplete},
	{name: "complete twice", run: leaseCompleteTwice},
	{name: "fail", run: leaseFail},
	{name: "invalid", run: leaseInvalid},
	{name: "is not run by workers", run: leaseNotRun},
	{name: "deleted", run: leaseDeleted},
	{name: "ends", run: leaseEnds, timed: true},
	{name: "is renewed", run: leaseRenewed, timed: true},
	{name: "waits for ever", run: leaseForever, timed: true},
	{name: "ends after crash", run: leaseEndsAfterCrash, timed: true},
	{name: "cancel does not renew", run: leaseCancel, timed: true},
}

func (v *env) report(rec *engine.Record, metadata string) *engine.Record {
	v.Helper()
	got, err := v.eng.Report(v.Context(), rec.Lease(), engine.Update{Metadata: text(metadata)})
	if err != nil {
		v.Fatalf("Report() = %v", err)
	}
	return got
}

func leaseReport(v *env) {
	rec := v.start(engine.Spec{External: true, Metadata: text("first")})
	got := v.report(rec, "half")
	if read(got.Metadata) != "half" || got.Revision <= rec.Revision {
		v.Errorf("Report() = metadata %v, revision %d; want the new one, over %d", got.Metadata, got.Revision, rec.Revision)
	}
	v.wantSame("Get()", v.get(rec.Name), got)
	got, err := v.eng.Report(v.Context(), rec.Lease(), engine.Update{})
	if err != nil || read(got.Metadata) != "half" {
		v.Errorf("Report(nothing) = %v, %v; want the metadata that was there", got, err)
	}
	got, err = v.eng.Heartbeat(v.Context(), rec.Lease())
	if err != nil {
		v.Fatalf("Heartbeat() = %v", err)
	}
	v.wantSame("Heartbeat()", got, v.get(rec.Name))
}

func leaseComplete(v *env) {
	rec := v.start(engine.Spec{External: true})
	v.report(rec, "half")
	got, err := v.eng.Complete(v.Context(), rec.Lease(), engine.Completion{Response: text("response"), Metadata: text("all")})
	if err != nil {
		v.Fatalf("Complete() = %v", err)
	}
	v.wantState(got, engine.Succeeded)
	if read(got.Response) != "response" || read(got.Metadata) != "all" || got.EndTime.IsZero() {
		v.Errorf("Complete() = %v, want response, metadata and EndTime", got)
	}
	v.wantSame("Wait()", v.wait(rec.Name), got)
	v.crash()
	v.wantSame("Get() after a crash", v.get(rec.Name), got)
}

func leaseCompleteTwice(v *env) {
	rec := v.start(engine.Spec{External: true})
	want, err := v.eng.Complete(v.Context(), rec.Lease(), engine.Completion{Response: text("response")})
	if err != nil {
		v.Fatalf("Complete() = %v", err)
	}
	got, err := v.eng.Complete(v.Context(), rec.Lease(), engine.Completion{Response: text("other")})
	if err != nil {
		v.Fatalf("second Complete() = %v, want none", err)
	}
	v.wantSame("second Complete()", got, want)
	_, err = v.eng.Fail(v.Context(), rec.Lease(), engine.Failure{Error: failed(code.Code_INTERNAL, "")})
	v.wantErr("Fail() after it", err, engine.ErrFenced)
	_, err = v.eng.Report(v.Context(), rec.Lease(), engine.Update{Metadata: text("late")})
	v.wantErr("Report() after it", err, engine.ErrFenced)
	v.wantSame("Get()", v.get(rec.Name), want)
}

func leaseFail(v *env) {
	for _, tt := range []struct {
		code, want code.Code
		state      engine.State
	}{
		{code.Code_DATA_LOSS, code.Code_DATA_LOSS, engine.Failed},
		{code.Code_OK, code.Code_UNKNOWN, engine.Failed},
		{code.Code_CANCELLED, code.Code_CANCELLED, engine.Cancelled},
	} {
		rec := v.start(engine.Spec{External: true})
		got, err := v.eng.Fail(v.Context(), rec.Lease(), engine.Failure{Error: failed(tt.code, "why"), Metadata: text("so far")})
		if err != nil {
			v.Fatalf("Fail() = %v", err)
		}
		v.wantFailed(got, tt.state, tt.want)
		if read(got.Metadata) != "so far" || got.Error.GetMessage() != "why" {
			v.Errorf("metadata %v, error %v; want those given", got.Metadata, got.Error)
		}
		v.wantSame("Wait()", v.wait(rec.Name), got)
		_, err = v.eng.Complete(v.Context(), rec.Lease(), engine.Completion{Response: text("late")})
		v.wantErr("Complete() after it", err, engine.ErrFenced)
	}
}

func leaseInvalid(v *env) {
	rec := v.start(engine.Spec{External: true})
	_, err := v.eng.Complete(v.Context(), rec.Lease(), engine.Completion{})
	v.wantErr("Complete without response", err, engine.ErrInvalid)
	_, err = v.eng.Fail(v.Context(), rec.Lease(), engine.Failure{})
	v.wantErr("Fail without error", err, engine.ErrInvalid)
	large := text(strings.Repeat("x", 20<<20))
	_, err = v.eng.Complete(v.Context(), rec.Lease(), engine.Completion{Response: large})
	v.wantErr("Complete with 20 MiB", err, engine.ErrTooLarge)
	_, err = v.eng.Report(v.Context(), rec.Lease(), engine.Update{Metadata: large})
	v.wantErr("Report with 20 MiB", err, engine.ErrTooLarge)
	v.wantSame("Get()", v.get(rec.Name), rec)
}

func leaseNotRun(v *env) {
	rec := v.start(engine.Spec{External: true})
	c := v.work()
	other := v.start(engine.Spec{})
	c.nextOf(other).end(succeed(""))
	v.wait(other.Name)
	v.wantSame("Get()", v.get(rec.Name), rec)
}

func leaseDeleted(v *env) {
	if v.DeleteNeedsEnd {
		v.Skip("declared: only operations that are done can be deleted")
	}
	rec := v.start(engine.Spec{External: true})
	v.delete(rec.Name)
	// Its owner continues.
	if _, err := v.eng.Heartbeat(v.Context(), rec.Lease()); err != nil {
		v.Errorf("Heartbeat() = %v", err)
	}
	v.report(rec, "half")
	if _, err := v.eng.Complete(v.Context(), rec.Lease(), engine.Completion{Response: text("response")}); err != nil {
		v.Errorf("Complete() = %v", err)
	}
	v.wantGone(rec.Name)
	_, err := v.eng.Heartbeat(v.Context(), rec.Lease())
	v.wantErr("Heartbeat() after the end", err, engine.ErrNotFound)
}

func leaseEnds(v *env) {
	begin := time.Now()
	rec := v.start(engine.Spec{External: true, LeaseFor: v.delay()})
	end := v.wait(rec.Name)
	v.wantFailed(end, engine.Failed, code.Code_ABORTED)
	if took := time.Since(begin); took < v.delay() {
		v.Errorf("ended after %v, want a lease of %v", took, v.delay())
	}
	v.wantLeaseRefused(rec.Lease())
	v.wantSame("Get()", v.get(rec.Name), end)
}

func leaseRenewed(v *env) {
	const n = 6
	begin := time.Now()
	rec := v.start(engine.Spec{External: true, LeaseFor: v.delay()})
	renewed := begin // at the latest
	for i := range n {
		<-time.After(v.delay() / 2)
		called := time.Now()
		var err error
		if i%2 == 0 {
			_, err = v.eng.Heartbeat(v.Context(), rec.Lease())
		} else {
			_, err = v.eng.Report(v.Context(), rec.Lease(), engine.Update{Metadata: text("x")})
		}
		if err != nil {
			v.inTime(renewed, err)
			v.Fatalf("a call that renews the lease %v after the last one = %v", time.Since(renewed), err)
		}
		renewed = called
	}
	v.wantFailed(v.wait(rec.Name), engine.Failed, code.Code_ABORTED)
	if took, want := time.Since(begin), (n+2)*v.delay()/2; took < want {
		v.Errorf("ended after %v, want %v", took, want)
	}
}

// inTime skips the rest when a lease of v.delay() may have ended, which a busy machine
// was too slow to renew.
func (v *env) inTime(renewed time.Time, err error) {
	v.Helper()
	if took := time.Since(renewed); took > v.delay() && !v.Bubble {
		v.Skipf("the machine is too slow for a lease of %v: renewed after %v: %v", v.delay(), took, err)
	}
}

func leaseForever(v *env) {
	rec := v.start(engine.Spec{External: true})
	<-time.After(v.delay())
	v.wantSame("Get()", v.get(rec.Name), rec)
}

func leaseEndsAfterCrash(v *env) {
	begin := time.Now()
	rec := v.start(engine.Spec{External: true, LeaseFor: v.delay()})
	v.crash()
	if _, err := v.eng.Heartbeat(v.Context(), rec.Lease()); err != nil {
		v.inTime(begin, err)
		v.Errorf("Heartbeat() after a crash = %v", err)
	}
	v.wantFailed(v.wait(rec.Name), engine.Failed, code.Code_ABORTED)
}

func leaseCancel(v *env) {
	begin := time.Now()
	rec := v.start(engine.Spec{External: true, LeaseFor: v.delay()})
	<-time.After(v.delay() / 2)
	v.cancel(rec.Name)
	v.wait(rec.Name)
	if took := time.Since(begin); v.Bubble && took != v.delay() {
		v.Errorf("ended after %v, want %v: who asks for cancel is not the owner", took, v.delay())
	}
}

var expiryTests = []test{
	{name: "removes", run: expiryRemoves, timed: true},
	{name: "for ever", run: expiryNever},
	{name: "while the engine is closed", run: expiryClosed, timed: true},
	{name: "in batches", run: expiryMany, timed: true},
	{name: "request ID is free again", run: expiryRequestID, timed: true},
}

func expiryRemoves(v *env) {
	rec := v.startDone(engine.Spec{Retention: v.delay()})
	if v.FixedRetention {
		return
	}
	if want := rec.EndTime.Add(v.delay()); !rec.ExpireTime.Equal(want) {
		v.Errorf("ExpireTime is %v, want %v", rec.ExpireTime, want)
	}
	active := v.start(engine.Spec{Retention: v.delay()})
	if !active.ExpireTime.IsZero() {
		v.Errorf("ExpireTime is %v before the end, want none", active.ExpireTime)
	}
	v.untilGone(rec.Name)
	if early := time.Until(rec.ExpireTime); early > 0 {
		v.Errorf("removed %v before its time", early)
	}
	v.wantNames(engine.Query{Parent: parent}, active.Name)
}

// untilGone waits until an operation was removed.
func (v *env) untilGone(name string) {
	v.Helper()
	for {
		if _, err := v.eng.Get(v.Context(), name); err != nil {
			v.wantErr("Get()", err, engine.ErrNotFound)
			return
		}
		select {
		case <-time.After(v.delay() / 20):
		case <-v.Context().Done():
			v.Fatalf("%q is still there", name)
		}
	}
}

func expiryNever(v *env) {
	rec := v.startDone(engine.Spec{})
	if !rec.ExpireTime.IsZero() && !v.FixedRetention {
		v.Errorf("ExpireTime is %v, want none", rec.ExpireTime)
	}
}

func expiryClosed(v *env) {
	if v.FixedRetention {
		v.Skip("declared: the store decides how long operations stay")
	}
	rec := v.startDone(engine.Spec{Retention: v.delay()})
	if err := v.eng.Close(); err != nil {
		v.Fatalf("Close() = %v", err)
	}
	<-time.After(2 * v.delay())
	v.eng = v.store.Open(v.T)
	v.untilGone(rec.Name)
}

func expiryMany(v *env) {
	if v.FixedRetention {
		v.Skip("declared: the store decides how long operations stay")
	}
	var names []string
	for range 120 {
		names = append(names, v.startDone(engine.Spec{Retention: v.delay()}).Name)
	}
	keep := v.startDone(engine.Spec{Retention: 1000 * time.Hour})
	for _, name := range names {
		v.untilGone(name)
	}
	v.wantNames(engine.Query{Parent: parent}, keep.Name)
}

func expiryRequestID(v *env) {
	if v.FixedRetention {
		v.Skip("declared: the store decides how long operations stay")
	}
	spec := engine.Spec{RequestID: "id", Retention: v.delay()}
	rec := v.startDone(spec)
	v.untilGone(rec.Name)
	if again := v.start(spec); again.Name == rec.Name {
		v.Errorf("Start() = %q, which has expired", again.Name)
	}
}
