package sqlite

import (
	"fmt"
	"time"

	"github.com/ncruces/go-sqlite3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// Bits of the column flags. They are stored and never change.
const (
	flagExternal   = 1 << iota // engine.Spec.External
	flagAtMostOnce             // engine.Spec.AtMostOnce
	flagHidden                 // deleted, but has not ended
	flagBigRequest             // the request is in a table of its own
	flagCheckpoint             // there is a row in table checkpoint
)

// inlineRequest is the greatest size in bytes of a request that is kept in its
// operation's row, and so is rewritten with every change of the row.
const inlineRequest = 4 << 10

// row is an operation as it is stored: the record, and what the engine alone
// needs to know. Like the record it is immutable once it is shared.
type row struct {
	rec *engine.Record
	seq int64
	id  string

	flags      int64
	caller     string
	crashLimit int
	retention  time.Duration
	leaseFor   time.Duration
	due        time.Time // when a retry may begin; zero for at once
	history    []engine.Event
	unrunnable bool // what an attempt needs is damaged
}

func (r *row) hidden() bool     { return r.flags&flagHidden != 0 }
func (r *row) atMostOnce() bool { return r.flags&flagAtMostOnce != 0 }

// owned reports whether l is the right to write to r now.
func (r *row) owned(l engine.Lease) bool {
	return r.rec.State == engine.Running && r.rec.Fence == l.Fence
}

// size is what r takes in memory, roughly.
func (r *row) size() int64 {
	n := 1024 + len(r.rec.Name) + len(r.rec.Checkpoint)
	for _, a := range []*anypb.Any{r.rec.Request, r.rec.Metadata, r.rec.Response} {
		n += len(a.GetValue()) + len(a.GetTypeUrl())
	}
	if r.rec.Error != nil {
		n += proto.Size(r.rec.Error)
	}
	for _, e := range r.history {
		n += 64 + len(e.Text)
	}
	return int64(n)
}

// edit returns a copy of r, with a record of its own, that may be changed
// until it is shared.
func (r *row) edit() *row {
	c, rec := *r, *r.rec
	c.rec = &rec
	return &c
}

// rowColumns are the columns that scanRow reads, in its order.
const rowColumns = `seq, id, parent, kind, state, flags, create_time, end_time, due,
	attempt, crashes, fence, revision, start_time, update_time, cancel_time, expire_time,
	crash_limit, retention, lease_for, request_id, caller, trace, history, metadata, result, request, releases`

// scanRow decodes the current row of a statement that selects rowColumns. The
// checkpoint and a big request are not part of it.
func scanRow(s *sqlite3.Stmt) (*row, error) {
	rec := &engine.Record{
		Parent:     s.ColumnText(2),
		Kind:       s.ColumnText(3),
		State:      engine.State(s.ColumnInt64(4)),
		CreateTime: columnTime(s, 6),
		EndTime:    columnTime(s, 7),
		Attempt:    s.ColumnInt(9),
		Crashes:    s.ColumnInt(10),
		Fence:      s.ColumnInt64(11),
		Revision:   s.ColumnInt64(12),
		StartTime:  columnTime(s, 13),
		UpdateTime: columnTime(s, 14),
		CancelTime: columnTime(s, 15),
		ExpireTime: columnTime(s, 16),
		RequestID:  s.ColumnText(20),
		Releases:   s.ColumnInt(27),
	}
	r := &row{
		rec:        rec,
		seq:        s.ColumnInt64(0),
		id:         s.ColumnText(1),
		flags:      s.ColumnInt64(5),
		due:        columnTime(s, 8),
		crashLimit: s.ColumnInt(17),
		retention:  time.Duration(s.ColumnInt64(18)),
		leaseFor:   time.Duration(s.ColumnInt64(19)),
		caller:     s.ColumnText(21),
	}
	rec.Name = enginekit.FormatName(rec.Parent, r.id)
	rec.External = r.flags&flagExternal != 0
	r.scanPayloads(s)
	// Out of memory, for one, while a value was read.
	return r, s.Err()
}

// lostInput notes damage without which no attempt can do its work.
func (r *row) lostInput(what string, err error) {
	enginekit.Damage(r.rec, what, err)
	r.unrunnable = true
}

func (r *row) scanPayloads(s *sqlite3.Stmt) {
	if !isState(r.rec.State) {
		enginekit.Damage(r.rec, "state", fmt.Errorf("%d", r.rec.State))
	}
	enginekit.DecodeTrace(r.rec, s.ColumnRawText(22))
	var err error
	if r.history, err = enginekit.DecodeHistory(s.ColumnRawText(23)); err != nil {
		enginekit.Damage(r.rec, "history", err)
	}
	if r.rec.Metadata, err = columnAny(s, 24); err != nil {
		enginekit.Damage(r.rec, "metadata", err)
	}
	if r.rec.Request, err = columnAny(s, 26); err != nil {
		r.lostInput("request", err)
	}
	enginekit.DecodeResult(r.rec, columnBlob(s, 25))
}

func isState(s engine.State) bool { return s >= engine.Pending && s <= engine.Cancelled }

// columnAny returns nil for NULL.
func columnAny(s *sqlite3.Stmt, col int) (*anypb.Any, error) {
	return enginekit.DecodeAny(columnBlob(s, col))
}

// columnBlob returns nil for NULL alone. It is valid until the next step.
func columnBlob(s *sqlite3.Stmt, col int) []byte {
	if b := s.ColumnRawBlob(col); b != nil || s.ColumnType(col) == sqlite3.NULL {
		return b
	}
	return []byte{}
}

func columnTime(s *sqlite3.Stmt, col int) time.Time {
	if s.ColumnType(col) == sqlite3.NULL {
		return time.Time{}
	}
	return time.Unix(0, s.ColumnInt64(col)).UTC()
}

// now returns the time as it is stored, so that a record does not change when
// it is read back.
func now() time.Time {
	return time.Unix(0, time.Now().UnixNano()).UTC()
}
