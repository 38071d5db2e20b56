package lro

import (
	"strings"
	"testing"

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
