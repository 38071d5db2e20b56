package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

var _ engine.Historian = (*Engine)(nil)

// addEvent appends an event to the row's history.
func (r *row) addEvent(at time.Time, typ engine.EventType, text string) {
	r.history = enginekit.AddEvent(r.history, engine.Event{Time: at, Type: typ, Attempt: r.rec.Attempt, Text: text})
}

func encodeHistory(events []engine.Event) (optionalText, error) {
	b, err := enginekit.EncodeHistory(events)
	return optionalText(b), err
}

// History implements [engine.Historian]. Of the checkpoints of an attempt that
// follow each other it has the last one, and of very many events the latest.
func (e *Engine) History(ctx context.Context, name string) ([]engine.Event, error) {
	r, err := e.find(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("read history of operation %q: %w", name, err)
	}
	return enginekit.Events(r.rec, r.history), nil
}
