package console

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/go-lro/lro/internal/cli/payload"
	"github.com/go-lro/lro/lropb"
)

// absent fails, and counts how often it is asked.
type absent struct{ asked int }

func (s *absent) Files(context.Context, protoreflect.FullName) (*descriptorpb.FileDescriptorSet, error) {
	s.asked++
	return nil, errors.New("away")
}

// TestAskAgain: a service that is away for a while is asked for types again,
// but not for every row of a page.
func TestAskAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := &absent{}
		decoder := &types{source: src, known: &payload.Types{}, turn: make(chan struct{}, 1)}
		decoder.known.SetSource(src)
		unknown := &anypb.Any{TypeUrl: "type.googleapis.com/example.Unknown"}
		for range 10 {
			decoder.decode(t.Context(), unknown)
		}
		if src.asked != 1 {
			t.Errorf("asked %d times at once, want 1", src.asked)
		}
		time.Sleep(askAgain + 1)
		for range 10 {
			decoder.decode(t.Context(), unknown)
		}
		if src.asked != 2 {
			t.Errorf("asked %d times after %s, want 2", src.asked, askAgain)
		}
		known, err := anypb.New(&lropb.Progress{Done: 7})
		if err != nil {
			t.Fatal(err)
		}
		if m, ok := decoder.decode(t.Context(), known).(*lropb.Progress); !ok || m.GetDone() != 7 {
			t.Errorf("decode of a linked type = %v", m)
		}
	})
}

func TestDecodeWaitsNoLongerThanItsPage(t *testing.T) {
	t.Parallel()
	decoder := &types{known: &payload.Types{}, turn: make(chan struct{}, 1)}
	decoder.turn <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if m := decoder.decode(ctx, &anypb.Any{}); m != nil {
		t.Errorf("decode while another page asks = %v, want nil", m)
	}
}

func TestUntyped(t *testing.T) {
	t.Parallel()
	want := &structpb.Struct{Fields: map[string]*structpb.Value{"@type": structpb.NewStringValue("a/b")}}
	if got := untyped([]byte(`{"@type": "a/b"}`)); !proto.Equal(got, want) {
		t.Errorf("untyped = %v, want %v", got, want)
	}
	if got := untyped([]byte(`[]`)); got != nil {
		t.Errorf("untyped of a list = %v, want nil", got)
	}
}
