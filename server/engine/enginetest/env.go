package enginetest

import (
	stdcmp "cmp"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro/server/engine"
)

const (
	kind   = "test.kind"
	parent = "projects/p/locations/l"
)

// maxLag is how long a List that lags may take to show what has happened, on a
// machine that does much else.
const maxLag = time.Minute

// env is one test with an engine on a store of its own.
type env struct {
	*testing.T
	Factory
	store Store
	eng   engine.Engine
}

func newEnv(t *testing.T, f Factory) *env {
	v := &env{T: t, Factory: f, store: f.New(t)}
	v.eng = v.store.Open(t)
	return v
}

// reopen closes the engine and opens another one.
func (v *env) reopen() {
	v.Helper()
	if err := v.eng.Close(); err != nil {
		v.Fatalf("Close() = %v", err)
	}
	v.eng = v.store.Open(v.T)
}

// crash has the engine's process die and opens another engine.
func (v *env) crash() {
	v.Helper()
	v.store.Crash(v.T)
	v.eng = v.store.Open(v.T)
}

// delay is how long something takes that a test waits for: long in a bubble,
// where waiting costs nothing.
func (v *env) delay() time.Duration {
	if v.Bubble {
		return time.Hour
	}
	return stdcmp.Or(v.Delay, 50*time.Millisecond)
}

// Payloads.

func text(s string) *anypb.Any {
	a, err := anypb.New(wrapperspb.String(s))
	if err != nil {
		panic(err) // a string can always be packed
	}
	return a
}

// read returns what text packed, "" for nil.
func read(a *anypb.Any) string {
	s := new(wrapperspb.StringValue)
	if a == nil || a.UnmarshalTo(s) != nil {
		return ""
	}
	return s.GetValue()
}

func failed(c code.Code, message string) *status.Status {
	return &status.Status{Code: int32(c), Message: message}
}

// Calls that must succeed.

func (v *env) start(spec engine.Spec) *engine.Record {
	v.Helper()
	if spec.Kind == "" {
		spec.Kind = kind
	}
	if spec.Parent == "" {
		spec.Parent = parent
	}
	rec, err := v.eng.Start(v.Context(), spec)
	if err != nil {
		v.Fatalf("Start(%+v) = %v", spec, err)
	}
	return rec
}

func (v *env) get(name string) *engine.Record {
	v.Helper()
	rec, err := v.eng.Get(v.Context(), name)
	if err != nil {
		v.Fatalf("Get(%q) = %v", name, err)
	}
	return rec
}

func (v *env) wait(name string) *engine.Record {
	v.Helper()
	rec, err := v.eng.Wait(v.Context(), name)
	if err != nil {
		v.Fatalf("Wait(%q) = %v", name, err)
	}
	if !rec.State.Terminal() {
		v.Fatalf("Wait(%q) = %v, want a terminal state", name, rec.State)
	}
	return rec
}

func (v *env) cancel(name string) *engine.Record {
	v.Helper()
	rec, err := v.eng.Cancel(v.Context(), name)
	if err != nil {
		v.Fatalf("Cancel(%q) = %v", name, err)
	}
	return rec
}

func (v *env) delete(name string) {
	v.Helper()
	if err := v.eng.Delete(v.Context(), name); err != nil {
		v.Fatalf("Delete(%q) = %v", name, err)
	}
}

// startDone starts an operation and has it end.
func (v *env) startDone(spec engine.Spec) *engine.Record {
	v.Helper()
	spec.External = true
	rec := v.start(spec)
	rec, err := v.eng.Complete(v.Context(), rec.Lease(), engine.Completion{Response: text("done")})
	if err != nil {
		v.Fatalf("Complete(%q) = %v", rec.Name, err)
	}
	return rec
}

// Assertions.

func (v *env) wantErr(call string, err, want error) {
	v.Helper()
	if !errors.Is(err, want) {
		v.Errorf("%s = %v, want %v", call, err, want)
	}
}

func (v *env) wantState(rec *engine.Record, want engine.State) {
	v.Helper()
	if rec.State != want {
		v.Errorf("state of %q is %v, want %v", rec.Name, rec.State, want)
	}
}

func (v *env) wantFailed(rec *engine.Record, state engine.State, want code.Code) {
	v.Helper()
	v.wantState(rec, state)
	if got := code.Code(rec.Error.GetCode()); rec.Error == nil || got != want || rec.Response != nil {
		v.Errorf("error of %q is %v (code %v), response %v; want code %v and no response", rec.Name, rec.Error, got, rec.Response, want)
	}
}

// wantSame compares records as their readers see them.
func (v *env) wantSame(what string, got, want *engine.Record) {
	v.Helper()
	if diff := diffRecords(got, want); diff != "" {
		v.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func diffRecords(got, want *engine.Record) string {
	return cmp.Diff(want, got, protocmp.Transform())
}

// copyRecord returns what a record is now, to be compared later.
func copyRecord(r *engine.Record) *engine.Record {
	c := *r
	c.Checkpoint = slices.Clone(r.Checkpoint)
	return &c
}

// Lists.

func (v *env) page(q engine.Query) engine.Page {
	v.Helper()
	p, err := v.eng.List(v.Context(), q)
	if err != nil {
		v.Fatalf("List(%+v) = %v", q, err)
	}
	return p
}

// names returns the names of all pages.
func (v *env) names(q engine.Query) []string {
	v.Helper()
	if q.Limit == 0 {
		q.Limit = 100
	}
	names := []string{}
	for {
		p := v.page(q)
		if len(p.Records) > q.Limit {
			v.Fatalf("List(%+v) has %d records, want at most %d", q, len(p.Records), q.Limit)
		}
		for _, r := range p.Records {
			names = append(names, r.Name)
		}
		if p.Next == "" {
			return names
		}
		if p.Next == q.After {
			v.Fatalf("List(%+v) does not advance", q)
		}
		q.After = p.Next
	}
}

// wantNames checks what a query finds. Where List lags it is called again until
// the answer is right.
func (v *env) wantNames(q engine.Query, want ...string) {
	v.Helper()
	if want == nil {
		want = []string{}
	}
	diff := cmp.Diff(want, v.names(q))
	for begin := time.Now(); v.ListLags && diff != "" && time.Since(begin) < maxLag; {
		<-time.After(10 * time.Millisecond)
		diff = cmp.Diff(want, v.names(q))
	}
	if diff != "" {
		v.Errorf("List(%+v) (-want +got):\n%s", q, diff)
	}
}

// canceled returns a ctx that has ended.
func canceled(v *env) context.Context {
	ctx, cancel := context.WithCancel(v.Context())
	cancel()
	return ctx
}
