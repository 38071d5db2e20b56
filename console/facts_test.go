package console

import (
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/google/go-cmp/cmp"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro/lropb"
)

// foreign is metadata as services other than ours have it.
const foreign = `
	name: "foreign.proto" package: "foreign" syntax: "proto3" dependency: "google/protobuf/timestamp.proto"
	message_type {
		name: "CreateShelfMetadata"
		field { name: "verb" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
		field { name: "target" number: 2 type: TYPE_STRING label: LABEL_OPTIONAL }
		field { name: "status_detail" number: 3 type: TYPE_STRING label: LABEL_OPTIONAL }
		field { name: "cancel_requested" number: 4 type: TYPE_BOOL label: LABEL_OPTIONAL }
		field { name: "create_time" number: 5 type: TYPE_MESSAGE type_name: ".google.protobuf.Timestamp" label: LABEL_OPTIONAL }
		field { name: "end_time" number: 6 type: TYPE_MESSAGE type_name: ".google.protobuf.Timestamp" label: LABEL_OPTIONAL }
		field { name: "progress_percent" number: 7 type: TYPE_INT32 label: LABEL_OPTIONAL }
		field { name: "state" number: 8 type: TYPE_ENUM type_name: ".foreign.State" label: LABEL_OPTIONAL }
		field { name: "progress" number: 9 type: TYPE_MESSAGE type_name: ".foreign.Progress" label: LABEL_OPTIONAL }
	}
	message_type {
		name: "Progress"
		field { name: "progress_percent" number: 1 type: TYPE_INT32 label: LABEL_OPTIONAL }
		field { name: "total" number: 2 type: TYPE_UINT64 label: LABEL_OPTIONAL }
		field { name: "done" number: 3 type: TYPE_UINT64 label: LABEL_OPTIONAL }
	}
	message_type {
		name: "SplitMetadata"
		field { name: "progress" number: 9 type: TYPE_MESSAGE type_name: ".foreign.Progress" label: LABEL_OPTIONAL }
	}
	message_type {
		name: "StrangeMetadata"
		field { name: "target" number: 1 type: TYPE_INT64 label: LABEL_OPTIONAL }
		field { name: "create_time" number: 2 type: TYPE_STRING label: LABEL_OPTIONAL }
		field { name: "progress" number: 3 type: TYPE_STRING label: LABEL_REPEATED }
	}
	enum_type { name: "State" value { name: "STATE_UNSPECIFIED" number: 0 } value { name: "STATE_QUEUED" number: 1 } value { name: "DONE" number: 2 } }
`

func foreignFile(t *testing.T) protoreflect.FileDescriptor {
	t.Helper()
	var fd descriptorpb.FileDescriptorProto
	if err := prototext.Unmarshal([]byte(foreign), &fd); err != nil {
		t.Fatal(err)
	}
	file, err := protodesc.NewFile(&fd, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestFacts(t *testing.T) {
	t.Parallel()
	file := foreignFile(t)
	types := dynamicpb.NewTypes(files(t, file))
	decode := func(_ ctxT, a *anypb.Any) proto.Message {
		m, err := anypb.UnmarshalNew(a, proto.UnmarshalOptions{Resolver: types})
		if err != nil {
			return decodeLinked(t.Context(), a)
		}
		return m
	}
	h := newHandler(t, &plainSource{}, Config{Decode: decode})
	metadata := func(name protoreflect.Name, text string) *anypb.Any {
		m := dynamicpb.NewMessage(file.Messages().ByName(name))
		if err := (prototext.UnmarshalOptions{Resolver: types}).Unmarshal([]byte(text), m); err != nil {
			t.Fatal(err)
		}
		return pack(t, m)
	}
	sec := func(n int64) time.Time { return time.Unix(n, 0).UTC() }
	const pending, active = lropb.OperationMetadata_PENDING, stateActive
	failure := &longrunningpb.Operation_Error{Error: &spb.Status{Code: 5}}
	tests := []struct {
		name string
		op   *longrunningpb.Operation
		want facts
	}{
		{"no metadata", &longrunningpb.Operation{}, facts{state: active, percent: -1}},
		{"unknown type", &longrunningpb.Operation{Metadata: &anypb.Any{TypeUrl: "a/b.MoveMetadata", Value: []byte{255}}},
			facts{state: active, percent: -1, kind: "Move", kindFrom: "the type of the metadata"}},
		{"like most", &longrunningpb.Operation{Metadata: metadata("CreateShelfMetadata", `
			verb: "create" target: "shelves/1" status_detail: "dusting" cancel_requested: true
			create_time { seconds: 5 } progress_percent: 30 state: STATE_QUEUED`)},
			facts{state: pending, percent: 30, kind: "create", kindFrom: "the metadata", target: "shelves/1", message: "dusting", cancelled: true, created: sec(5)}},
		{"failed", &longrunningpb.Operation{Done: true, Result: failure, Metadata: metadata("CreateShelfMetadata", `end_time { seconds: 9 } state: STATE_QUEUED`)},
			facts{state: lropb.OperationMetadata_FAILED, percent: -1, kind: "CreateShelf", kindFrom: "the type of the metadata", ended: sec(9)}},
		{"times of no year", &longrunningpb.Operation{Metadata: metadata("CreateShelfMetadata", `create_time { seconds: 999999999999 } progress_percent: 101`)},
			facts{state: active, percent: 100, kind: "CreateShelf", kindFrom: "the type of the metadata"}},
		{"an end before its time", &longrunningpb.Operation{Metadata: pack(t, &lropb.OperationMetadata{StartTime: ts(began), EndTime: ts(began.Add(time.Hour))})},
			facts{state: active, percent: -1, started: began}},
		{"an empty end", &longrunningpb.Operation{Done: true, Metadata: pack(t, &lropb.OperationMetadata{StartTime: ts(began), EndTime: tsRaw(0, 0)})},
			facts{state: lropb.OperationMetadata_SUCCEEDED, percent: -1, started: began}},
		{"JSON of an unknown type", &longrunningpb.Operation{Metadata: pack(t, pack(t, wrapperspb.String(
			`{"@type":"type.googleapis.com/a.b.MoveMetadata","target":"shelves/1","progressPercent":40,"createTime":"1970-01-01T00:00:05Z"}`)))},
			facts{state: active, percent: 40, kind: "Move", kindFrom: "the type of the metadata", target: "shelves/1", created: sec(5)}},
		{"progress inside", &longrunningpb.Operation{Metadata: metadata("SplitMetadata", `progress { total: 8 done: 2 }`)},
			facts{state: active, percent: 25, done: 2, total: 8, kind: "Split", kindFrom: "the type of the metadata"}},
		{"other fields of the same names", &longrunningpb.Operation{Metadata: metadata("StrangeMetadata", `target: 4 create_time: "x" progress: "y"`)},
			facts{state: active, percent: -1, kind: "Strange", kindFrom: "the type of the metadata"}},
		{"ours", &longrunningpb.Operation{Metadata: pack(t, &lropb.OperationMetadata{State: pending, Verb: "v", Attempt: 2, Progress: &lropb.Progress{Total: 4}})},
			facts{state: pending, percent: 0, total: 4, kind: "v", kindFrom: "the metadata", attempt: 2}},
		{"ours, with times out of range", &longrunningpb.Operation{Metadata: pack(t, &lropb.OperationMetadata{CreateTime: tsRaw(1<<60, -5)})},
			facts{state: active, percent: -1}},
		{"succeeded", &longrunningpb.Operation{Done: true, Result: &longrunningpb.Operation_Response{}, Metadata: pack(t, &lropb.OperationMetadata{ProgressPercent: 80})},
			facts{state: lropb.OperationMetadata_SUCCEEDED, percent: 100}},
		{"done without a result", &longrunningpb.Operation{Done: true}, facts{state: lropb.OperationMetadata_SUCCEEDED, percent: -1}},
		{"cancelled", &longrunningpb.Operation{Done: true, Result: &longrunningpb.Operation_Error{Error: &spb.Status{Code: 1}}},
			facts{state: lropb.OperationMetadata_CANCELLED, percent: -1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := h.factsOf(t.Context(), Operation{Message: tt.op})
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(facts{})); diff != "" {
				t.Errorf("factsOf(%v) (-want +got):\n%s", tt.op, diff)
			}
		})
	}
}

// TestFactsOfInfo takes what the source knows before what the metadata says.
func TestFactsOfInfo(t *testing.T) {
	t.Parallel()
	h := newHandler(t, &plainSource{}, Config{})
	op := Operation{
		Message: &longrunningpb.Operation{Metadata: pack(t, &lropb.OperationMetadata{Verb: "other", State: lropb.OperationMetadata_PENDING, CreateTime: ts(began.Add(time.Hour))})},
		Info:    &Info{Kind: "export", State: lropb.OperationMetadata_RUNNING, CreateTime: began, CancelTime: began},
	}
	got := h.factsOf(t.Context(), op)
	if got.kind != "export" || got.kindFrom != "" || got.state != lropb.OperationMetadata_RUNNING || !got.created.Equal(began) || !got.cancelled {
		t.Errorf("factsOf = %+v, want what the source knows", got)
	}
	if s := stageOf(got.state, got.cancelled); s.Label != "Cancelling" {
		t.Errorf("stage = %+v, want Cancelling", s)
	}
}

// TestSameOverHTTP: a row is the same whether the metadata's type is known or
// its JSON is all there is, as over HTTP.
func TestSameOverHTTP(t *testing.T) {
	t.Parallel()
	types := dynamicpb.NewTypes(files(t, foreignFile(t)))
	mt, err := types.FindMessageByName("foreign.CreateShelfMetadata")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		`{}`,
		`{"verb": "create", "target": "shelves/1", "statusDetail": "dusting", "createTime": "2026-11-22T10:00:00Z", "progressPercent": 30, "state": "STATE_QUEUED"}`,
		`{"cancelRequested": true, "endTime": "2026-11-22T10:00:00Z", "progress": {"total": "8", "done": "2"}}`,
	} {
		m := mt.New().Interface()
		if err := protojson.Unmarshal([]byte(text), m); err != nil {
			t.Fatal(err)
		}
		packed := pack(t, m)
		sent, err := protojson.MarshalOptions{Resolver: types}.Marshal(packed)
		if err != nil {
			t.Fatal(err)
		}
		known := newHandler(t, &plainSource{}, Config{Decode: func(_ ctxT, a *anypb.Any) proto.Message {
			m, err := anypb.UnmarshalNew(a, proto.UnmarshalOptions{Resolver: types})
			if err != nil {
				t.Error(err)
			}
			return m
		}})
		unknown := newHandler(t, &plainSource{}, Config{})
		row := func(h *Handler, metadata *anypb.Any) row {
			return h.rowOf(t.Context(), Operation{Message: &longrunningpb.Operation{Name: "operations/x", Metadata: metadata}})
		}
		want, got := row(known, packed), row(unknown, pack(t, pack(t, wrapperspb.String(string(sent)))))
		if diff := cmp.Diff(want, got); diff != "" || got.Kind == "" || got.Kind == "Any" {
			t.Errorf("row of %s has kind %q (-message +JSON):\n%s", text, got.Kind, diff)
		}
	}
}

// TestTook: an end before the begin is no duration.
func TestTook(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		begin, end time.Time
		want       duration
	}{
		{began, began.Add(time.Minute), duration{Text: "1 min 00 s"}},
		{began, began, duration{Text: "0 ms"}},
		{began, time.Unix(1, 0), duration{}},
		{time.Time{}, began, duration{}},
	} {
		f := facts{state: lropb.OperationMetadata_SUCCEEDED, started: tt.begin, ended: tt.end}
		if got := durationOf(&f); got != tt.want {
			t.Errorf("duration from %v to %v = %+v, want %+v", tt.begin, tt.end, got, tt.want)
		}
	}
}

func TestRowOfLargeMetadata(t *testing.T) {
	t.Parallel()
	op := running(t, "operations/one", 1)
	op.Message.Metadata.Value = append(op.Message.Metadata.Value, make([]byte, maxRowMetadata)...)
	h := newHandler(t, &plainSource{}, Config{Decode: func(ctxT, *anypb.Any) proto.Message {
		t.Error("decodes metadata of megabytes for a row")
		return nil
	}})
	if r := h.rowOf(t.Context(), op); r.Kind != "export" || r.State.Key != "running" {
		t.Errorf("row = %+v, want what the source knows", r)
	}
}

func files(t *testing.T, fd protoreflect.FileDescriptor) *protoregistry.Files {
	t.Helper()
	all := new(protoregistry.Files)
	if err := all.RegisterFile(fd); err != nil {
		t.Fatal(err)
	}
	return all
}

func tsRaw(seconds int64, nanos int32) *timestamppb.Timestamp {
	return &timestamppb.Timestamp{Seconds: seconds, Nanos: nanos}
}
