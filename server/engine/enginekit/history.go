package enginekit

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/go-lro/lro/server/engine"
)

// MaxEvents bounds the stored events of one operation. The oldest go first.
const MaxEvents = 100

// maxEventText bounds the text of one event, in bytes.
const maxEventText = 1 << 10

// storedEvent is an engine.Event as it is stored. The names never change.
type storedEvent struct {
	Time    int64            `json:"t"` // nanoseconds since 1970, UTC
	Type    engine.EventType `json:"e"`
	Attempt int              `json:"a"`
	Text    string           `json:"x,omitempty"`
}

// AddEvent returns the stored events of an operation with one more, in a slice
// of its own. What the fields of a record tell is not stored: see [Events].
// Of the checkpoints of an attempt that follow each other the last one is kept,
// and of very many events the latest.
func AddEvent(old []engine.Event, e engine.Event) []engine.Event {
	if e.Type == engine.EventAttemptStarted && e.Attempt == 1 {
		return old
	}
	e.Text = shorten(e.Text)
	if n := len(old); n > 0 && e.Type == engine.EventCheckpoint && old[n-1].Type == e.Type && old[n-1].Attempt == e.Attempt {
		old = old[:n-1]
	}
	if len(old) >= MaxEvents {
		old = old[len(old)-MaxEvents+1:]
	}
	return append(append(make([]engine.Event, 0, len(old)+1), old...), e)
}

// EncodeHistory returns stored events as a JSON array, nil for none.
func EncodeHistory(events []engine.Event) ([]byte, error) {
	if len(events) == 0 {
		return nil, nil
	}
	stored := make([]storedEvent, len(events))
	for i, e := range events {
		stored[i] = storedEvent{Time: e.Time.UnixNano(), Type: e.Type, Attempt: e.Attempt, Text: e.Text}
	}
	return json.Marshal(stored)
}

// DecodeHistory reads what EncodeHistory has made.
func DecodeHistory(text []byte) ([]engine.Event, error) {
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

// Events joins the stored events of an operation with what its record tells:
// its creation, the start of the first attempt, when cancel was requested, and
// its end.
func Events(rec *engine.Record, stored []engine.Event) []engine.Event {
	events := []engine.Event{{Time: rec.CreateTime, Type: engine.EventCreated}}
	if !rec.StartTime.IsZero() {
		events = append(events, engine.Event{Time: rec.StartTime, Type: engine.EventAttemptStarted, Attempt: 1})
	}
	events = append(events, stored...)
	if !rec.CancelTime.IsZero() {
		at := engine.Event{Time: rec.CancelTime, Type: engine.EventCancelRequested, Attempt: attemptAt(rec, stored, rec.CancelTime)}
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
func attemptAt(rec *engine.Record, stored []engine.Event, at time.Time) int {
	n := 0
	if !rec.StartTime.IsZero() && !rec.StartTime.After(at) {
		n = 1
	}
	for _, e := range stored {
		if e.Type == engine.EventAttemptStarted && !e.Time.After(at) {
			n = e.Attempt
		}
	}
	return n
}
