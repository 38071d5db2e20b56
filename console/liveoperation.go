package console

import (
	"context"
	"net/http"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// liveOperation is the live page of one operation.
type liveOperation struct {
	h    *Handler
	r    *http.Request
	name string
}

func (l *liveOperation) wants(c Change) bool { return c.Name == l.name }

func (l *liveOperation) every(fed bool) time.Duration {
	if fed {
		return 0
	}
	return l.h.config.Poll
}

func (l *liveOperation) update(ctx context.Context, _ bool, _ map[string]Change) (update, error) {
	op, err := l.h.viewOf(l.r).get(ctx, l.name)
	if status.Code(err) == codes.NotFound {
		html, err := part("operation", "gone", l.name)
		return update{parts: map[string]string{"notice": html}}, err
	}
	if err != nil {
		return update{}, err
	}
	v := l.h.operationView(ctx, l.r, op)
	u := update{parts: map[string]string{}}
	for _, name := range []string{"head", "timeline", "result", "metadata", "commands"} {
		html, err := part("operation", name, v)
		if err != nil {
			return update{}, err
		}
		u.parts[name] = html
	}
	return u, nil
}
