package lro_test

import (
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/lrotest"
)

// TestAimByProgressReads: the same progress gives the same next poll, whether
// its type is linked or its JSON is all there is, as over HTTP.
func TestAimByProgressReads(t *testing.T) {
	t.Parallel()
	pack := func(m proto.Message) *anypb.Any {
		packed, err := anypb.New(m)
		if err != nil {
			t.Fatal(err)
		}
		return packed
	}
	kept := func(text string) *anypb.Any { return pack(pack(wrapperspb.String(text))) }
	client := lro.NewClient((&lrotest.Server{}).Stub())
	policy := lro.Policy{FirstPoll: time.Second, Multiplier: 1.3, MaxInterval: time.Minute}
	hint := func(metadata *anypb.Any) time.Duration {
		op, err := lro.Any().Wrap(client, &longrunningpb.Operation{Name: "operations/x", Metadata: metadata})
		if err != nil {
			t.Fatal(err)
		}
		return lro.AimByProgress(policy)(op.Snapshot(), 10*time.Second)
	}
	want := hint(pack(&lropb.OperationMetadata{ProgressPercent: 25}))
	if want == 0 {
		t.Error("no poll is proposed for progress of a linked type")
	}
	for _, text := range []string{
		`{"@type":"type.googleapis.com/a.b.C","progressPercent":25}`,
		`{"completionPercentage":25}`, `{"progress":0.25}`, `{"progress":25}`,
		`{"progress":{"done":"1","total":"4"}}`, `{"common":{"percentDone":25}}`,
	} {
		if got := hint(kept(text)); got != want {
			t.Errorf("next poll for %s after %v, want %v", text, got, want)
		}
	}
	for _, text := range []string{`{}`, `[]`, `{"progressPercent":-1}`, `{"progress":"soon"}`} {
		if got := hint(kept(text)); got != 0 {
			t.Errorf("next poll for %s after %v, want the schedule's", text, got)
		}
	}
}
