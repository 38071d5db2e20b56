package console

import (
	"context"
	"time"
)

// overviewEvery is how often the overview is made anew.
const overviewEvery = 5 * time.Second

// liveOverview is the live page of the overview. It does not follow changes:
// it shows sums of many.
type liveOverview struct {
	h      *Handler
	view   view
	window window
}

func (l *liveOverview) wants(Change) bool { return false }

func (l *liveOverview) every(bool) time.Duration { return overviewEvery }

func (l *liveOverview) update(ctx context.Context, _ bool, _ map[string]Change) (update, error) {
	v, err := l.h.overviewView(ctx, l.view, l.window)
	if err != nil {
		return update{}, err
	}
	html, err := part("overview", "figures", v)
	return update{parts: map[string]string{"figures": html}}, err
}
