package console

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro/console/internal/tree"
)

// eventView is a line of a timeline.
type eventView struct {
	Key   string // for styles: the type, with "-" for "_"
	Time  moment
	Title string
	Text  string
	After string // since the event before
}

// timeline returns what happened to an operation, and what is to be said about
// where that comes from.
func (h *Handler) timeline(ctx context.Context, mine view, f *facts) ([]eventView, string) {
	if _, ok := h.source.(Historian); !ok {
		return derived(f), "This service keeps no history. The times are those in the metadata."
	}
	events, err := mine.history(ctx, f.name)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return derived(f), "This service keeps no history. The times are those it reports for the operation."
	case status.Code(err) == codes.PermissionDenied:
		return derived(f), "You may not see its history. The times are those of the operation."
	case err != nil:
		return derived(f), "Its history could not be read just now. The times are those of the operation."
	}
	return viewsOf(events, f), ""
}

// derived are the events that the times of an operation tell.
func derived(f *facts) []eventView {
	var events []Event
	add := func(typ EventType, at time.Time, attempt int) {
		if !at.IsZero() {
			events = append(events, Event{Time: at, Type: typ, Attempt: attempt})
		}
	}
	add(EventCreated, f.created, 0)
	add(EventAttemptStarted, f.started, min(f.attempt, 1))
	add(EventCancelRequested, f.asked, 0)
	add(EventEnded, f.ended, 0)
	return viewsOf(events, f)
}

func viewsOf(events []Event, f *facts) []eventView {
	views := make([]eventView, 0, len(events))
	for i, e := range events {
		v := eventView{
			Key: "other", Time: moment{e.Time}, Title: titleOf(e, f),
			Text: tree.Line(clip(e.Text, maxMessage)),
		}
		if known[e.Type] {
			v.Key = strings.ReplaceAll(string(e.Type), "_", "-")
		}
		if e.Type == EventEnded {
			v.Key += "-" + stageOf(f.state, false).Key
		}
		if i > 0 {
			v.After = span(e.Time.Sub(events[i-1].Time))
		}
		views = append(views, v)
	}
	return views
}

var known = map[EventType]bool{
	EventCreated: true, EventAttemptStarted: true, EventCheckpoint: true, EventAttemptCrashed: true,
	EventAttemptReleased: true, EventAttemptRetry: true, EventCancelRequested: true, EventEnded: true,
}

func titleOf(e Event, f *facts) string {
	attempt := "Attempt"
	if e.Attempt > 0 {
		attempt = fmt.Sprintf("Attempt %d", e.Attempt)
	}
	switch e.Type {
	case EventCreated:
		return "Created"
	case EventAttemptStarted:
		return attempt + " started"
	case EventCheckpoint:
		return "Checkpoint saved"
	case EventAttemptCrashed:
		return attempt + " died with its process"
	case EventAttemptReleased:
		return attempt + " handed back by a server that stopped"
	case EventAttemptRetry:
		return attempt + " failed and will be retried"
	case EventCancelRequested:
		return "Cancel requested"
	case EventEnded:
		return stageOf(f.state, false).Label
	}
	return tree.Line(clip(string(e.Type), maxRowText))
}
