package lro

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// The error for a response of another type names what the service sent, also
// where package lrohttp could keep its JSON only.
func TestWrongTypeNamesWhatWasSent(t *testing.T) {
	t.Parallel()
	kept := anyOf(anyOf(wrapperspb.String(`{"@type":"type.googleapis.com/nobody.Knows","x":1}`)))
	_, err := decodeAny[*wrapperspb.StringValue](kept)
	if err == nil || !strings.Contains(err.Error(), `"type.googleapis.com/nobody.Knows"`) || strings.Contains(err.Error(), "google.protobuf.Any") {
		t.Errorf("decodeAny: %v, want the type that was sent", err)
	}
}

// TestMetadataOfAnotherType: metadata that is not of the declared type is reported
// by Metadata and to the observer, and the operation is waited for to its end.
func TestMetadataOfAnotherType(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		odd := &longrunningpb.Operation{Name: testName, Metadata: anyOf(&emptypb.Empty{})}
		answers := []*longrunningpb.Operation{running(""), running("fine"), odd, succeeded("x")}
		service := &fakeService{get: func(_ context.Context, n int) (*longrunningpb.Operation, error) { return answers[n-1], nil }}
		var observed []bool // whether each answer's metadata was at fault
		op := wrap(t, service.pollOnly(), WithPolicy(eachSecond), WithObserver(&Observer{PollEnd: func(_ context.Context, e PollEnd) {
			observed = append(observed, e.MetadataErr != nil)
			if e.MetadataErr != nil && !strings.Contains(e.MetadataErr.Error(), "google.protobuf.StringValue") {
				t.Errorf("MetadataErr: got %v, want one that names the type", e.MetadataErr)
			}
		}}))
		var seen []bool // whether each state had metadata
		for state, err := range op.Progress(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			_, ok := state.Metadata()
			if errors.Is(state.MetadataErr(), ErrNoMetadata) == (state.Proto().GetMetadata() != nil) {
				t.Errorf("MetadataErr of %v: got %v", state.Proto(), state.MetadataErr())
			}
			seen = append(seen, ok)
		}
		if got, err := op.Result(); err != nil || got.GetValue() != "x" {
			t.Errorf("Result: got %v, %v, want x", got, err)
		}
		if want := []bool{false, false, true, false}; !slices.Equal(observed, want) {
			t.Errorf("answers at fault: got %v, want %v", observed, want)
		}
		if want := []bool{false, true, false, false}; !slices.Equal(seen, want) {
			t.Errorf("states with metadata: got %v, want %v", seen, want)
		}
	})
}
