package server

import (
	"math"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/google/go-cmp/cmp"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/anypb"
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

var testFaults = faults{domain: "test.example"}

func viewOf(rec *engine.Record) *longrunningpb.Operation {
	s := &Server{faults: testFaults}
	return s.buildView(rec)
}

func TestViewFillsReadyMadeMetadata(t *testing.T) {
	t.Parallel()
	at := func(s int64) time.Time { return time.Unix(s, 0).UTC() }
	rec := &engine.Record{
		Name: "operations/a", Kind: "export", State: engine.Running, Attempt: 2,
		CreateTime: at(1), StartTime: at(2), UpdateTime: at(3), CancelTime: at(3),
		Metadata: packed(t, &lropb.OperationMetadata{
			Target: "shelves/1", ApiVersion: "v1", StatusMessage: "copying",
			Progress:  &lropb.Progress{Done: 1, Total: 3, Unit: "files"},
			StartTime: timestamppb.New(at(99)), // not the handler's to say
			State:     lropb.OperationMetadata_FAILED,
		}),
	}
	got := &lropb.OperationMetadata{}
	if err := viewOf(rec).GetMetadata().UnmarshalTo(got); err != nil {
		t.Fatal(err)
	}
	want := &lropb.OperationMetadata{
		CreateTime: timestamppb.New(at(1)), StartTime: timestamppb.New(at(2)), UpdateTime: timestamppb.New(at(3)),
		Target: "shelves/1", Verb: "export", ApiVersion: "v1", StatusMessage: "copying",
		RequestedCancellation: true, State: lropb.OperationMetadata_RUNNING, Attempt: 2,
		Progress: &lropb.Progress{Done: 1, Total: 3, Unit: "files"}, ProgressPercent: 33,
	}
	if d := cmp.Diff(want, got, protocmp.Transform()); d != "" {
		t.Errorf("metadata (-want +got):\n%s", d)
	}
}

func TestViewKeepsWhatHandlersSet(t *testing.T) {
	t.Parallel()
	rec := &engine.Record{Name: "operations/a", Kind: "export", State: engine.Running, Metadata: packed(t, &lropb.OperationMetadata{
		Verb: "copy", ProgressPercent: 70, Progress: &lropb.Progress{Done: 1, Total: 3},
	})}
	got := &lropb.OperationMetadata{}
	if err := viewOf(rec).GetMetadata().UnmarshalTo(got); err != nil {
		t.Fatal(err)
	}
	if got.GetVerb() != "copy" || got.GetProgressPercent() != 70 {
		t.Errorf("verb, percent = %q, %d, want %q, 70", got.GetVerb(), got.GetProgressPercent(), "copy")
	}
}

func TestViewLeavesOtherMetadataAlone(t *testing.T) {
	t.Parallel()
	for _, m := range []*anypb.Any{nil, packed(t, wrapperspb.String("x")), {TypeUrl: "type.googleapis.com/no.such.Type"}} {
		op := viewOf(&engine.Record{Name: "operations/a", State: engine.Running, Metadata: m})
		if op.GetMetadata() != m {
			t.Errorf("metadata of %v = %v, want the same", m, op.GetMetadata())
		}
	}
}

func TestViewResult(t *testing.T) {
	t.Parallel()
	response := packed(t, wrapperspb.String("x"))
	for _, tc := range []struct {
		name     string
		rec      *engine.Record
		done     bool
		code     int32 // of the error; 0 for none
		response bool
	}{
		{"pending", &engine.Record{State: engine.Pending}, false, 0, false},
		{"running", &engine.Record{State: engine.Running}, false, 0, false},
		{"succeeded", &engine.Record{State: engine.Succeeded, Response: response}, true, 0, true},
		{"failed", &engine.Record{State: engine.Failed, Error: &spb.Status{Code: 9}}, true, 9, false},
		{"cancelled", &engine.Record{State: engine.Cancelled, Error: &spb.Status{Code: 1}}, true, 1, false},
		{"failed with OK", &engine.Record{State: engine.Failed, Error: &spb.Status{}}, true, 2, false},
		{"succeeded with nothing", &engine.Record{State: engine.Succeeded}, true, 2, false},
	} {
		op := viewOf(tc.rec)
		if op.GetDone() != tc.done || op.GetError().GetCode() != tc.code || (op.GetResponse() != nil) != tc.response {
			t.Errorf("%s: view = %v, want done %t, code %d, response %t", tc.name, op, tc.done, tc.code, tc.response)
		}
	}
}

func TestPercent(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		done, total int64
		want        int32
	}{
		{0, 0, 0}, {5, 0, 0}, {0, 10, 0}, {-1, 10, 0}, {1, -1, 0}, {5, 10, 50}, {10, 10, 100}, {11, 10, 100}, {29, 100, 29}, {199, 400, 49},
		{999, 1000, 99}, {9999, 10000, 99}, {math.MaxInt64 - 1, math.MaxInt64, 99}, {math.MaxInt64, math.MaxInt64, 100},
	} {
		if got := percent(&lropb.Progress{Done: tc.done, Total: tc.total}); got != tc.want {
			t.Errorf("percent(%d of %d) = %d, want %d", tc.done, tc.total, got, tc.want)
		}
	}
}

// TestViewOfDamage: what of a stored operation cannot be read is shown as
// damaged where there is a place for it, and is valid for every client.
func TestViewOfDamage(t *testing.T) {
	t.Parallel()
	s := &Server{faults: testFaults, kinds: map[string]*kind{"k": {types: types{emptyMetadata: packed(t, &lropb.OperationMetadata{})}}}}
	nonsense := packed(t, &lropb.OperationMetadata{})
	nonsense.Value = []byte("\xff")
	for name, rec := range map[string]*engine.Record{
		"metadata lost":       {Kind: "k", State: engine.Running, Damaged: "metadata: nonsense"},
		"result lost":         {Kind: "k", State: engine.Succeeded, Damaged: "result: nonsense", Error: &spb.Status{Code: 15}, Metadata: packed(t, &lropb.OperationMetadata{})},
		"metadata undecoded":  {Kind: "gone", State: engine.Running, Metadata: nonsense},
		"state out of bounds": {Kind: "k", State: 77, Damaged: "state: 77"},
	} {
		op := s.buildView(rec)
		m := &lropb.OperationMetadata{}
		if err := op.GetMetadata().UnmarshalTo(m); err != nil || !strings.Contains(m.GetStatusMessage(), "damaged") {
			t.Errorf("%s: metadata is %v, %v; want a message that it is damaged", name, op.GetMetadata(), err)
		}
		if _, known := lropb.OperationMetadata_State_name[int32(m.GetState())]; !known {
			t.Errorf("%s: state is %v", name, m.GetState())
		}
		if op.GetDone() == (op.GetResult() == nil) {
			t.Errorf("%s: operation is %v", name, op)
		}
	}
	if op := s.buildView(&engine.Record{Kind: "gone", State: engine.Running, Damaged: "metadata: nonsense"}); op.GetMetadata() != nil {
		t.Errorf("metadata of a kind with another type is %v", op.GetMetadata())
	}
}
