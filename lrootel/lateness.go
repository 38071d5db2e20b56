package lrootel

import (
	"context"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/go-lro/lro"
)

// clockError is how far the service's clock may be off.
const clockError = time.Second

// wait is what is remembered of a wait, in its context.
type wait struct {
	// running is when the operation was last asked for and found running, or when
	// waiting began, in Unix nanoseconds: it cannot have ended before.
	running atomic.Int64
}

type waitKey struct{}

// seenRunning remembers the answer to a poll.
func seenRunning(ctx context.Context, e lro.PollEnd) {
	if w, ok := ctx.Value(waitKey{}).(*wait); ok && e.Err == nil && !e.Snapshot.Done() {
		w.running.Store(e.Snapshot.Time().Add(-e.Elapsed).UnixNano())
	}
}

// lateness returns how long after its end an operation was seen done, if that
// can be told.
func lateness(ctx context.Context, s lro.Raw) (time.Duration, bool) {
	w, ok := ctx.Value(waitKey{}).(*wait)
	if !ok || !s.Done() {
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

// endTime reads the field end_time of an operation's metadata.
func endTime(s lro.Raw) (time.Time, bool) {
	packed, ok := s.Metadata()
	if !ok {
		return time.Time{}, false
	}
	message, err := packed.UnmarshalNew()
	if err != nil {
		return time.Time{}, false
	}
	m := message.ProtoReflect()
	field := m.Descriptor().Fields().ByName("end_time")
	if field == nil || field.Message() == nil || field.IsList() || field.IsMap() {
		return time.Time{}, false
	}
	t, ok := m.Get(field).Message().Interface().(*timestamppb.Timestamp)
	if !ok || t.CheckValid() != nil {
		return time.Time{}, false
	}
	return t.AsTime(), true
}
