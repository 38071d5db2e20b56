package postgres

import (
	"time"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// Bits of the column flags. They are stored and never change.
const (
	flagExternal   = 1 << iota // engine.Spec.External
	flagAtMostOnce             // engine.Spec.AtMostOnce
)

// row is an operation as it is stored: the record, and what the engine alone
// needs to know. It is immutable once it is shared.
type row struct {
	rec  *engine.Record
	seq  int64
	tail string

	flags      int
	caller     string
	crashLimit int
	retention  time.Duration
	leaseFor   time.Duration
	leaseUntil time.Time // of an external operation
	live       bool      // there is a row in table live
	owner      int64     // of table proc, 0 for an external operation; while it is RUNNING
	hidden     bool      // deleted, but has not ended
	due        time.Time // when a retry may begin; zero for at once
	history    []engine.Event
	unrunnable bool      // what an attempt needs is damaged
	now        time.Time // by the database's clock, when it was read
	here       *attempt  // that ran it in this process when the read began; nil for none
}

func (r *row) atMostOnce() bool { return r.flags&flagAtMostOnce != 0 }

// owned reports whether l is the right to write to r now.
func (r *row) owned(l engine.Lease) bool {
	return r.rec.State == engine.Running && r.rec.Fence == l.Fence
}

// edit returns a copy of r, with a record of its own, that may be changed
// until it is shared.
func (r *row) edit() *row {
	c, rec := *r, *r.rec
	c.rec = &rec
	return &c
}

// at is the time of a change of r: now, and never before the last one.
func (r *row) at() time.Time {
	if r.now.Before(r.rec.UpdateTime) {
		return r.rec.UpdateTime
	}
	return r.now
}

// addEvent appends an event to the row's history.
func (r *row) addEvent(typ engine.EventType, text string) {
	r.history = enginekit.AddEvent(r.history, engine.Event{Time: r.at(), Type: typ, Attempt: r.rec.Attempt, Text: text})
}

// scanRow decodes a row of rowColumns.
func scanRow(s rows) (*row, error) {
	var (
		rec                                    engine.Record
		r                                      = &row{rec: &rec}
		state                                  *int16
		owner                                  *int64
		trace, history                         *string
		request, result, metadata              []byte
		end, expire, due, lease, start, cancel *time.Time
		flags, crashLimit                      int32
		retention, leaseFor                    int64
		attempt, crashes, releases             int32
		create, update, now                    time.Time
	)
	err := s.Scan(&r.seq, &r.tail, &rec.Parent, &rec.Kind, &state, &flags, &create,
		&crashLimit, &retention, &leaseFor, &rec.RequestID, &r.caller, &trace,
		&request, &result, &end, &expire,
		&r.live, &owner, &r.hidden, &due, &lease,
		&attempt, &crashes, &releases,
		&rec.Fence, &rec.Revision,
		&start, &update, &cancel, &history,
		&metadata, &rec.Checkpoint, &now)
	if err != nil {
		return nil, err
	}
	rec.Name = enginekit.FormatName(rec.Parent, enginekit.FormatSeqID(r.seq, r.tail))
	rec.CreateTime, rec.UpdateTime, r.now = create.UTC(), update.UTC(), now.UTC()
	rec.StartTime, rec.EndTime, rec.ExpireTime = utc(start), utc(end), utc(expire)
	rec.CancelTime, r.due, r.leaseUntil = utc(cancel), utc(due), utc(lease)
	rec.Attempt, rec.Crashes, rec.Releases = int(attempt), int(crashes), int(releases)
	r.flags, r.crashLimit = int(flags), int(crashLimit)
	r.retention, r.leaseFor = time.Duration(retention), time.Duration(leaseFor)
	rec.External = r.flags&flagExternal != 0
	switch {
	case state != nil && engine.State(*state).Terminal() && !r.live:
		rec.State = engine.State(*state)
	case state == nil && r.live && owner == nil:
		rec.State = engine.Pending
	case state == nil && r.live:
		rec.State, r.owner = engine.Running, *owner
	default:
		enginekit.Damage(&rec, "state", enginekit.ErrMissing)
	}
	r.decode(trace, history, request, metadata, result)
	return r, nil
}

// decode reads the payloads. What cannot be read is damage of this operation
// alone.
func (r *row) decode(trace, history *string, request, metadata, result []byte) {
	var err error
	if trace != nil {
		enginekit.DecodeTrace(r.rec, []byte(*trace))
	}
	if history != nil {
		if r.history, err = enginekit.DecodeHistory([]byte(*history)); err != nil {
			enginekit.Damage(r.rec, "history", err)
		}
	}
	if r.rec.Metadata, err = enginekit.DecodeAny(metadata); err != nil {
		enginekit.Damage(r.rec, "metadata", err)
	}
	if r.rec.Request, err = enginekit.DecodeAny(request); err != nil {
		enginekit.Damage(r.rec, "request", err)
		r.unrunnable = true
	}
	enginekit.DecodeResult(r.rec, result)
}

func utc(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// optional returns nil for the zero time, which is stored as NULL.
func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// historyArg is a row's history as jsonb, which takes no character 0.
func (r *row) historyArg() (string, error) {
	text, err := enginekit.EncodeHistory(r.history)
	if err != nil || text == nil {
		return "[]", err
	}
	return replaceNUL(string(text)), nil
}
