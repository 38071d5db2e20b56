package postgres

import (
	"time"

	"github.com/jackc/pgx/v5/pgtype"

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

// columns are those of rowColumns that scanRow converts. The types of pgtype take
// NULL without an allocation for each value.
type columns struct {
	state                                  pgtype.Int2
	owner                                  pgtype.Int8
	trace, history                         pgtype.Text
	request, result, metadata              []byte
	create, update, now                    pgtype.Timestamptz
	end, expire, due, lease, start, cancel pgtype.Timestamptz
	flags, crashLimit                      int32
	attempt, crashes, releases             int32
	retention, leaseFor                    int64
}

// scanRow decodes a row of rowColumns.
func scanRow(s rows) (*row, error) {
	var c columns
	rec := new(engine.Record)
	r := &row{rec: rec}
	err := s.Scan(&r.seq, &r.tail, &rec.Parent, &rec.Kind, &c.state, &c.flags, &c.create,
		&c.crashLimit, &c.retention, &c.leaseFor, &rec.RequestID, &r.caller, &c.trace,
		&c.request, &c.result, &c.end, &c.expire,
		&r.live, &c.owner, &r.hidden, &c.due, &c.lease,
		&c.attempt, &c.crashes, &c.releases,
		&rec.Fence, &rec.Revision,
		&c.start, &c.update, &c.cancel, &c.history,
		&c.metadata, &rec.Checkpoint, &c.now)
	if err != nil {
		return nil, err
	}
	rec.Name = enginekit.FormatName(rec.Parent, enginekit.FormatSeqID(r.seq, r.tail))
	rec.CreateTime, rec.UpdateTime, r.now = utc(c.create), utc(c.update), utc(c.now)
	rec.StartTime, rec.EndTime, rec.ExpireTime = utc(c.start), utc(c.end), utc(c.expire)
	rec.CancelTime, r.due, r.leaseUntil = utc(c.cancel), utc(c.due), utc(c.lease)
	rec.Attempt, rec.Crashes, rec.Releases = int(c.attempt), int(c.crashes), int(c.releases)
	r.flags, r.crashLimit = int(c.flags), int(c.crashLimit)
	r.retention, r.leaseFor = time.Duration(c.retention), time.Duration(c.leaseFor)
	rec.External = r.flags&flagExternal != 0
	switch {
	case c.state.Valid && engine.State(c.state.Int16).Terminal() && !r.live:
		rec.State = engine.State(c.state.Int16)
	case !c.state.Valid && r.live && !c.owner.Valid:
		rec.State = engine.Pending
	case !c.state.Valid && r.live:
		rec.State, r.owner = engine.Running, c.owner.Int64
	default:
		enginekit.Damage(rec, "state", enginekit.ErrMissing)
	}
	r.decode(&c)
	return r, nil
}

// scanRows calls f with each row.
func scanRows(f func(*row)) func(rows) error {
	return func(s rows) error {
		r, err := scanRow(s)
		if err == nil {
			f(r)
		}
		return err
	}
}

// decode reads the payloads. What cannot be read is damage of this operation
// alone.
func (r *row) decode(c *columns) {
	var err error
	enginekit.DecodeTrace(r.rec, []byte(c.trace.String))
	if c.history.String != noHistory {
		if r.history, err = enginekit.DecodeHistory([]byte(c.history.String)); err != nil {
			enginekit.Damage(r.rec, "history", err)
		}
	}
	if r.rec.Metadata, err = enginekit.DecodeAny(c.metadata); err != nil {
		enginekit.Damage(r.rec, "metadata", err)
	}
	if r.rec.Request, err = enginekit.DecodeAny(c.request); err != nil {
		enginekit.Damage(r.rec, "request", err)
		r.unrunnable = true
	}
	enginekit.DecodeResult(r.rec, c.result)
}

// utc returns the zero time for NULL.
func utc(t pgtype.Timestamptz) time.Time {
	if !t.Valid {
		return time.Time{}
	}
	return t.Time.UTC()
}

// optional returns nil for the zero time, which is stored as NULL.
func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// noHistory is a history without events.
const noHistory = "[]"

// historyArg is a row's history as jsonb, which takes no character 0.
func (r *row) historyArg() (string, error) {
	text, err := enginekit.EncodeHistory(r.history)
	if err != nil || text == nil {
		return noHistory, err
	}
	return replaceNUL(string(text)), nil
}
