package postgres

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/go-lro/lro/internal/pgtext"
)

// logEvery is the least time between two records of one failure.
const logEvery = time.Minute

// outages logs failures of background work that is tried again, which come several
// times a second while the database is away. One whose message and text stay the same
// is logged once each logEvery.
type outages struct {
	logger *slog.Logger

	mu   sync.Mutex
	last map[string]outage // by message
}

type outage struct {
	text string
	at   time.Time
}

func newOutages(l *slog.Logger) *outages { return &outages{logger: l, last: make(map[string]outage)} }

func (o *outages) log(level slog.Level, message string, err error) {
	err = pgtext.Error(err)
	now := outage{err.Error(), time.Now()}
	o.mu.Lock()
	last, again := o.last[message]
	again = again && last.text == now.text && now.at.Sub(last.at) < logEvery
	if !again {
		o.last[message] = now
	}
	o.mu.Unlock()
	if !again {
		o.logger.Log(context.Background(), level, message, "error", err)
	}
}

func (o *outages) warn(message string, err error) { o.log(slog.LevelWarn, message, err) }
