package sqlite

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-lro/lro/server/engine"
)

var _ engine.Historian = (*Engine)(nil)

// maxEvents bounds the stored events of one operation. The oldest go first.
const maxEvents = 100

// maxEventText bounds the text of one event, in bytes.
const maxEventText = 1 << 10

// storedEvent is an engine.Event as the column history has it. The names are
// stored and never change.
type storedEvent struct {
	Time    int64            `json:"t"` // nanoseconds since 1970, UTC
	Type    engine.EventType `json:"e"`
	Attempt int              `json:"a"`
	Text    string           `json:"x,omitempty"`
}

// addEvent appends an event to the row's history. What the columns of a row
// tell is not stored: its creation, the start of the first attempt, when
// cancel was asked for, and its end.
func (r *row) addEvent(at time.Time, typ engine.EventType, text string) {
	if typ == engine.EventAttemptStarted && r.rec.Attempt == 1 {
		return
	}
	text = shorten(text)
	e := engine.Event{Time: at, Type: typ, Attempt: r.rec.Attempt, Text: text}
	old := r.history
	if n := len(old); n > 0 && typ == engine.EventCheckpoint && old[n-1].Type == typ && old[n-1].Attempt == e.Attempt {
		old = old[:n-1]
	}
	if len(old) >= maxEvents {
		old = old[len(old)-maxEvents+1:]
	}
	// A new slice: the old one is shared with earlier states of the row.
	r.history = append(append(make([]engine.Event, 0, len(old)+1), old...), e)
}

func encodeHistory(events []engine.Event) (optionalText, error) {
	if len(events) == 0 {
		return "", nil
	}
	stored := make([]storedEvent, len(events))
	for i, e := range events {
		stored[i] = storedEvent{Time: e.Time.UnixNano(), Type: e.Type, Attempt: e.Attempt, Text: e.Text}
	}
	b, err := json.Marshal(stored)
	return optionalText(b), err
}

func decodeHistory(text []byte) ([]engine.Event, error) {
	if len(text) == 0 {
		return nil, nil
	}
	var stored []storedEvent
	if err := json.Unmarshal(text, &stored); err != nil {
		return nil, err
	}
	events := make([]engine.Event, len(stored))
	for i, e := range stored {
		events[i] = engine.Event{Time: time.Unix(0, e.Time).UTC(), Type: e.Type, Attempt: e.Attempt, Text: e.Text}
	}
	return events, nil
}

func shorten(text string) string {
	if len(text) <= maxEventText {
		return text
	}
	return strings.ToValidUTF8(text[:maxEventText], "")
}

// History implements [engine.Historian]. Of the checkpoints of an attempt that
// follow each other it has the last one, and of very many events the latest.
func (e *Engine) History(ctx context.Context, name string) ([]engine.Event, error) {
	r, err := e.find(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("read history of operation %q: %w", name, err)
	}
	return r.events(), nil
}

// events joins what is stored with what the columns of the row tell.
func (r *row) events() []engine.Event {
	rec := r.rec
	events := []engine.Event{{Time: rec.CreateTime, Type: engine.EventCreated}}
	if !rec.StartTime.IsZero() {
		events = append(events, engine.Event{Time: rec.StartTime, Type: engine.EventAttemptStarted, Attempt: 1})
	}
	events = append(events, r.history...)
	if !rec.CancelTime.IsZero() {
		at := engine.Event{Time: rec.CancelTime, Type: engine.EventCancelRequested, Attempt: r.attemptAt(rec.CancelTime)}
		i, _ := slices.BinarySearchFunc(events, at, func(e, at engine.Event) int {
			return cmp.Or(e.Time.Compare(at.Time), -1)
		})
		events = slices.Insert(events, max(i, 1), at)
	}
	if rec.State.Terminal() {
		events = append(events, engine.Event{
			Time: rec.EndTime, Type: engine.EventEnded, Attempt: rec.Attempt, Text: shorten(rec.Error.GetMessage()),
		})
	}
	return events
}

// attemptAt returns the attempt that had begun by then.
func (r *row) attemptAt(at time.Time) int {
	n := 0
	if !r.rec.StartTime.IsZero() && !r.rec.StartTime.After(at) {
		n = 1
	}
	for _, e := range r.history {
		if e.Type == engine.EventAttemptStarted && !e.Time.After(at) {
			n = e.Attempt
		}
	}
	return n
}
