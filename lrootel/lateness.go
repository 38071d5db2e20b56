package lrootel

import (
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/internal/progress"
)

// clockError is how far the service's clock may be off.
const clockError = time.Second

// wait is what is remembered of a wait, in its context.
type wait struct {
	span trace.Span // not always the current one: another observer may have started its own
	// running is when the operation was last asked for and found running, or when
	// waiting began, in Unix nanoseconds: it cannot have ended before.
	running atomic.Int64
}

// seenRunning remembers the answer to a poll.
func (w *wait) seenRunning(e lro.PollEnd) {
	if e.Err == nil && !e.Snapshot.Done() {
		w.running.Store(e.Snapshot.Time().Add(-e.Elapsed).UnixNano())
	}
}

// lateness returns how long after its end an operation was seen done, if that
// can be told.
func (w *wait) lateness(s lro.Raw) (time.Duration, bool) {
	if !s.Done() {
		return 0, false
	}
	ended, ok := endTime(s)
	if !ok {
		return 0, false
	}
	late, most := s.Time().Sub(ended), s.Time().Sub(time.Unix(0, w.running.Load()))
	if late < -clockError || late > most+clockError {
		return 0, false
	}
	return max(0, min(late, most)), true
}

// endTime reads when an operation ended from its metadata.
func endTime(s lro.Raw) (time.Time, bool) {
	packed, ok := s.Metadata()
	if !ok {
		return time.Time{}, false
	}
	ended := progress.OfAny(packed, nil).Ended
	return ended, !ended.IsZero()
}
