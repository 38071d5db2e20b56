package enginetest

import (
	"cmp"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/go-lro/lro/server/engine"
)

var limitTests = []test{
	{name: "longest", run: limitLongest},
	{name: "longer", run: limitLonger},
	{name: "text is UTF-8: start", run: limitTextStart},
	{name: "text is UTF-8: lease", run: limitTextLease},
	{name: "text is UTF-8: attempt", run: limitTextAttempt},
	{name: "text is UTF-8: outcome", run: limitTextOutcome},
}

// notText is a payload whose type URL cannot be encoded.
func notText() *anypb.Any { return &anypb.Any{TypeUrl: "type.googleapis.com/\xff"} }

// longest is a spec whose texts are as long as they may be.
func (v *env) longest() engine.Spec {
	limit := cmp.Or(v.MaxParent, engine.MaxParent)
	return engine.Spec{
		Kind: strings.Repeat("k", engine.MaxKind), Parent: "p/" + strings.Repeat("p", limit-2),
		RequestID: strings.Repeat("r", engine.MaxRequestID), Caller: strings.Repeat("c", engine.MaxCaller),
		Trace:     map[string]string{"t": strings.Repeat("t", engine.MaxTrace-1)},
		Retention: engine.MaxRetention,
	}
}

func limitLongest(v *env) {
	want := v.start(v.longest())
	v.crash()
	v.wantSame("Get()", v.get(want.Name), want)
	v.wantSame("Start() again", v.start(v.longest()), want)
}

func limitLonger(v *env) {
	for what, test := range map[string]struct {
		add  func(*engine.Spec)
		want error
	}{
		"kind":       {func(s *engine.Spec) { s.Kind += "k" }, engine.ErrInvalid},
		"parent":     {func(s *engine.Spec) { s.Parent = strings.Repeat("p", engine.MaxParent+1) }, engine.ErrInvalid},
		"request ID": {func(s *engine.Spec) { s.RequestID += "r" }, engine.ErrInvalid},
		"caller":     {func(s *engine.Spec) { s.Caller += "c" }, engine.ErrInvalid},
		"trace":      {func(s *engine.Spec) { s.Trace["t2"] = "" }, engine.ErrTooLarge},
		"retention":  {func(s *engine.Spec) { s.Retention++ }, engine.ErrInvalid},
	} {
		spec := v.longest()
		test.add(&spec)
		_, err := v.eng.Start(v.Context(), spec)
		v.wantErr("Start with a longer "+what, err, test.want)
	}
}

func limitTextStart(v *env) {
	for what, spec := range map[string]engine.Spec{
		"request":    {Request: notText()},
		"metadata":   {Metadata: notText()},
		"trace":      {Trace: map[string]string{"t": "\xff"}},
		"caller":     {Caller: "\xff", RequestID: "id"},
		"request ID": {RequestID: "\xff"},
	} {
		spec.Kind = kind
		_, err := v.eng.Start(v.Context(), spec)
		v.wantErr("Start with "+what+" that is not UTF-8", err, engine.ErrInvalid)
	}
	v.wantNames(engine.Query{AnyParent: true})
}

func limitTextLease(v *env) {
	rec := v.start(engine.Spec{External: true})
	l := rec.Lease()
	_, err := v.eng.Report(v.Context(), l, engine.Update{Metadata: notText()})
	v.wantErr("Report", err, engine.ErrInvalid)
	_, err = v.eng.Complete(v.Context(), l, engine.Completion{Response: notText()})
	v.wantErr("Complete with a response", err, engine.ErrInvalid)
	_, err = v.eng.Complete(v.Context(), l, engine.Completion{Response: text("ok"), Metadata: notText()})
	v.wantErr("Complete with metadata", err, engine.ErrInvalid)
	for _, s := range notTextStatuses() {
		_, err = v.eng.Fail(v.Context(), l, engine.Failure{Error: s})
		v.wantErr("Fail", err, engine.ErrInvalid)
	}
	v.wantSame("Get()", v.get(rec.Name), rec)
}

func notTextStatuses() []*status.Status {
	return []*status.Status{
		failed(code.Code_ABORTED, "\xff"),
		{Code: int32(code.Code_ABORTED), Details: []*anypb.Any{notText()}},
	}
}

// limitTextAttempt: what cannot be stored is dropped, and hurts neither its own
// operation nor others.
func limitTextAttempt(v *env) {
	bad, good := v.start(engine.Spec{}), v.start(engine.Spec{})
	c := v.work()
	runs := map[string]*run{}
	for range 2 {
		r := c.next()
		runs[r.Record().Name] = r
	}
	runs[bad.Name].Report(text("before"))
	runs[bad.Name].Report(notText())
	runs[good.Name].Report(text("good"))
	for name, want := range map[string]string{bad.Name: "before", good.Name: "good"} {
		if err := runs[name].Save(v.Context(), []byte("\xff")); err != nil {
			v.Errorf("Save() = %v", err)
		}
		if got := read(v.get(name).Metadata); got != want {
			v.Errorf("metadata is %q, want %q", got, want)
		}
		runs[name].end(succeed("ok"))
		v.wantState(v.wait(name), engine.Succeeded)
	}
	v.reopen()
	for name, want := range map[string]string{bad.Name: "before", good.Name: "good"} {
		if got := read(v.get(name).Metadata); got != want {
			v.Errorf("stored metadata is %q, want %q", got, want)
		}
	}
}

func limitTextOutcome(v *env) {
	outcomes := []engine.Outcome{
		{Response: notText()},
		{Response: text("ok"), Metadata: notText()},
	}
	for _, s := range notTextStatuses() {
		outcomes = append(outcomes, engine.Outcome{Error: s}, engine.Outcome{Error: s, Retry: true})
	}
	for _, o := range outcomes {
		v.wantFailed(v.outcome(engine.Spec{}, o), engine.Failed, code.Code_INTERNAL)
	}
}
