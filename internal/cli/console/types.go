package console

import (
	"context"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/go-lro/lro/internal/cli/payload"
	"github.com/go-lro/lro/internal/cli/remote"
	"github.com/go-lro/lro/lrohttp"
)

// askAgain is how long a service is not asked for message types after it could
// not tell.
const askAgain = time.Minute

// types decodes what operations carry, for several pages at once.
type types struct {
	fromJSON bool
	source   payload.Source // of known

	turn   chan struct{} // held by who uses what follows
	known  *payload.Types
	failed time.Time // when the source could not tell; zero if it could
}

func newTypes(s *remote.Session) *types {
	return &types{fromJSON: s.Conn == nil, source: s.Reflection, known: s.Types, turn: make(chan struct{}, 1)}
}

// decode returns the message in an Any, nil when it cannot. It may ask the
// service for the type, while others wait.
func (t *types) decode(ctx context.Context, a *anypb.Any) proto.Message {
	if t.fromJSON {
		if _, text, ok := lrohttp.Untyped(a); ok {
			return untyped(text)
		}
	}
	select {
	case t.turn <- struct{}{}:
	case <-ctx.Done():
		return nil
	}
	defer func() { <-t.turn }()
	if !t.failed.IsZero() && time.Since(t.failed) > askAgain {
		t.known.SetSource(t.source)
		t.failed = time.Time{}
	}
	m := t.known.Decode(ctx, a)
	if t.known.SourceErr() != nil && t.failed.IsZero() {
		t.failed = time.Now()
	}
	return m
}

// untyped is the message of a type that is not known, of which the service sent
// the JSON.
func untyped(text []byte) proto.Message {
	m := &structpb.Struct{}
	if protojson.Unmarshal(text, m) != nil {
		return nil
	}
	return m
}
