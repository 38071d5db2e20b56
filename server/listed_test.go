package server

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro/server/engine"
)

// TestListedLimit: an operation of maxListed bytes is listed as it is, then
// without its metadata, then without its result.
func TestListedLimit(t *testing.T) {
	t.Parallel()
	s := newBareServer(Config{})
	record := func(metadata, response int) *engine.Record {
		return &engine.Record{
			Name: "operations/x", State: engine.Succeeded,
			Metadata: mustPack(wrapperspb.String(strings.Repeat("m", metadata))),
			Response: mustPack(wrapperspb.String(strings.Repeat("r", response))),
		}
	}
	size := func(rec *engine.Record, metadata bool) int {
		op := proto.CloneOf(s.view(rec))
		if !metadata {
			op.Metadata = nil
		}
		return proto.Size(op)
	}
	const some = maxListed / 2
	whole := some + maxListed - size(record(some, some), true) // bytes of the response
	bare := 2 * some
	bare += maxListed - size(record(some, bare), false)
	for _, test := range []struct {
		name             string
		response         int
		metadata, result bool
	}{
		{"all of it", whole, true, true},
		{"not the metadata", whole + 1, false, true},
		{"all but the metadata", bare, false, true},
		{"not the response", bare + 1, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			op := s.listed(record(some, test.response))
			if (op.GetMetadata() != nil) != test.metadata || (op.GetResponse() != nil) != test.result {
				t.Errorf("listed with metadata: %v, with response: %v; want %v, %v",
					op.GetMetadata() != nil, op.GetResponse() != nil, test.metadata, test.result)
			}
			if code := codes.Code(op.GetError().GetCode()); !test.result && code != codes.ResourceExhausted {
				t.Errorf("listed with error %v, want %v", code, codes.ResourceExhausted)
			}
		})
	}
}
