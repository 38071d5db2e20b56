package filter

import (
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server/engine"
)

func packed(t testing.TB, m proto.Message) *anypb.Any {
	t.Helper()
	a, err := anypb.New(m)
	if err != nil {
		t.Fatalf("anypb.New: %v", err)
	}
	return a
}

var created = time.Date(2026, 3, 28, 14, 50, 0, 0, time.UTC)

// testTypes are those of the records in testRecords.
var testTypes = Types{
	Metadata: []protoreflect.MessageDescriptor{
		(&lropb.OperationMetadata{}).ProtoReflect().Descriptor(),
		(&lropb.SimulateRequest{}).ProtoReflect().Descriptor(),
	},
	Response: []protoreflect.MessageDescriptor{
		(&lropb.ChecksumResponse{}).ProtoReflect().Descriptor(),
		(&wrapperspb.StringValue{}).ProtoReflect().Descriptor(),
		(&errdetails.ErrorInfo{}).ProtoReflect().Descriptor(),
	},
}

// testRecords are a running, a succeeded, a failed and a strange operation.
func testRecords(t testing.TB) (run, ok, failed, strange *engine.Record) {
	run = &engine.Record{
		Name: "projects/p/locations/l/operations/run-1", Kind: "export", State: engine.Running, CreateTime: created,
		Metadata: packed(t, &lropb.OperationMetadata{
			Target: "Shelves/1", State: lropb.OperationMetadata_RUNNING, ProgressPercent: 40, Attempt: 1,
			CreateTime: timestamppb.New(created), RequestedCancellation: true,
			Progress:      &lropb.Progress{Done: 1 << 53, Total: 1<<53 + 1, Message: "half \"way\""},
			PartialErrors: []*spb.Status{{Code: 5, Message: "no file"}, {Code: 7}},
		}),
	}
	ok = &engine.Record{
		Name: "operations/ok", Kind: "Import", State: engine.Succeeded,
		CreateTime: created.Add(time.Hour), EndTime: created.Add(2 * time.Hour),
		Metadata: packed(t, &lropb.SimulateRequest{Duration: durationpb.New(1500 * time.Millisecond)}),
		Response: packed(t, &lropb.ChecksumResponse{Files: 12, Digest: "abc"}),
	}
	failed = &engine.Record{
		Name: "operations/failed", Kind: "export", State: engine.Failed, CreateTime: created.Add(-time.Hour), EndTime: created,
		Error: &spb.Status{Code: 8, Message: "Disk full", Details: []*anypb.Any{packed(t, &errdetails.ErrorInfo{Reason: "NO_SPACE", Metadata: map[string]string{"disk": "sda"}})}},
	}
	strange = &engine.Record{
		Name: "operations/strange", Kind: "gone", State: engine.Succeeded, CreateTime: created,
		Metadata: &anypb.Any{TypeUrl: "type.googleapis.com/no.such.Message", Value: []byte{1}},
		Response: packed(t, wrapperspb.String("hello")),
	}
	return run, ok, failed, strange
}

func view(rec *engine.Record) *longrunningpb.Operation {
	op := &longrunningpb.Operation{Name: rec.Name, Metadata: rec.Metadata, Done: rec.State.Terminal()}
	if rec.Error != nil {
		op.Result = &longrunningpb.Operation_Error{Error: rec.Error}
	} else if rec.Response != nil {
		op.Result = &longrunningpb.Operation_Response{Response: rec.Response}
	}
	return op
}

func TestMatch(t *testing.T) {
	t.Parallel()
	run, ok, failed, strange := testRecords(t)
	names := map[*engine.Record]string{run: "run", ok: "ok", failed: "failed", strange: "strange"}
	for _, tc := range []struct{ filter, want string }{
		{"", "run ok failed strange"},
		{"  ", "run ok failed strange"},

		// done, in every way that is in use.
		{"done:true", "ok failed strange"},
		{"done=true", "ok failed strange"},
		{"done = TRUE", "ok failed strange"},
		{`done="true"`, "ok failed strange"},
		{"done:false", "run"},
		{"done != true", "run"},
		{"NOT done", "run"},
		{"-done", "run"},
		{"done", "ok failed strange"},
		{"done:*", "ok failed strange"},
		{"Done:True", "ok failed strange"},

		// name
		{"name=operations/ok", "ok"},
		{`name="OPERATIONS/OK"`, "ok"},
		{"name:run", "run"},
		{"name:projects/p/locations/l/operations/run-1", "run"},
		{"name=projects/*/operations/*", "run"},
		{"name=operations/*", "ok failed strange"},
		{"name!=operations/*", "run"},
		{"name:op*ok", "ok"},
		{"name < operations/g", "failed"},

		// kind and state
		{"kind=export", "run failed"},
		{"kind=EXPORT", ""},
		{"kind=Imp*", "ok"},
		{"kind:port", "run ok failed"},
		{"state=running", "run"},
		{"state:SUCCEEDED", "ok strange"},
		{"state!=RUNNING", "ok failed strange"},
		{"state=RUNNING OR state=FAILED", "run failed"},
		{"state=2", "run"},
		{"state=258", ""},

		// times
		{`create_time >= "2026-03-28T14:50:00Z"`, "run ok strange"},
		{"create_time > 2026-03-28T14:50:00Z", "ok"},
		{"create_time <= 2026-03-28T14:50:00Z", "run failed strange"},
		{"create_time < 2026-03-28T16:50:00+02:00", "failed"},
		{"create_time = 2026-03-28T14:50:00.000Z", "run strange"},
		{"create_time < 0001-01-01T00:00:00Z", ""},
		{"create_time > 1600-01-01T00:00:00Z create_time < 2500-01-01T00:00:00Z", "run ok failed strange"},
		{"create_time > 2026-03-28T13:50:00Z AND create_time > 2026-03-28T14:50:00Z", "ok"},
		{`create_time >= timestamp("2026-03-28T15:50:00Z")`, "ok"},
		{"end_time:*", "ok failed"},
		{"end_time != 2026-03-28T14:50:00Z", "ok"},

		// error
		{"error:*", "failed"},
		{"NOT error:*", "run ok strange"},
		{"error.code=8", "failed"},
		{"error.code!=8", ""}, // the others have no error
		{"error.code > 7.5", "failed"},
		{"error.message:FULL", "failed"},
		{`error.message="disk full"`, "failed"},
		{"error.details:*", "failed"},
		{"error.details.reason:no_space", "failed"},
		{"error.details.metadata:disk", "failed"},
		{"error.details.metadata.disk:sda", "failed"},
		{"error.details.@type:ErrorInfo", "failed"},

		// metadata
		{"metadata.@type=type.googleapis.com/lro.v1.OperationMetadata", "run"},
		{`metadata.@type = "type.googleapis.com/lro.v1.OperationMetadata" AND metadata.target:shelves`, "run"},
		{"metadata.@type:no.such", "strange"},
		{"metadata.@type!=type.googleapis.com/lro.v1.OperationMetadata", "ok strange"},
		{"metadata:*", "run ok strange"},
		{"metadata.target=shelves/1", "run"},
		{"metadata.state=RUNNING", "run"},
		{"metadata.progress_percent>=40", "run"},
		{"metadata.progressPercent=40", "run"},
		{"metadata.Progress_Percent=40", "run"},
		{"metadata.progress.done=9007199254740992", "run"},
		{"metadata.progress.total=9007199254740992", ""},
		{"metadata.progress.total>9007199254740992.5", "run"},
		{"metadata.progress.total>-1", "run"},
		{`metadata.progress.message:"\"way\""`, "run"},
		{"metadata.requested_cancellation:true", "run"},
		{"metadata.requested_cancellation", "run"},
		{"metadata.end_time:*", ""},
		{"metadata.end_time!=2026-03-28T14:50:00Z", ""},
		{"metadata.end_time.seconds=1", ""},
		{"metadata.create_time<=2026-03-28T14:50:00Z", "run"},
		{"metadata.partial_errors:*", "run"},
		{"metadata.partial_errors.code:7", "run"},
		{"metadata.partial_errors.code:8", ""},
		{"metadata.partial_errors.message:file", "run"},
		{"metadata.duration=1.5s", "ok"},
		{"metadata.duration>1s", "ok"},
		{`metadata.duration<duration("20s")`, "ok"},
		{"metadata.duration:*", "ok"},

		// response
		{"response:*", "ok strange"},
		{"response.files>10", "ok"},
		{"response.files=0xc", "ok"},
		{"response.@type:checksum", "ok"},
		{"response.value=hello", "strange"},

		// structure
		{"done:true AND NOT error:*", "ok strange"},
		{"done:true kind=export", "failed"},
		{"kind=export kind=Import", ""},
		{"done:false OR kind=Import AND name:o", "run ok"}, // OR binds tighter
		{"verb=gone OR done:false OR error:*", "run failed strange"},
		{"kind=gone OR done:false OR error:*", "run failed strange"},
		{"(kind=gone AND done:true) OR (kind=export AND done:false)", "run strange"},
		{"NOT (kind=export OR kind=gone)", "ok"},
		{"-(done:true)", "run"},
		{"(((done:false)))", "run"},
		{"done : true", "ok failed strange"},
		{"done:true\nAND\tkind=gone", "strange"},
	} {
		f, err := Parse(tc.filter, testTypes)
		if err != nil {
			t.Errorf("Parse(%q): %v", tc.filter, err)
			continue
		}
		where := f.Where(view)
		var got []string
		for _, rec := range []*engine.Record{run, ok, failed, strange} {
			if where.Matches(rec) {
				got = append(got, names[rec])
			}
		}
		if s := strings.Join(got, " "); s != tc.want {
			t.Errorf("filter %q matches %q, want %q", tc.filter, s, tc.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ filter, want string }{
		{"nonsense", "no such field; there are name, done, state, kind, create_time, "},
		{"nonsense=1", "no such field"},
		{"done.x:true", "no such field"},
		{"name.x:true", "no such field"},
		{"metadata.nonsense=1", "no such field"},
		{"metadata.progress.nonsense=1", "no such field"},
		{"metadata.target.x=1", "no such field"},
		{"metadata.@type.x=1", "no such field"},
		{"error.nonsense:*", "no such field; there are code, message, details"},
		{"done:maybe", "neither true nor false"},
		{"done>true", "does not apply"},
		{"state>RUNNING", "does not apply"},
		{"state=SLEEPING", `"SLEEPING" is not a value of State; there are PENDING, RUNNING, SUCCEEDED, FAILED, CANCELLED`},
		{"verb.x=gone", `field "kind.x": no such field`},
		{"create_time>yesterday", "RFC 3339"},
		{"metadata.duration>20", "duration"},
		{"metadata.duration>1m", "duration"},
		{"metadata.duration>1e9999s", "duration"},
		{"metadata.progress_percent>many", "not a number"},
		{"error.code=NOT_FOUND", "not a number"},
		{"error=5", "message"},
		{"metadata=x", "message"},
		{"metadata.progress=x", "message"},
		{"metadata.partial_errors=x", "repeated"},
		{"metadata.partial_errors.code=7", "repeated"},
		{"metadata.partial_errors:7", "message"},
		{"response.metadata=x", "map"},
		{`"done"=true`, "left"},
		{"5=5", "left"},
		{"done=", `filter "done=" ends after "=", where a value is missing`},
		{"=true", `filter "=true" cannot be parsed`},
		{"done:true AND", `filter "done:true AND" ends after AND, where a term such as done:true is missing`},
		{" (state=RUNNING OR ", `filter "(state=RUNNING OR" ends after OR, `},
		{"NOT", "ends after NOT"},
		{"AND done:true", "cannot be parsed"},
		{`kind=a\b AND (name="AND") , done`, `cannot be parsed from ", done" on`},
		{"OR", "ends after OR"},
		{"(done:true", `filter "(done:true" lacks a ")"`},
		{"(done:true AND name = AND", `lacks a ")"`},
		{`name=")" done:true)`, `has a ")" too many`},
		{"()", "cannot be parsed"},
		{`name="x AND`, "a quote that is not closed"},
		{"name=\"\xff\"", "not valid UTF-8"},
		{"done:true , " + strings.Repeat("x", 300), "xxx...\" on"},
		{"!done", "cannot be parsed"},
		{"done==true", "true"},
		{"f(done)", "not supported"},
		{"done=f(true)", "not a value"},
		{"done=(true AND false)", "not a value"},
		{strings.Repeat("(", 33) + "done" + strings.Repeat(")", 33), "nested"},
		{strings.Repeat("done:true ", 101), "more than 100"},
		{strings.Repeat(" ", MaxLength+1), "bytes"},
	} {
		_, err := Parse(tc.filter, testTypes)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("Parse(%.60q) = %v, want an error with %q", tc.filter, err, tc.want)
		}
	}
}

// A filter over a message of an unknown type is valid where the types of the
// messages are not known in advance.
func TestUnknownTypesAreOpen(t *testing.T) {
	t.Parallel()
	for _, filter := range []string{"metadata.anything=1", "response.anything.else:x"} {
		f, err := Parse(filter, Types{})
		if err != nil {
			t.Errorf("Parse(%q) = %v, want no error", filter, err)
			continue
		}
		run, _, _, _ := testRecords(t)
		if f.Where(view).Matches(run) {
			t.Errorf("filter %q matches, want no match", filter)
		}
	}
}

// A list shows of a kind's name what stands behind the last dot.
func TestShortKinds(t *testing.T) {
	t.Parallel()
	types := Types{Kinds: []string{"a.v1.Library.ExportBooks", "b.v1.Shop.Sell", "c.v1.Shop.Sell", "d.Buy", "Buy"}}
	for _, tc := range []struct {
		filter, kind string
		want         bool
	}{
		{"kind=ExportBooks", "a.v1.Library.ExportBooks", true},
		{"verb=ExportBooks", "a.v1.Library.ExportBooks", true},
		{"kind=ExportBooks OR kind=x", "a.v1.Library.ExportBooks", true},
		{"kind=ExportBooks", "ExportBooks", true}, // stored before the kind was renamed
		{"kind=ExportBooks", "z.ExportBooks", false},
		{"kind=exportbooks", "a.v1.Library.ExportBooks", false},
		{"kind!=ExportBooks", "a.v1.Library.ExportBooks", false},
		{"NOT kind=ExportBooks", "a.v1.Library.ExportBooks", false},
		{"kind!=ExportBooks", "b.v1.Shop.Sell", true},
		{"kind=Sell", "b.v1.Shop.Sell", false}, // of two
		{"kind=Buy", "d.Buy", false},           // there is one of exactly this name
		{"kind=Library.ExportBooks", "a.v1.Library.ExportBooks", false},
	} {
		f, err := Parse(tc.filter, types)
		if err != nil {
			t.Errorf("Parse(%q): %v", tc.filter, err)
			continue
		}
		rec := &engine.Record{Name: "operations/x", Kind: tc.kind}
		where := f.Where(view)
		if got := where.Matches(rec); got != tc.want {
			t.Errorf("filter %q matches kind %q: %t, want %t", tc.filter, tc.kind, got, tc.want)
		}
		if tc.filter == "kind=ExportBooks" && len(where.Kinds) != 2 {
			t.Errorf("filter %q is for the kinds %q, want the index to have both names", tc.filter, where.Kinds)
		}
	}
}

func TestWhereIsPushedDown(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		filter string
		whole  bool // nothing is left for Match
		check  func(engine.Where) bool
	}{
		{"", true, func(w engine.Where) bool { return w.Done == nil && w.States == nil && w.Kinds == nil }},
		{"done:true", true, func(w engine.Where) bool { return w.Done != nil && *w.Done }},
		{"NOT done:true", true, func(w engine.Where) bool { return w.Done != nil && !*w.Done }},
		{"done:false kind=a", true, func(w engine.Where) bool { return !*w.Done && len(w.Kinds) == 1 && w.Kinds[0] == "a" }},
		{"kind=a OR kind=b", true, func(w engine.Where) bool { return len(w.Kinds) == 2 }},
		{"kind=a*", false, func(w engine.Where) bool { return w.Kinds == nil }},
		{"kind=a OR done:true", false, func(w engine.Where) bool { return w.Kinds == nil && w.Done == nil }},
		{"error:*", true, func(w engine.Where) bool { return len(w.States) == 2 }},
		{"state=RUNNING state=FAILED", false, func(w engine.Where) bool { return len(w.States) == 1 }},
		{"create_time>=2026-01-01T00:00:00Z create_time<2026-02-01T00:00:00Z", true, func(w engine.Where) bool {
			return w.CreatedFrom.Month() == time.January && w.CreatedBefore.Month() == time.February
		}},
		{"create_time<1500-01-01T00:00:00Z", false, func(w engine.Where) bool { return w.CreatedBefore.IsZero() }},
		{"done:true metadata.target:x", false, func(w engine.Where) bool { return *w.Done }},
	} {
		f, err := Parse(tc.filter, testTypes)
		if err != nil {
			t.Errorf("Parse(%q): %v", tc.filter, err)
			continue
		}
		if w := f.Where(view); (w.Match == nil) != tc.whole || !tc.check(w) {
			t.Errorf("Where of %q = %+v", tc.filter, w)
		}
	}
}
