package progress

import (
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro/lropb"
)

// loadTypes reads the descriptors in testdata.
func loadTypes(t testing.TB) *dynamicpb.Types {
	t.Helper()
	all := &descriptorpb.FileDescriptorSet{}
	for _, m := range []proto.Message{&timestamppb.Timestamp{}, &wrapperspb.Int32Value{}, &structpb.Struct{}} {
		all.File = append(all.File, protodesc.ToFileDescriptorProto(m.ProtoReflect().Descriptor().ParentFile()))
	}
	for _, name := range []string{"testdata/google.txtpb", "testdata/others.txtpb"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		set := &descriptorpb.FileDescriptorSet{}
		if err := prototext.Unmarshal(text, set); err != nil {
			t.Fatal(err)
		}
		all.File = append(all.File, set.GetFile()...)
	}
	files, err := protodesc.NewFiles(all)
	if err != nil {
		t.Fatal(err)
	}
	return dynamicpb.NewTypes(files)
}

func pack(t testing.TB, m proto.Message) *anypb.Any {
	t.Helper()
	packed, err := anypb.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

// kept is an Any of which only the JSON is known.
func kept(t testing.TB, text string) *anypb.Any { return pack(t, pack(t, wrapperspb.String(text))) }

// TestTypes: the same metadata gives the same facts as a message, packed, as
// JSON, and as the JSON that was kept of a type that is not linked.
func TestTypes(t *testing.T) {
	t.Parallel()
	types := loadTypes(t)
	at := func(second int) time.Time { return time.Date(2026, 1, 2, 3, 4, second, 0, time.UTC) }
	tests := []struct {
		name, typ, json string
		want            Facts
	}{
		{"nothing set", "google.cloud.functions.v2.OperationMetadata", `{}`, Facts{Percent: -1}},
		{"common", "google.cloud.networkconnectivity.v1.OperationMetadata",
			`{"createTime": "2026-01-02T03:04:05Z", "endTime": "2026-01-02T03:04:15Z", "target": "projects/p/hubs/h",
			"verb": "create", "statusMessage": "working", "requestedCancellation": true, "apiVersion": "v1"}`,
			Facts{Percent: -1, Kind: "create", Target: "projects/p/hubs/h", Message: "working", CancelRequested: true, Created: at(5), Ended: at(15)}},
		{"status_detail and cancel_requested", "google.cloud.functions.v2.OperationMetadata",
			`{"createTime": "2026-01-02T03:04:05Z", "verb": "update", "statusDetail": "building", "cancelRequested": true, "operationType": "UPDATE_FUNCTION"}`,
			Facts{Percent: -1, Kind: "update", Message: "building", CancelRequested: true, Created: at(5)}},
		{"kind by operation_type", "google.cloud.functions.v2.OperationMetadata", `{"operationType": "CREATE_FUNCTION"}`,
			Facts{Percent: -1, Kind: "CREATE_FUNCTION"}},
		{"progress_percentage", "google.api.servicemanagement.v1.OperationMetadata", `{"progressPercentage": 40, "startTime": "2026-01-02T03:04:05Z"}`,
			Facts{Percent: 40, Started: at(5)}},
		{"progress_percentage of a double", "google.cloud.texttospeech.v1.SynthesizeLongAudioMetadata",
			`{"progressPercentage": 12.5, "startTime": "2026-01-02T03:04:05Z", "lastUpdateTime": "2026-01-02T03:04:06Z"}`,
			Facts{Percent: 12.5, Started: at(5), Updated: at(6)}},
		{"progress_percent", "google.cloud.speech.v1.LongRunningRecognizeMetadata",
			`{"progressPercent": 7, "startTime": "2026-01-02T03:04:05Z", "lastUpdateTime": "2026-01-02T03:04:06Z", "uri": "gs://b/a.flac"}`,
			Facts{Percent: 7, Started: at(5), Updated: at(6)}},
		{"percent_complete", "google.cloud.oracledatabase.v1.OperationMetadata", `{"percentComplete": 0.5, "verb": "create", "target": "x"}`,
			Facts{Percent: 0.5, Kind: "create", Target: "x"}},
		{"percent_done inside", "google.cloud.apigee.v1.OperationMetadata",
			`{"operationType": "INSERT", "targetResourceName": "organizations/o", "state": "IN_PROGRESS", "progress": {"percentDone": 60, "description": "creating", "state": "NOT_STARTED"}}`,
			Facts{Percent: 60, Kind: "INSERT", Target: "organizations/o", State: Running, Step: "creating"}},
		{"unspecified is nothing", "google.cloud.apigee.v1.OperationMetadata", `{"progress": {}}`, Facts{Percent: -1}},
		{"generic_metadata", "google.cloud.aiplatform.v1.DeployModelOperationMetadata",
			`{"genericMetadata": {"createTime": "2026-01-02T03:04:05Z", "updateTime": "2026-01-02T03:04:06Z"}, "deploymentStage": "FINISHING_UP"}`,
			Facts{Percent: -1, Created: at(5), Updated: at(6)}},
		{"common_metadata", "google.cloud.documentai.v1.DeployProcessorVersionMetadata",
			`{"commonMetadata": {"state": "RUNNING", "stateMessage": "warm", "resource": "r", "createTime": "2026-01-02T03:04:05Z", "updateTime": "2026-01-02T03:04:06Z"}}`,
			Facts{Percent: -1, State: Running, Message: "warm", Created: at(5), Updated: at(6)}},
		{"waiting", "google.cloud.documentai.v1.BatchProcessMetadata", `{"state": "WAITING", "createTime": "2026-01-02T03:04:05Z"}`,
			Facts{Percent: -1, State: Pending, Created: at(5)}},
		{"cancelling", "google.cloud.documentai.v1.BatchProcessMetadata", `{"state": "CANCELLING"}`,
			Facts{Percent: -1, State: Running, CancelRequested: true}},
		{"metadata is ahead", "google.cloud.documentai.v1.BatchProcessMetadata", `{"state": "SUCCEEDED"}`, Facts{Percent: -1}},
		{"common and counters", "google.datastore.admin.v1.ExportEntitiesMetadata",
			`{"common": {"startTime": "2026-01-02T03:04:05Z", "operationType": "EXPORT_ENTITIES", "state": "INITIALIZING"},
			"progressEntities": {"workCompleted": "30", "workEstimated": "120"}, "outputUrlPrefix": "gs://b"}`,
			Facts{Percent: 25, Done: 30, Total: 120, Unit: "entities", Kind: "EXPORT_ENTITIES", State: Pending, Started: at(5)}},
		{"two counters", "google.firestore.admin.v1.ImportDocumentsMetadata",
			`{"startTime": "2026-01-02T03:04:05Z", "operationState": "PROCESSING",
			"progressDocuments": {"completedWork": "1", "estimatedWork": "4"}, "progressBytes": {"completedWork": "500", "estimatedWork": "1000"}}`,
			Facts{Percent: 50, Done: 500, Total: 1000, Unit: "bytes", State: Running, Started: at(5)}},
		{"the counter that has a total", "google.firestore.admin.v1.ImportDocumentsMetadata",
			`{"progressDocuments": {"completedWork": "1", "estimatedWork": "4"}, "progressBytes": {"completedWork": "500"}}`,
			Facts{Percent: 25, Done: 1, Total: 4, Unit: "documents"}},
		{"nothing of a total", "google.firestore.admin.v1.RestoreDatabaseMetadata", `{"progressPercentage": {"estimatedWork": "100"}, "operationState": "FINALIZING"}`,
			Facts{Percent: 0, Total: 100, State: Running}},
		{"counters of outcomes", "google.cloud.talent.v4.BatchOperationMetadata", `{"successCount": 6, "failureCount": 2, "totalCount": 10, "stateDescription": "x", "updateTime": "2026-01-02T03:04:05Z"}`,
			Facts{Percent: 80, Done: 8, Total: 10, Updated: at(5)}},
		{"a list of progress", "google.spanner.admin.database.v1.UpdateDatabaseDdlMetadata",
			`{"database": "d", "statements": ["a", "b"], "progress": [{"progressPercent": 100, "startTime": "2026-01-02T03:04:05Z"}, {"progressPercent": 50}, {}]}`,
			Facts{Percent: 50}},
		{"a list of progress not begun", "google.spanner.admin.database.v1.UpdateDatabaseDdlMetadata", `{"progress": [{}, {}]}`, Facts{Percent: -1}},
		{"times inside progress, cancel_time", "google.spanner.admin.database.v1.CreateBackupMetadata",
			`{"name": "n", "progress": {"progressPercent": 3, "startTime": "2026-01-02T03:04:05Z", "endTime": "2026-01-02T03:04:06Z"}, "cancelTime": "2026-01-02T03:04:07Z"}`,
			Facts{Percent: 3, Started: at(5), Ended: at(6), CancelRequested: true}},
		{"no progress at all", "google.spanner.admin.instance.v1.CreateInstanceMetadata", `{"startTime": "2026-01-02T03:04:05Z", "expectedFulfillmentPeriod": "FULFILLMENT_PERIOD_NORMAL"}`,
			Facts{Percent: -1, Started: at(5)}},
		{"a list by another name", "google.cloud.videointelligence.v1.AnnotateVideoProgress",
			`{"annotationProgress": [{"inputUri": "gs://b/v", "progressPercent": 20}, {"progressPercent": 60}]}`, Facts{Percent: 40}},
		{"state in a status", "google.cloud.dataproc.v1.ClusterOperationMetadata",
			`{"clusterName": "c", "status": {"state": "PENDING", "details": "x"}, "operationType": "CREATE"}`,
			Facts{Percent: -1, State: Pending, Kind: "CREATE"}},
		{"Compute", "google.cloud.compute.v1.Operation",
			`{"insertTime": "2026-01-01T19:04:05.5-08:00", "startTime": "2026-01-02T03:04:06+00:00", "kind": "compute#operation", "name": "operation-1",
			"operationType": "insert", "progress": 1, "status": "RUNNING", "targetLink": "https://www.googleapis.com/compute/v1/projects/p/zones/z/instances/i"}`,
			Facts{Percent: 1, Kind: "insert", Target: "https://www.googleapis.com/compute/v1/projects/p/zones/z/instances/i", State: Running,
				Created: at(5).Add(500 * time.Millisecond), Started: at(6)}},
		{"Compute, not begun", "google.cloud.compute.v1.Operation", `{"progress": 0, "status": "PENDING"}`, Facts{Percent: -1, State: Pending}},
		{"a fraction", "example.v1.FractionMetadata", `{"progress": 0.25}`, Facts{Percent: 25}},
		{"a number in percent", "example.v1.FractionMetadata", `{"progress": 42.5}`, Facts{Percent: 42.5}},
		{"too much", "example.v1.FractionMetadata", `{"progress": 1e300}`, Facts{Percent: 100}},
		{"not a number", "example.v1.FractionMetadata", `{"progress": "NaN"}`, Facts{Percent: -1}},
		{"infinite", "example.v1.CompletionMetadata", `{"completionPercentage": "Infinity"}`, Facts{Percent: -1}},
		{"completion_percentage", "example.v1.CompletionMetadata", `{"completionPercentage": 64.5}`, Facts{Percent: 64.5}},
		{"negative", "example.v1.CompletionMetadata", `{"completionPercentage": -1}`, Facts{Percent: -1}},
		{"wrapped", "example.v1.WrappedMetadata", `{"progressPercent": 9, "verb": "move"}`, Facts{Percent: 9, Kind: "move"}},
		{"counted at the top", "example.v1.CountedMetadata", `{"done": "18446744073709551615", "total": "4", "unit": "rows", "message": "m", "attempt": 3}`,
			Facts{Percent: 100, Done: 1<<63 - 1, Total: 4, Unit: "rows", Message: "m", Attempt: 3}},
		{"counted without a total", "example.v1.CountedMetadata", `{"done": "7", "unit": "rows", "total": "-2"}`, Facts{Percent: -1, Done: 7, Unit: "rows"}},
		{"other fields of the same names", "example.v1.StrangeMetadata",
			`{"target": 4, "createTime": "x", "progress": ["y"], "verb": ["z"], "state": true, "endTime": {"a": 1}, "done": true, "percentDone": "50%"}`,
			Facts{Percent: -1}},
		{"the epoch is unset", "google.cloud.functions.v2.OperationMetadata", `{"createTime": "1970-01-01T00:00:00Z", "endTime": "0001-01-01T00:00:00Z"}`, Facts{Percent: -1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			mt, err := types.FindMessageByName(protoreflect.FullName(tt.typ))
			if err != nil {
				t.Fatal(err)
			}
			m := mt.New().Interface()
			if err := protojson.Unmarshal([]byte(tt.json), m); err != nil {
				t.Fatal(err)
			}
			packed := pack(t, m)
			text, err := protojson.MarshalOptions{Resolver: types}.Marshal(packed)
			if err != nil {
				t.Fatal(err)
			}
			protoNames, err := protojson.MarshalOptions{Resolver: types, UseProtoNames: true}.Marshal(packed)
			if err != nil {
				t.Fatal(err)
			}
			decode := func(a *anypb.Any) proto.Message {
				m, err := anypb.UnmarshalNew(a, proto.UnmarshalOptions{Resolver: types})
				if err != nil {
					t.Error(err)
				}
				return m
			}
			tt.want.Type = tt.typ
			for how, got := range map[string]Facts{
				"message": Of(m.ProtoReflect()), "packed": OfAny(packed, decode), "JSON": OfJSON(text),
				"JSON with names of the proto file": OfJSON(protoNames), "kept JSON": OfAny(kept(t, string(text)), nil),
			} {
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("facts by %s (-want +got):\n%s", how, diff)
				}
			}
		})
	}
}

// TestOwnMetadata reads the ready-made message of the server.
func TestOwnMetadata(t *testing.T) {
	t.Parallel()
	at := time.Unix(1e9, 0).UTC()
	m := &lropb.OperationMetadata{
		CreateTime: timestamppb.New(at), Target: "t", Verb: "v", RequestedCancellation: true, StatusMessage: "s",
		State: lropb.OperationMetadata_PENDING, Progress: &lropb.Progress{Done: 1 << 62, Total: 1<<63 - 1, Unit: "u", Message: "m"}, Attempt: 2,
	}
	want := Facts{
		Percent: 50, Done: 1 << 62, Total: 1<<63 - 1, Unit: "u", Step: "m", State: Pending, Kind: "v", Target: "t", Message: "s",
		CancelRequested: true, Attempt: 2, Created: at, Type: "lro.v1.OperationMetadata",
	}
	if diff := cmp.Diff(want, OfAny(pack(t, m), nil)); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
	if got := want.TypeKind(); got != "" {
		t.Errorf("TypeKind of %s = %q, want none", want.Type, got)
	}
}

// TestUnset: a JSON that has members which are not set, as grpc-gateway writes
// them, gives the same facts as one without.
func TestUnset(t *testing.T) {
	t.Parallel()
	m := &lropb.OperationMetadata{Verb: "v", ProgressPercent: 3}
	full, err := protojson.MarshalOptions{EmitUnpopulated: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	want := Of(m.ProtoReflect())
	want.Type = ""
	if diff := cmp.Diff(want, OfJSON(full)); diff != "" {
		t.Errorf("facts of %s (-want +got):\n%s", full, diff)
	}
}

func TestOfAny(t *testing.T) {
	t.Parallel()
	s, err := structpb.NewStruct(map[string]any{"progressPercent": 12, "verb": "v"})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		a    *anypb.Any
		want Facts
		kind string
	}{
		{"nil", nil, Facts{Percent: -1}, ""},
		{"a type that is not linked", &anypb.Any{TypeUrl: "type.googleapis.com/a.b.MoveBooksMetadata", Value: []byte{255}}, Facts{Percent: -1, Type: "a.b.MoveBooksMetadata"}, "MoveBooks"},
		{"broken", &anypb.Any{TypeUrl: "x/lro.v1.OperationMetadata", Value: []byte{255}}, Facts{Percent: -1, Type: "lro.v1.OperationMetadata"}, ""},
		{"kept", kept(t, `{"@type":"type.googleapis.com/a.b.MoveBooksMetadata","progressPercent":4}`), Facts{Percent: 4, Type: "a.b.MoveBooksMetadata"}, "MoveBooks"},
		{"kept without a type", kept(t, `{"progress":{"done":1,"total":2}}`), Facts{Percent: 50, Done: 1, Total: 2}, ""},
		{"kept, no object", kept(t, `[1]`), Facts{Percent: -1}, ""},
		{"a struct", pack(t, s), Facts{Percent: 12, Kind: "v", Type: "google.protobuf.Struct"}, ""},
	}
	for _, tt := range tests {
		got := OfAny(tt.a, nil)
		if diff := cmp.Diff(tt.want, got); diff != "" || got.TypeKind() != tt.kind {
			t.Errorf("%s: kind %q, want %q; facts (-want +got):\n%s", tt.name, got.TypeKind(), tt.kind, diff)
		}
	}
}

func TestWholePercent(t *testing.T) {
	t.Parallel()
	for percent, want := range map[float64]int{-1: -1, 0: 0, 0.9: 0, 28.999999999999996: 29, 99.99: 99, 100: 100} {
		if got := (Facts{Percent: percent}).WholePercent(); got != want {
			t.Errorf("WholePercent of %v = %d, want %d", percent, got, want)
		}
	}
}

// FuzzFacts: whatever a service sends, the facts can be shown.
func FuzzFacts(f *testing.F) {
	types := loadTypes(f)
	f.Add("x/lro.v1.OperationMetadata", []byte("\x58\x07"), `{"progressPercent": 7}`)
	f.Add("x/google.cloud.compute.v1.Operation", []byte(nil), `{"progress": [{"done": 9e18, "total": "1"}], "endTime": "9999-12-31T23:59:59-01:00"}`)
	f.Add("x/google.spanner.admin.database.v1.UpdateDatabaseDdlMetadata", []byte(nil), `{"success_count": 9007199254740992, "failureCount": "9223372036854775807"}`)
	decode := func(a *anypb.Any) proto.Message {
		m, err := anypb.UnmarshalNew(a, proto.UnmarshalOptions{Resolver: types})
		if err != nil {
			return linked(a)
		}
		return m
	}
	f.Fuzz(func(t *testing.T, url string, value []byte, text string) {
		for _, got := range []Facts{OfAny(&anypb.Any{TypeUrl: url, Value: value}, decode), OfJSON([]byte(text))} {
			if p := got.Percent; p != -1 && (p < 0 || p > 100) || p != p {
				t.Errorf("percent = %v", p)
			}
			if got.Done < 0 || got.Total < 0 {
				t.Errorf("%d of %d", got.Done, got.Total)
			}
			for _, at := range []time.Time{got.Created, got.Started, got.Updated, got.Ended} {
				if _, err := at.MarshalJSON(); err != nil {
					t.Errorf("time %v: %v", at, err)
				}
			}
		}
	})
}

// GKE has progress as named metrics (google.container.v1.OperationProgress).
func TestMetrics(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Facts{
		`[{"name": "nodes done", "intValue": "15"}, {"name": "nodes total", "intValue": "32"}]`:             {Percent: 46.875, Done: 15, Total: 32, Unit: "nodes"},
		`[{"name": "nodes total", "intValue": "32"}]`:                                                       {Percent: 0, Total: 32, Unit: "nodes"},
		`[{"name": "progress", "doubleValue": 0.5}, {"name": "progress scale", "doubleValue": 1}]`:          {Percent: 50},
		`[{"name": "progress", "doubleValue": 3}, {"name": "progress scale", "doubleValue": 4}]`:            {Percent: 75},
		`[{"name": "PERCENT_DONE", "intValue": "30"}]`:                                                      {Percent: 30},
		`[{"name": "CLUSTER_HEALTHCHECKING", "intValue": "2"}]`:                                             {Percent: -1},
		`[{"name": "progress", "stringValue": "x"}, {"name": "progress scale", "intValue": "0"}, {}, null]`: {Percent: -1},
		`[]`: {Percent: -1},
	} {
		got := OfJSON([]byte(`{"status": "RUNNING", "progress": {"name": "step", "metrics": ` + text + `}}`))
		want.State = Running
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}
