package enginetest

import (
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/go-lro/lro/server/engine"
)

var startTests = []test{
	{name: "record", run: startRecord},
	{name: "top level", run: startTopLevel},
	{name: "names are unguessable and in order", run: startNames},
	{name: "survives crash", run: startSurvives},
	{name: "without request", run: startEmpty},
	{name: "invalid", run: startInvalid},
	{name: "ended ctx", run: startEndedContext},
	{name: "spec is copied", run: startCopies},
	{name: "external", run: startExternal},
}

var segment = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)

func startRecord(v *env) {
	before := time.Now().Add(-time.Minute)
	got := v.start(engine.Spec{
		Request: text("request"), Metadata: text("metadata"), RequestID: "id", Caller: "me",
		Trace: map[string]string{"traceparent": "00-1"},
	})
	id, ok := strings.CutPrefix(got.Name, parent+"/operations/")
	if !ok || !segment.MatchString(id) {
		v.Errorf("name = %q, want %s/operations/ and a segment like %v", got.Name, parent, segment)
	}
	if got.CreateTime.Before(before) || got.CreateTime.Location() != time.UTC {
		v.Errorf("CreateTime = %v, want now in UTC", got.CreateTime)
	}
	v.wantSame("Start()", got, &engine.Record{
		Name: got.Name, Kind: kind, Parent: parent, State: engine.Pending,
		Request: text("request"), Metadata: text("metadata"), RequestID: "id",
		Revision: got.Revision, CreateTime: got.CreateTime, UpdateTime: got.CreateTime, Fence: got.Fence,
		Trace: map[string]string{"traceparent": "00-1"},
	})
	v.wantSame("Get()", v.get(got.Name), got)
}

func startTopLevel(v *env) {
	rec, err := v.eng.Start(v.Context(), engine.Spec{Kind: kind})
	if err != nil {
		v.Fatalf("Start() = %v", err)
	}
	id, ok := strings.CutPrefix(rec.Name, "operations/")
	if !ok || !segment.MatchString(id) || rec.Parent != "" {
		v.Errorf("name %q, parent %q; want operations/ID, no parent", rec.Name, rec.Parent)
	}
	v.wantSame("Get()", v.get(rec.Name), rec)
}

func startNames(v *env) {
	seen := make(map[string]bool)
	for range 20 {
		name := v.start(engine.Spec{}).Name
		if seen[name] {
			v.Fatalf("name %q was given twice", name)
		}
		seen[name] = true
		// The last characters are random: another one is another name.
		other := name[:len(name)-1] + "0"
		if other == name {
			other = name[:len(name)-1] + "1"
		}
		_, err := v.eng.Get(v.Context(), other)
		v.wantErr("Get of a guessed name", err, engine.ErrNotFound)
	}
}

func startSurvives(v *env) {
	want := v.start(engine.Spec{
		Request: text(strings.Repeat("large ", 10_000)), Metadata: text("metadata"), RequestID: "id",
		Trace: map[string]string{"a": "b"},
	})
	v.crash()
	v.wantSame("Get() after a crash", v.get(want.Name), want)
	v.reopen()
	v.wantSame("Get() after Close", v.get(want.Name), want)
}

func startEmpty(v *env) {
	rec := v.start(engine.Spec{})
	v.crash()
	got := v.get(rec.Name)
	if got.Request != nil || got.Metadata != nil || got.Trace != nil || got.Checkpoint != nil {
		v.Errorf("Get() = %v, want nothing that was not given", got)
	}
}

func startInvalid(v *env) {
	for name, spec := range map[string]engine.Spec{
		"no kind":              {},
		"parent ends in slash": {Kind: kind, Parent: "projects/p/"},
		"empty segment":        {Kind: kind, Parent: "projects//p"},
		"control character":    {Kind: kind, Parent: "projects/\x00"},
		"not UTF-8":            {Kind: "\xff"},
		"huge request ID":      {Kind: kind, RequestID: strings.Repeat("x", 1<<20)},
		"negative retention":   {Kind: kind, Retention: -1},
		"negative crash limit": {Kind: kind, CrashLimit: -1},
		"negative lease":       {Kind: kind, External: true, LeaseFor: -1},
	} {
		_, err := v.eng.Start(v.Context(), spec)
		v.wantErr("Start with "+name, err, engine.ErrInvalid)
	}
	_, err := v.eng.Start(v.Context(), engine.Spec{Kind: kind, Request: text(strings.Repeat("x", 20<<20))})
	v.wantErr("Start with 20 MiB", err, engine.ErrTooLarge)
	v.wantNames(engine.Query{AnyParent: true})
}

func startEndedContext(v *env) {
	ctx := canceled(v)
	_, err := v.eng.Start(ctx, engine.Spec{Kind: kind})
	v.wantErr("Start(ended ctx)", err, ctx.Err())
}

func startCopies(v *env) {
	trace := map[string]string{"a": "b"}
	rec := v.start(engine.Spec{Trace: trace})
	trace["a"] = "changed"
	if got := v.get(rec.Name).Trace["a"]; got != "b" {
		v.Errorf("trace is %q after the caller changed its map, want %q", got, "b")
	}
}

func startExternal(v *env) {
	rec := v.start(engine.Spec{External: true, Request: text("request")})
	if rec.State != engine.Running || rec.Attempt != 1 || !rec.External || rec.StartTime.IsZero() {
		v.Errorf("Start(External) = %v attempt %d, external %v, started %v; want RUNNING in attempt 1",
			rec.State, rec.Attempt, rec.External, rec.StartTime)
	}
	v.wantSame("Get()", v.get(rec.Name), rec)
}

var requestIDTests = []test{
	{name: "returns what it started", run: requestIDReturns},
	{name: "is scoped by caller", run: requestIDCaller},
	{name: "refuses another request", run: requestIDReused},
	{name: "survives crash", run: requestIDSurvives},
	{name: "starts one of many at once", run: requestIDConcurrent},
	{name: "is free after delete", run: requestIDDeleted},
}

func requestIDReturns(v *env) {
	spec := engine.Spec{Request: text("request"), RequestID: "id"}
	first := v.start(spec)
	v.wantSame("Start() again", v.start(spec), v.get(first.Name))
	c := v.work()
	c.next().end(succeed("response"))
	want := v.wait(first.Name)
	v.wantSame("Start() again, after the end", v.start(spec), want)
	spec.RequestID = ""
	if other := v.start(spec); other.Name == first.Name {
		v.Errorf("Start without request ID returned %q, want a new operation", other.Name)
	}
}

func requestIDCaller(v *env) {
	seen := make(map[string]string)
	for _, s := range []struct{ caller, id string }{{"", "ab"}, {"a", "b"}, {"ab", "b"}, {"a", "ab"}, {"b", "ab"}} {
		name := v.start(engine.Spec{RequestID: s.id, Caller: s.caller}).Name
		if other, ok := seen[name]; ok {
			v.Errorf("caller %q with request ID %q got the operation of %s", s.caller, s.id, other)
		}
		seen[name] = s.caller + "/" + s.id
	}
}

func requestIDReused(v *env) {
	spec := engine.Spec{Kind: kind, Parent: parent, Request: text("request"), RequestID: "id"}
	first := v.start(spec)
	for name, change := range map[string]func(*engine.Spec){
		"another kind":    func(s *engine.Spec) { s.Kind = "other" },
		"another parent":  func(s *engine.Spec) { s.Parent = "projects/other" },
		"no parent":       func(s *engine.Spec) { s.Parent = "" },
		"another request": func(s *engine.Spec) { s.Request = text("other") },
		"no request":      func(s *engine.Spec) { s.Request = nil },
	} {
		other := spec
		change(&other)
		_, err := v.eng.Start(v.Context(), other)
		v.wantErr("Start with "+name, err, engine.ErrRequestIDReused)
	}
	v.wantSame("the operation", v.get(first.Name), first)
}

func requestIDSurvives(v *env) {
	spec := engine.Spec{Request: text(strings.Repeat("large ", 10_000)), RequestID: "id"}
	first := v.start(spec)
	v.crash()
	v.wantSame("Start() after a crash", v.start(spec), first)
	spec.Request = text("other")
	spec.Kind, spec.Parent = kind, parent
	_, err := v.eng.Start(v.Context(), spec)
	v.wantErr("Start with another request", err, engine.ErrRequestIDReused)
}

func requestIDConcurrent(v *env) {
	names := make([]string, 16)
	var wg sync.WaitGroup
	for i := range names {
		wg.Go(func() {
			rec, err := v.eng.Start(v.Context(), engine.Spec{Kind: kind, Parent: parent, RequestID: "id"})
			if err != nil {
				v.Errorf("Start() = %v", err)
				return
			}
			names[i] = rec.Name
		})
	}
	wg.Wait()
	for _, name := range names {
		if name != names[0] {
			v.Errorf("Start() = %q and %q, want one operation", names[0], name)
		}
	}
	v.wantNames(engine.Query{Parent: parent}, names[0])
}

func requestIDDeleted(v *env) {
	spec := engine.Spec{RequestID: "id", Request: text("request")}
	first := v.startDone(spec)
	v.delete(first.Name)
	spec.Request = text("other")
	if second := v.start(spec); second.Name == first.Name {
		v.Errorf("Start() = %q, which was deleted", second.Name)
	}
}
