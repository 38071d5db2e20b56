package lrootel

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/lropb"
)

func TestLateness(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		// The operation is seen running 1 s and 2 s after the wait begins, and done
		// after 3 s; it says that it ended this long after the begin.
		end  time.Duration
		want string // empty for nothing
	}{
		{"between two polls", 2600 * time.Millisecond, "1 of 0.4s"},
		{"right now", 3 * time.Second, "1 of 0s"},
		{"a little in the future", 3900 * time.Millisecond, "1 of 0s"},
		{"far in the future", 5 * time.Second, ""},
		{"a little before it was seen running", 1100 * time.Millisecond, "1 of 1s"},
		{"long before it was seen running", 900 * time.Millisecond, ""},
		{"before the wait", -time.Hour, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(answers(running(), running(), endedAt(time.Now().Add(test.end))))
				if _, err := r.wrap(t).Wait(t.Context()); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				r.wantLateness(t, test.want)
			})
		})
	}
}

func TestLatenessOfResumed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		end  time.Duration
		want string
	}{
		{"ended long ago", -time.Minute, ""},
		{"ended just before", -500 * time.Millisecond, "1 of 0s"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(answers(endedAt(time.Now().Add(test.end))))
				op, err := Strings.Resume(r.client, testName)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := op.Wait(t.Context()); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				r.wantLateness(t, test.want)
			})
		})
	}
}

func TestLatenessOfStrangeMetadata(t *testing.T) {
	t.Parallel()
	for name, metadata := range map[string]*anypb.Any{
		"none":             nil,
		"the epoch":        pack(&lropb.OperationMetadata{EndTime: &timestamppb.Timestamp{}}),
		"no type":          {},
		"type of nobody":   {TypeUrl: "type.googleapis.com/nobody.Knows"},
		"broken":           {TypeUrl: "type.googleapis.com/lro.v1.OperationMetadata", Value: []byte{0xff}},
		"no such field":    pack(durationpb.New(time.Second)),
		"field is not set": pack(&lropb.OperationMetadata{}),
		"impossible time":  pack(&lropb.OperationMetadata{EndTime: &timestamppb.Timestamp{Seconds: 1, Nanos: -1}}),
		"text far away":    pack(&structpb.Struct{Fields: map[string]*structpb.Value{"end_time": structpb.NewStringValue("2026-01-01T00:00:00Z")}}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				op := proto.CloneOf(succeeded())
				op.Metadata = metadata
				r := newRig(answers(op))
				if _, err := r.wrap(t).Wait(t.Context()); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				r.wantLateness(t, "")
			})
		})
	}
}

func (r *rig) wantLateness(t *testing.T, want string) {
	t.Helper()
	got := ""
	for _, line := range r.metrics(t) {
		if rest, ok := strings.CutPrefix(line, "lro.wait.lateness "); ok {
			got, _, _ = strings.Cut(rest, ":")
		}
	}
	if got != want {
		t.Errorf("lro.wait.lateness: got %q, want %q", got, want)
	}
}

func FuzzEndTime(f *testing.F) {
	for _, op := range []*longrunningpb.Operation{running(), succeeded(), endedAt(time.Unix(0, 0))} {
		f.Add(op.GetMetadata().GetTypeUrl(), op.GetMetadata().GetValue())
	}
	f.Add("type.googleapis.com/lro.v1.OperationMetadata", []byte("\"\x02\x10\xff"))
	client := lro.NewClient(answers(running()))
	f.Fuzz(func(t *testing.T, typeURL string, value []byte) {
		op := running()
		op.Metadata = &anypb.Any{TypeUrl: typeURL, Value: value}
		wrapped, err := lro.Any().Wrap(client, op)
		if err != nil {
			t.Skip() // the type is no UTF-8, which no transport delivers
		}
		end, ok := endTime(wrapped.Snapshot())
		if ok && timestamppb.New(end).CheckValid() != nil {
			t.Errorf("endTime of metadata %q %x: got %v, want a time that a Timestamp can hold", typeURL, value, end)
		}
	})
}
