package sqlite

import (
	"encoding/json"
	"time"

	"github.com/go-lro/lro/server/engine"
)

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
	if len(text) > maxEventText {
		text = text[:maxEventText]
	}
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
