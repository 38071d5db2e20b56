package enginetest

import (
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/go-lro/lro/server/engine"
)

var outcomeTests = []test{
	{name: "response", run: outcomeResponse},
	{name: "error", run: outcomeError},
	{name: "error without code", run: outcomeCodeZero},
	{name: "cancelled by itself", run: outcomeCancelled},
	{name: "metadata", run: outcomeMetadata},
	{name: "invalid", run: outcomeInvalid},
	{name: "too large", run: outcomeTooLarge},
	{name: "empty response", run: outcomeEmpty},
	{name: "release", run: outcomeRelease},
	{name: "retry", run: outcomeRetry},
	{name: "retry later", run: outcomeRetryLater, timed: true},
	{name: "retry later, after crash", run: outcomeRetryCrash, timed: true},
	{name: "retry after cancel", run: outcomeRetryCancelled},
	{name: "retry at most once", run: outcomeRetryOnce},
	{name: "survives crash", run: outcomeSurvives},
}

// outcome runs one operation to its end.
func (v *env) outcome(spec engine.Spec, o engine.Outcome) *engine.Record {
	v.Helper()
	rec := v.start(spec)
	c := v.work()
	defer c.stop()
	c.nextOf(rec).end(o)
	return v.wait(rec.Name)
}

func outcomeResponse(v *env) {
	rec := v.outcome(engine.Spec{Request: text("request")}, succeed("response"))
	v.wantState(rec, engine.Succeeded)
	if read(rec.Response) != "response" || rec.Error != nil || read(rec.Request) != "request" {
		v.Errorf("response %v, error %v, request %v; want response and request", rec.Response, rec.Error, rec.Request)
	}
	if rec.EndTime.Before(rec.StartTime) || rec.StartTime.Before(rec.CreateTime) || rec.EndTime != rec.UpdateTime {
		v.Errorf("created %v, started %v, ended %v, updated %v; want them in order", rec.CreateTime, rec.StartTime, rec.EndTime, rec.UpdateTime)
	}
}

func outcomeError(v *env) {
	detail := text("detail")
	rec := v.outcome(engine.Spec{}, engine.Outcome{Error: &status.Status{
		Code: int32(code.Code_NOT_FOUND), Message: "no such shelf", Details: []*anypb.Any{detail},
	}})
	v.wantFailed(rec, engine.Failed, code.Code_NOT_FOUND)
	if rec.Error.GetMessage() != "no such shelf" || len(rec.Error.GetDetails()) != 1 || read(rec.Error.GetDetails()[0]) != "detail" {
		v.Errorf("error is %v, want message and detail", rec.Error)
	}
}

func outcomeCodeZero(v *env) {
	v.wantFailed(v.outcome(engine.Spec{}, engine.Outcome{Error: failed(code.Code_OK, "what")}), engine.Failed, code.Code_UNKNOWN)
}

func outcomeCancelled(v *env) {
	rec := v.outcome(engine.Spec{}, engine.Outcome{Error: failed(code.Code_CANCELLED, "")})
	v.wantFailed(rec, engine.Cancelled, code.Code_CANCELLED)
	if !rec.CancelTime.IsZero() {
		v.Errorf("CancelTime is %v, want none: no cancel was requested", rec.CancelTime)
	}
}

func outcomeMetadata(v *env) {
	for _, o := range []engine.Outcome{
		{Response: text(""), Metadata: text("final")},
		{Error: failed(code.Code_ABORTED, ""), Metadata: text("final")},
	} {
		rec := v.start(engine.Spec{Metadata: text("first")})
		c := v.work()
		r := c.nextOf(rec)
		r.Report(text("reported"))
		r.end(o)
		if got := read(v.wait(rec.Name).Metadata); got != "final" {
			v.Errorf("metadata is %q, want that of the outcome", got)
		}
		c.stop()
	}
	rec := v.outcome(engine.Spec{Metadata: text("first")}, succeed(""))
	if got := read(rec.Metadata); got != "first" {
		v.Errorf("metadata is %q, want that of the start", got)
	}
}

func outcomeInvalid(v *env) {
	for _, o := range []engine.Outcome{
		{},
		{Response: text(""), Error: failed(code.Code_ABORTED, "")},
		{Response: text(""), Release: true},
		{Retry: true},
	} {
		v.wantFailed(v.outcome(engine.Spec{}, o), engine.Failed, code.Code_INTERNAL)
	}
}

func outcomeTooLarge(v *env) {
	rec := v.outcome(engine.Spec{}, succeed(strings.Repeat("x", 20<<20)))
	v.wantFailed(rec, engine.Failed, code.Code_RESOURCE_EXHAUSTED)
}

func outcomeEmpty(v *env) {
	rec := v.outcome(engine.Spec{}, engine.Outcome{Response: &anypb.Any{}})
	v.wantState(rec, engine.Succeeded)
	v.crash()
	if got := v.get(rec.Name); got.Response == nil {
		v.Errorf("response is nil after a crash, want an empty message")
	}
}

func outcomeRelease(v *env) {
	rec := v.start(engine.Spec{})
	c := v.work()
	c.nextOf(rec).end(engine.Outcome{Release: true, Metadata: text("so far")})
	r := c.nextOf(rec)
	if got := r.Record(); got.Attempt != 2 || got.Crashes != 0 || got.Releases != 1 || read(got.Metadata) != "so far" {
		v.Errorf("attempt %d, crashes %d, releases %d, metadata %v; want 2, 0, 1 and what was reported",
			got.Attempt, got.Crashes, got.Releases, got.Metadata)
	}
	r.end(succeed(""))
}

func outcomeRetry(v *env) {
	rec := v.start(engine.Spec{})
	c := v.work()
	r := c.nextOf(rec)
	first := r.Record()
	if err := r.Save(r.ctx, []byte("checkpoint")); err != nil {
		v.Errorf("Save() = %v", err)
	}
	r.end(engine.Outcome{Error: failed(code.Code_UNAVAILABLE, ""), Retry: true})
	r = c.nextOf(rec)
	got := r.Record()
	if got.Attempt != 2 || got.Crashes != 0 || got.Releases != 0 || got.Fence <= first.Fence || got.StartTime != first.StartTime ||
		string(got.Checkpoint) != "checkpoint" {
		v.Errorf("second attempt has %+v, want attempt 2 with a new fence, the first's StartTime and checkpoint", got)
	}
	if got.Error != nil {
		v.Errorf("error is %v while it runs, want none", got.Error)
	}
	r.end(succeed(""))
	v.wantState(v.wait(rec.Name), engine.Succeeded)
}

func outcomeRetryLater(v *env) {
	rec := v.start(engine.Spec{})
	c := v.work()
	r := c.nextOf(rec)
	begin := time.Now()
	r.end(engine.Outcome{Error: failed(code.Code_UNAVAILABLE, ""), Retry: true, RetryAfter: v.delay()})
	// Others do not wait for it.
	other := v.start(engine.Spec{})
	c.nextOf(other).end(succeed(""))
	c.nextOf(rec).end(succeed(""))
	if took := time.Since(begin); took < v.delay() {
		v.Errorf("second attempt after %v, want at least %v", took, v.delay())
	}
}

func outcomeRetryCrash(v *env) {
	rec := v.start(engine.Spec{})
	c := v.work()
	begin := time.Now()
	c.nextOf(rec).end(engine.Outcome{Error: failed(code.Code_UNAVAILABLE, ""), Retry: true, RetryAfter: v.delay()})
	// The store has it once the attempt is over.
	c.stop()
	v.crash()
	v.wantState(v.get(rec.Name), engine.Pending)
	r := v.work().nextOf(rec)
	if took := time.Since(begin); took < v.delay() {
		v.Errorf("second attempt after %v, want at least %v", took, v.delay())
	}
	if got := r.Record(); got.Attempt != 2 || got.Crashes != 0 {
		v.Errorf("attempt %d, crashes %d; want 2 and 0: it waited when the process died", got.Attempt, got.Crashes)
	}
	r.end(succeed(""))
}

func outcomeRetryCancelled(v *env) {
	rec := v.start(engine.Spec{})
	r := v.work().nextOf(rec)
	v.cancel(rec.Name)
	r.end(engine.Outcome{Error: failed(code.Code_UNAVAILABLE, ""), Retry: true})
	v.wantFailed(v.wait(rec.Name), engine.Failed, code.Code_UNAVAILABLE)
}

func outcomeRetryOnce(v *env) {
	rec := v.outcome(engine.Spec{AtMostOnce: true}, engine.Outcome{Error: failed(code.Code_UNAVAILABLE, ""), Retry: true})
	v.wantFailed(rec, engine.Failed, code.Code_UNAVAILABLE)
}

func outcomeSurvives(v *env) {
	want := []*engine.Record{
		v.outcome(engine.Spec{Request: text("request")}, engine.Outcome{Response: text("response"), Metadata: text("metadata")}),
		v.outcome(engine.Spec{Request: text(strings.Repeat("large ", 10_000))}, engine.Outcome{Error: failed(code.Code_DATA_LOSS, "gone")}),
	}
	v.crash()
	for _, rec := range want {
		v.wantSame("Get() after a crash", v.get(rec.Name), rec)
	}
}
