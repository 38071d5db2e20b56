package sqlite

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ncruces/go-sqlite3"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/status"
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

// damaged notes that a part of a row makes no sense, while the database as such
// is sound. The rest of it is used, and other rows are not touched by it.
func (r *row) damaged(what string, err error) {
	text := fmt.Sprintf("%s: %v", what, err)
	if r.rec.Damaged != "" {
		text = r.rec.Damaged + "; " + text
	}
	r.rec.Damaged = strings.ToValidUTF8(text, "\uFFFD")
}

// lostInput notes damage without which no attempt can do its work.
func (r *row) lostInput(what string, err error) {
	r.damaged(what, err)
	r.unrunnable = true
}

// dataLoss is the error of an operation that ends, or has ended, damaged.
func (r *row) dataLoss() *status.Status {
	return enginekit.Status(code.Code_DATA_LOSS, "the stored operation is damaged: "+r.rec.Damaged)
}

var errMissing = errors.New("missing")

func (r *row) scanPayloads(s *sqlite3.Stmt) {
	if !isState(r.rec.State) {
		r.damaged("state", fmt.Errorf("%d", r.rec.State))
	}
	if text := s.ColumnRawText(22); len(text) > 0 {
		if err := json.Unmarshal(text, &r.rec.Trace); err != nil {
			r.rec.Trace = nil
			r.damaged("trace", err)
		}
	}
	var err error
	if r.history, err = decodeHistory(s.ColumnRawText(23)); err != nil {
		r.damaged("history", err)
	}
	if r.rec.Metadata, err = columnAny(s, 24); err != nil {
		r.damaged("metadata", err)
	}
	if r.rec.Request, err = columnAny(s, 26); err != nil {
		r.lostInput("request", err)
	}
	switch r.rec.State {
	case engine.Succeeded:
		r.rec.Response, err = columnAny(s, 25)
		if err == nil && r.rec.Response == nil {
			err = errMissing
		}
	case engine.Failed, engine.Cancelled:
		r.rec.Error = new(status.Status)
		err = proto.Unmarshal(s.ColumnRawBlob(25), r.rec.Error)
	default:
		return
	}
	if err != nil {
		r.damaged("result", err)
		r.rec.Response, r.rec.Error = nil, r.dataLoss()
	}
}

func isState(s engine.State) bool { return s >= engine.Pending && s <= engine.Cancelled }

// columnAny returns nil for NULL.
func columnAny(s *sqlite3.Stmt, col int) (*anypb.Any, error) {
	if s.ColumnType(col) == sqlite3.NULL {
		return nil, nil
	}
	return decodeAny(s.ColumnRawBlob(col))
}

func decodeAny(b []byte) (*anypb.Any, error) {
	a := new(anypb.Any)
	if err := proto.Unmarshal(b, a); err != nil {
		return nil, err
	}
	if a.GetTypeUrl() == "" && len(a.ProtoReflect().GetUnknown()) > 0 {
		return nil, errors.New("not a google.protobuf.Any")
	}
	return a, nil
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
