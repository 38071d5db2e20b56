package render

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/google/go-cmp/cmp"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro/internal/cli/dyntest"
	"github.com/go-lro/lro/internal/cli/payload"
	"github.com/go-lro/lro/internal/cli/term"
	"github.com/go-lro/lro/lropb"
)

func pack(t testing.TB, m proto.Message) *anypb.Any {
	t.Helper()
	packed, err := anypb.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

func running(metadata *anypb.Any) *longrunningpb.Operation {
	return &longrunningpb.Operation{Name: "operations/x", Metadata: metadata}
}

func ended(code codes.Code, message string) *longrunningpb.Operation {
	return &longrunningpb.Operation{
		Name: "operations/x", Done: true,
		Result: &longrunningpb.Operation_Error{Error: &spb.Status{Code: int32(code), Message: message}},
	}
}

func TestState(t *testing.T) {
	t.Parallel()
	state := func(s lropb.OperationMetadata_State) *anypb.Any {
		return pack(t, &lropb.OperationMetadata{State: s})
	}
	succeeded := &longrunningpb.Operation{Name: "operations/x", Done: true}
	tests := []struct {
		name string
		op   *longrunningpb.Operation
		want string
		exit int
	}{
		{"nothing known", running(nil), Running, 0},
		{"pending", running(state(lropb.OperationMetadata_PENDING)), Pending, 0},
		{"running", running(state(lropb.OperationMetadata_RUNNING)), Running, 0},
		{"metadata is ahead", running(state(lropb.OperationMetadata_SUCCEEDED)), Running, 0},
		{"neither response nor error", succeeded, Succeeded, 0},
		{"failed", ended(codes.NotFound, ""), Failed, 3},
		{"failed with code 0", ended(codes.OK, ""), Failed, 3},
		{"cancelled", ended(codes.Canceled, ""), Cancelled, 4},
		{"metadata that does not decode", running(&anypb.Any{TypeUrl: "x/lro.v1.OperationMetadata", Value: []byte{0xff}}), Running, 0},
		{"metadata of no type", running(&anypb.Any{Value: []byte{1}}), Running, 0},
	}
	for _, tt := range tests {
		op := Of(t.Context(), &payload.Types{}, tt.op)
		if op.State != tt.want || op.Exit() != tt.exit {
			t.Errorf("%s: state %s, exit status %d, want %s and %d", tt.name, op.State, op.Exit(), tt.want, tt.exit)
		}
	}
}

// TestErrorOfCodeZero: an error is never shown as OK.
func TestErrorOfCodeZero(t *testing.T) {
	t.Parallel()
	op := Of(t.Context(), &payload.Types{}, ended(codes.OK, "odd"))
	var text bytes.Buffer
	if err := op.Text(t.Context(), &term.IO{Out: &text}); err != nil {
		t.Fatal(err)
	}
	shown := []string{text.String(), op.Line(&term.IO{}), op.row(Times{})[detailColumn]}
	for _, s := range shown {
		if !strings.Contains(s, "UNKNOWN: odd") {
			t.Errorf("shown as %q, want UNKNOWN", s)
		}
	}
	if j := op.JSON(t.Context()); j.Error.Code != 0 || j.Error.Status != "UNKNOWN" {
		t.Errorf("JSON error = %+v, want code 0 as it came, and UNKNOWN", j.Error)
	}
}

func TestMetadataOfOthers(t *testing.T) {
	t.Parallel()
	packed, err := dyntest.New(`{"progressPercent": 42, "statusMessage": "going on", "createTime": "2026-01-02T03:04:05Z", "shape": {"sides": 3}}`)
	if err != nil {
		t.Fatal(err)
	}
	types := &payload.Types{}
	files := dyntest.Set()
	path := t.TempDir() + "/set.pb"
	writeSet(t, path, files)
	if err := types.AddFile(path); err != nil {
		t.Fatal(err)
	}
	op := Of(t.Context(), types, running(packed))
	if op.Progress.Percent != 42 || op.Message != "going on" || !op.Created.Equal(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)) {
		t.Errorf("Of metadata with the usual fields = %+v", op)
	}
	var out bytes.Buffer
	if err := op.Text(t.Context(), &term.IO{Out: &out}); err != nil {
		t.Fatal(err)
	}
	want := `name      operations/x
state     RUNNING
progress  42%
message   going on
kind      Thing
created   2026-01-02T03:04:05Z
metadata  lro.dyntest.v1.Thing
  {
    "progressPercent": 42,
    "statusMessage": "going on",
    "createTime": "2026-01-02T03:04:05Z",
    "shape": {
      "sides": 3
    }
  }
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("Text (-want +got):\n%s", diff)
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	tests := []struct {
		m    proto.Message
		want term.Progress
	}{
		{&lropb.OperationMetadata{}, term.Progress{Percent: -1}},
		{&lropb.OperationMetadata{ProgressPercent: 7}, term.Progress{Percent: 7}},
		{&lropb.OperationMetadata{ProgressPercent: 700}, term.Progress{Percent: 100}},
		{&lropb.OperationMetadata{ProgressPercent: -7}, term.Progress{Percent: -1}},
		{&lropb.OperationMetadata{Progress: &lropb.Progress{Done: 1, Total: 3, Unit: "files", Message: "a"}}, term.Progress{Percent: 33, Done: 1, Total: 3, Unit: "files", Text: "a"}},
		{&lropb.OperationMetadata{Progress: &lropb.Progress{Done: 9, Total: 3}}, term.Progress{Percent: 100, Done: 9, Total: 3}},
		{&lropb.OperationMetadata{Progress: &lropb.Progress{Done: -9, Total: -3}}, term.Progress{Percent: -1}},
		{&lropb.OperationMetadata{Progress: &lropb.Progress{Done: 1 << 62, Total: 1<<63 - 1}}, term.Progress{Percent: 50, Done: 1 << 62, Total: 1<<63 - 1}},
		{wrapperspb.String("no fields of the usual names"), term.Progress{Percent: -1}},
		{durationpb.New(time.Second), term.Progress{Percent: -1}},
	}
	for _, tt := range tests {
		got := Of(t.Context(), &payload.Types{}, running(pack(t, tt.m))).Progress
		if got != tt.want {
			t.Errorf("progress of %v = %+v, want %+v", tt.m, got, tt.want)
		}
	}
}

func TestTimesOutOfRange(t *testing.T) {
	t.Parallel()
	for _, ts := range []*timestamppb.Timestamp{{Seconds: 1 << 60}, {Seconds: -1 << 60}, {Nanos: -1}, {Nanos: 1 << 30}} {
		op := Of(t.Context(), &payload.Types{}, running(pack(t, &lropb.OperationMetadata{CreateTime: ts})))
		if !op.Created.IsZero() {
			t.Errorf("create time %v became %v, want none", ts, op.Created)
		}
		if text, err := json.Marshal(op.JSON(t.Context())); err != nil || !json.Valid(text) {
			t.Errorf("JSON with create time %v: %s, %v", ts, text, err)
		}
	}
}

// TestEnd: an operation that runs has not ended, whenever it is expected to, and
// takes no time that is negative.
func TestEnd(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	metadata := func(start, end time.Time) *anypb.Any {
		return pack(t, &lropb.OperationMetadata{StartTime: timestamppb.New(start), EndTime: timestamppb.New(end)})
	}
	succeeded := func(metadata *anypb.Any) *longrunningpb.Operation {
		return &longrunningpb.Operation{Name: "operations/x", Done: true, Metadata: metadata}
	}
	tests := []struct {
		name string
		op   *longrunningpb.Operation
		want string // of the lines about the end
	}{
		{"expected end", running(metadata(begin, begin.Add(time.Hour))), ""},
		{"an end before its time", running(metadata(begin, begin)), ""},
		{"ended", succeeded(metadata(begin, begin.Add(time.Minute))), "ended     2026-01-02T03:05:05Z\ntook      1m00s\n"},
		{"an empty end", succeeded(metadata(begin, time.Unix(0, 0))), ""},
		{"an end in 1970", succeeded(metadata(begin, time.Unix(1, 0))), "ended     1970-01-01T00:00:01Z\n"},
		{"no begin", succeeded(metadata(time.Unix(0, 0), begin)), "ended     2026-01-02T03:04:05Z\n"},
	}
	for _, tt := range tests {
		var out bytes.Buffer
		op := Of(t.Context(), &payload.Types{}, tt.op)
		if err := op.Text(t.Context(), &term.IO{Out: &out}); err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		for line := range strings.Lines(out.String()) {
			if strings.HasPrefix(line, "ended ") || strings.HasPrefix(line, "took ") {
				got.WriteString(line)
			}
		}
		if got.String() != tt.want {
			t.Errorf("%s: text has %q, want %q", tt.name, got.String(), tt.want)
		}
		if j := op.JSON(t.Context()); (j.EndTime != nil) != strings.HasPrefix(tt.want, "ended") {
			t.Errorf("%s: endTime = %v", tt.name, j.EndTime)
		}
	}
}

// TestHostile: nothing that a service sends reaches a terminal raw.
func TestHostile(t *testing.T) {
	t.Parallel()
	const evil = "\x1b[2J\x1b]0;owned\x07\r\n\u009b31m\u202e\u2028\x7f"
	op := &longrunningpb.Operation{
		Name: "operations/" + evil, Done: true,
		Metadata: pack(t, &lropb.OperationMetadata{
			Target: evil, Verb: evil, StatusMessage: evil,
			Progress:      &lropb.Progress{Done: 1, Unit: evil, Message: evil},
			PartialErrors: []*spb.Status{{Code: 5, Message: evil}},
		}),
		Result: &longrunningpb.Operation_Error{Error: &spb.Status{
			Code: 99, Message: evil, Details: []*anypb.Any{{TypeUrl: evil, Value: []byte(evil)}, pack(t, wrapperspb.String(evil))},
		}},
	}
	for _, terminal := range []bool{false, true} {
		var out bytes.Buffer
		io := &term.IO{Out: &out, OutTerminal: terminal, ErrTerminal: terminal}
		read := Of(t.Context(), &payload.Types{}, op)
		if err := read.Text(t.Context(), io); err != nil {
			t.Fatal(err)
		}
		if err := WriteJSON(&out, read.JSON(t.Context())); err != nil {
			t.Fatal(err)
		}
		table := NewTable(io)
		if err := table.Write([]*Operation{read}); err != nil {
			t.Fatal(err)
		}
		out.WriteString(read.Line(io) + "\n" + read.Change(io) + "\n")
		for _, c := range []string{"\x1b", "\r", "\x07", "\u009b", "\u202e", "\u2028", "\x7f"} {
			if strings.Contains(out.String(), c) {
				t.Errorf("terminal %t: %q came through:\n%q", terminal, c, out.String())
			}
		}
	}
}

func TestTableFits(t *testing.T) {
	t.Parallel()
	ops := []*longrunningpb.Operation{
		running(pack(t, &lropb.OperationMetadata{Verb: "checksum", StatusMessage: strings.Repeat("long ", 50), CreateTime: timestamppb.Now()})),
		ended(codes.Internal, "世界世界世界世界世界世界世界世界世界世界世界世界世界世界世界世界世界世界世界世界世界世界世界世界世界"),
		{Name: "projects/p/locations/l/operations/" + strings.Repeat("x", 60)},
	}
	for columns := 20; columns < 200; columns++ {
		var out bytes.Buffer
		io := &term.IO{Out: &out, OutTerminal: true, Columns: func() int { return columns }}
		table := NewTable(io)
		for _, op := range ops {
			if err := table.Write([]*Operation{Of(t.Context(), &payload.Types{}, op)}); err != nil {
				t.Fatal(err)
			}
		}
		for line := range strings.Lines(out.String()) {
			if n := term.Columns(strings.TrimSuffix(line, "\n")); n > columns {
				t.Fatalf("a line of %d columns on a terminal of %d:\n%s", n, columns, out.String())
			}
		}
		if n := strings.Count(out.String(), Running) + strings.Count(out.String(), Failed); n != len(ops) {
			t.Fatalf("%d states of %d operations on a terminal of %d columns:\n%s", n, len(ops), columns, out.String())
		}
	}
}

// TestTableOfLongNames: the state is there however long the names are. What they
// have in common stands above them once, also over several pages.
func TestTableOfLongNames(t *testing.T) {
	t.Parallel()
	const parent = "projects/my-project-1234/locations/europe-west1/operations/"
	page := func(names ...string) []*Operation {
		var ops []*Operation
		for _, name := range names {
			ops = append(ops, Of(t.Context(), &payload.Types{}, &longrunningpb.Operation{
				Name: name, Metadata: pack(t, &lropb.OperationMetadata{ProgressPercent: 42, Verb: "create"}),
			}))
		}
		return ops
	}
	const a, b = "operation-1764165600000-63f1c4a0a1b2c-9d8e7f60", "operation-1764165600001-63f1c4a0a1b2d-00000000"
	tests := []struct {
		name    string
		columns int
		pages   [][]*Operation
		want    string
	}{
		{"a common parent", 80, [][]*Operation{page(parent+a, parent+b), page(parent + a)}, parent + `
NAME                                            STATE    PROGRESS  CREATED
` + a + `  RUNNING  42%
` + b + `  RUNNING  42%
` + a + `  RUNNING  42%
`},
		{"another parent later", 60, [][]*Operation{page("a/long/enough/to/be/cut/operations/1", "a/long/enough/to/be/cut/operations/2"), page("b/long/enough/to/be/cut/operations/1")}, `a/long/enough/to/be/cut/operations/
NAME  STATE    PROGRESS  CREATED  KIND    DETAIL
1     RUNNING  42%                create
2     RUNNING  42%                create
b/long/enough/to/be/cut/operations/
1     RUNNING  42%                create
`},
		{"room for all", 150, [][]*Operation{page(parent + a)}, `NAME                                                                                                       STATE    PROGRESS  CREATED  KIND
` + parent + a + `  RUNNING  42%                create
`},
		{"no common parent", 40, [][]*Operation{page("x/operations/"+a, "y/operations/"+b)}, `NAME                             STATE
x/operati...1c4a0a1b2c-9d8e7f60  RUNNING
y/operati...1c4a0a1b2d-00000000  RUNNING
`},
		{"narrow", 30, [][]*Operation{page(parent + a)}, `projects/...-west1/operations/
NAME                   STATE
operat...b2c-9d8e7f60  RUNNING
`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			table := NewTable(&term.IO{Out: &out, OutTerminal: true, Columns: func() int { return tt.columns }})
			for _, ops := range tt.pages {
				if err := table.Write(ops); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(tt.want, out.String()); diff != "" {
				t.Errorf("table (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC)
	for _, tt := range []struct {
		terminal bool
		at       time.Time
		want     string
	}{
		{true, time.Time{}, ""},
		{false, time.Time{}, ""},
		{true, now.Add(-90 * time.Second), "1m30s ago"},
		{true, now.Add(maxSkew), "0s ago"},
		{true, now.Add(90 * time.Second), "2026-01-02T03:05:35.0000006Z"},
		{false, now, "2026-01-02T03:04:05.0000006Z"},
	} {
		if got := (Times{Terminal: tt.terminal, Now: now}).Text(tt.at); got != tt.want {
			t.Errorf("Times{%t}.Text(%v) = %q, want %q", tt.terminal, tt.at, got, tt.want)
		}
	}
}

func FuzzOf(f *testing.F) {
	f.Add("x/lro.v1.OperationMetadata", []byte("\x58\x07"))
	f.Add("x/google.rpc.Status", []byte("\x08\x07"))
	f.Fuzz(func(t *testing.T, url string, value []byte) {
		op := Of(t.Context(), &payload.Types{}, running(&anypb.Any{TypeUrl: url, Value: value}))
		var out bytes.Buffer
		if err := op.Text(t.Context(), &term.IO{Out: &out, OutTerminal: true}); err != nil {
			t.Error(err)
		}
		for line := range strings.Lines(out.String()) {
			if text := strings.TrimSuffix(line, "\n"); term.Clean(text) != text {
				t.Errorf("Text of %q %x = %q", url, value, line)
			}
		}
		if p := op.Progress.Percent; p < -1 || p > 100 {
			t.Errorf("progress of %q %x = %d%%", url, value, p)
		}
		if text, err := json.Marshal(op.JSON(t.Context())); err != nil || !json.Valid(text) {
			t.Errorf("JSON of %q %x: %v", url, value, err)
		}
	})
}
