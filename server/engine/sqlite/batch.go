package sqlite

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// batch is one transaction on its way: what it has changed is seen by the
// requests behind it, and by all others once it is committed.
type batch struct {
	e       *Engine
	c       *conn
	bases   map[int64]*row // what all readers saw when it was loaded
	changes map[int64]*change
	order   []*change
	tally   map[tallyKey]int64
	err     error // of the store; the transaction is lost

	force    bool     // commits even if no operation changes
	added    int      // request IDs
	undo     []func() // what the writer's goroutine keeps outside of the batch
	onCommit func()   // nil for nothing
}

// change is what a batch does to one operation.
type change struct {
	seq     int64
	base    *row     // what all readers saw when after was made; nil for a new one
	after   *row     // nil when its row is removed
	attempt *attempt // begins with this change
}

type tallyKey struct {
	kind  string
	state engine.State
}

func newBatch(e *Engine) *batch {
	return &batch{
		e: e, c: e.writer,
		bases:   make(map[int64]*row),
		changes: make(map[int64]*change),
		tally:   make(map[tallyKey]int64),
	}
}

// execute runs the requests, commits and publishes. When it returns an error
// nothing has changed, on disk or in memory.
func (b *batch) execute(group []*request, claims []*claim, results []error) error {
	// A transaction is left when it could not be rolled back.
	if err := b.rollback(); err != nil {
		return err
	}
	if err := b.c.execute("BEGIN IMMEDIATE"); err != nil {
		return storeError("begin transaction", err)
	}
	b.checkOwner()
	for _, c := range claims {
		b.claim(c)
	}
	for i, r := range group {
		if b.err != nil {
			break
		}
		if results[i] = r.ctx.Err(); results[i] != nil {
			continue
		}
		results[i] = r.apply(b)
	}
	if len(b.order) == 0 && !b.force && b.err == nil {
		if err := b.rollback(); err != nil {
			return err
		}
		b.e.publish(b, claims) // what could not be claimed
		return nil
	}
	if b.err == nil {
		b.moveRequestIDs()
		b.writeTally()
	}
	if b.err != nil {
		return b.abort("write operations", b.err)
	}
	b.e.committing <- struct{}{}
	defer func() { <-b.e.committing }()
	if err := b.c.execute("COMMIT"); err != nil {
		return b.abort("commit", err)
	}
	// Changes in a file that cannot be found again are not acknowledged.
	if err := b.e.owned.check(); err != nil {
		return err
	}
	if b.onCommit != nil {
		b.onCommit()
	}
	b.e.publish(b, claims)
	return nil
}

// abort takes everything back.
func (b *batch) abort(doing string, err error) error {
	for _, undo := range slices.Backward(b.undo) {
		undo()
	}
	return errors.Join(storeError(doing, err), b.rollback())
}

// rollback ends the transaction, unless SQLite has already done so.
func (b *batch) rollback() error {
	if b.c.db.GetAutocommit() {
		return nil
	}
	if err := b.c.execute("ROLLBACK"); err != nil {
		return storeError("roll back", err)
	}
	return nil
}

// fail records that the store failed, and so the whole batch.
func (b *batch) fail(err error) error {
	if b.err == nil {
		b.err = err
	}
	return b.err
}

// load returns the latest state of an operation, nil when there is none. It
// includes progress that is not persisted.
func (b *batch) load(seq int64) (*row, error) {
	visible := b.e.visible(seq)
	if visible != nil {
		b.bases[seq] = visible
	}
	if c := b.changes[seq]; c != nil {
		return c.merge(visible), nil
	}
	if visible != nil {
		return visible, nil
	}
	r, err := b.c.load(seq)
	if err != nil {
		return nil, b.fail(err)
	}
	b.bases[seq] = r
	return r, nil
}

// find returns the operation of a name, or ErrNotFound.
func (b *batch) find(name string) (*row, error) {
	seq, ok := enginekit.ParseSeqName(name)
	if !ok {
		return nil, engine.ErrNotFound
	}
	r, err := b.load(seq)
	if err != nil {
		return nil, err
	}
	if r == nil || r.rec.Name != name {
		return nil, engine.ErrNotFound
	}
	return r, nil
}

// merge returns the staged state, with the metadata that was reported since it
// was made. Reported metadata is all that changes outside of batches, and only
// while the operation runs.
func (c *change) merge(visible *row) *row {
	if c.after == nil || visible == nil || visible == c.base {
		return c.after
	}
	if c.after.rec.State != engine.Running || c.after.rec.Fence != visible.rec.Fence {
		return c.after
	}
	r := c.after.edit()
	r.rec.Metadata = visible.rec.Metadata
	r.rec.UpdateTime = visible.rec.UpdateTime
	r.rec.Revision = max(r.rec.Revision, visible.rec.Revision) + 1
	return r
}

// stage records that an operation goes from before, which load returned, to
// after; nil is no operation.
func (b *batch) stage(seq int64, before, after *row) *change {
	b.count(before, -1)
	b.count(after, +1)
	c := b.changes[seq]
	if c == nil {
		c = &change{seq: seq}
		b.changes[seq] = c
		b.order = append(b.order, c)
	}
	c.base, c.after = b.bases[seq], after
	return c
}

// count keeps the tally of operations that are not deleted.
func (b *batch) count(r *row, n int64) {
	if r == nil || r.hidden() {
		return
	}
	b.tally[tallyKey{r.rec.Kind, r.rec.State}] += n
}

func (b *batch) writeTally() {
	for k, n := range b.tally {
		if n == 0 || b.err != nil {
			continue
		}
		err := b.c.execute(`INSERT INTO tally (kind, state, n) VALUES (?1, ?2, ?3)
			ON CONFLICT (kind, state) DO UPDATE SET n = n + ?3`, k.kind, k.state, n)
		if err != nil {
			b.fail(fmt.Errorf("count operations: %w", err))
		}
	}
}

// insert stages a new operation. request is its marshalled request.
func (b *batch) insert(r *row, request blobArg) error {
	rec := r.rec
	metadata, err := marshalAny(rec.Metadata)
	if err != nil {
		return err
	}
	trace, err := marshalTrace(rec.Trace)
	if err != nil {
		return err
	}
	inline := request
	if len(request) > inlineRequest {
		r.flags |= flagBigRequest
		inline = nil
		if err := b.c.execute("INSERT INTO request (seq, data) VALUES (?, ?)", r.seq, request); err != nil {
			return b.fail(err)
		}
	}
	var caller optionalText
	if rec.RequestID != "" {
		caller = optionalText(r.caller)
	}
	err = b.c.execute(`INSERT INTO op (seq, id, parent, kind, state, flags, create_time,
			attempt, crashes, fence, revision, start_time, update_time,
			crash_limit, retention, lease_for, request_id, caller, trace, metadata, request)
		VALUES (?, ?, ?, ?, ?, ?, ?,  ?, 0, ?, ?, ?, ?,  ?, ?, ?, ?, ?, ?, ?, ?)`,
		&r.seq, &r.id, &rec.Parent, &rec.Kind, rec.State, &r.flags, &rec.CreateTime,
		&rec.Attempt, &rec.Fence, &rec.Revision, &rec.StartTime, &rec.UpdateTime,
		&r.crashLimit, &r.retention, &r.leaseFor, optionalText(rec.RequestID), caller, trace, metadata, inline)
	if err != nil {
		return b.fail(err)
	}
	b.stage(r.seq, nil, r)
	return nil
}

// update stages a new state of an operation that is not done.
func (b *batch) update(before, after *row) (*change, error) {
	rec := after.rec
	metadata, err := marshalAny(rec.Metadata)
	if err != nil {
		return nil, err
	}
	history, err := encodeHistory(after.history)
	if err != nil {
		return nil, err
	}
	// No indexed column is set, so no index is touched.
	err = b.c.execute(`UPDATE op SET state = ?, flags = ?, due = ?, attempt = ?, crashes = ?, releases = ?, fence = ?,
			revision = ?, start_time = ?, update_time = ?, cancel_time = ?, history = ?, metadata = ?
		WHERE seq = ?`,
		rec.State, after.flags, after.due, rec.Attempt, rec.Crashes, rec.Releases, rec.Fence,
		rec.Revision, rec.StartTime, rec.UpdateTime, rec.CancelTime, history, metadata, after.seq)
	if err != nil {
		return nil, b.fail(err)
	}
	return b.stage(after.seq, before, after), nil
}

// updateMetadata stages new metadata alone.
func (b *batch) updateMetadata(before, after *row) error {
	metadata, err := marshalAny(after.rec.Metadata)
	if err != nil {
		return err
	}
	err = b.c.execute("UPDATE op SET revision = ?, update_time = ?, metadata = ? WHERE seq = ?",
		after.rec.Revision, after.rec.UpdateTime, metadata, after.seq)
	if err != nil {
		return b.fail(err)
	}
	b.stage(after.seq, before, after)
	return nil
}

// end stages the end of an operation: after has its result. The row of a
// hidden operation is removed.
func (b *batch) end(before, after *row, at time.Time) (*change, error) {
	rec := after.rec
	rec.EndTime, rec.UpdateTime = at, at
	rec.Revision++
	after.due = time.Time{}
	if after.retention > 0 {
		rec.ExpireTime = at.Add(after.retention)
	}
	if after.hidden() {
		return b.remove(before)
	}
	metadata, err := marshalAny(rec.Metadata)
	if err != nil {
		return nil, err
	}
	var result blobArg
	if result, err = enginekit.EncodeResult(rec); err != nil {
		return nil, err
	}
	history, err := encodeHistory(after.history)
	if err != nil {
		return nil, err
	}
	err = b.c.execute(`UPDATE op SET state = ?, end_time = ?, due = NULL, attempt = ?, crashes = ?, fence = ?,
			revision = ?, start_time = ?, update_time = ?, cancel_time = ?, expire_time = ?,
			history = ?, metadata = ?, result = ?
		WHERE seq = ?`,
		rec.State, rec.EndTime, rec.Attempt, rec.Crashes, rec.Fence,
		rec.Revision, rec.StartTime, rec.UpdateTime, rec.CancelTime, rec.ExpireTime,
		history, metadata, result, after.seq)
	if err != nil {
		return nil, b.fail(err)
	}
	return b.stage(after.seq, before, after), nil
}

// remove stages that an operation is no longer there.
func (b *batch) remove(r *row) (*change, error) {
	if err := b.noteSeq(r.seq); err != nil {
		return nil, err
	}
	if err := b.forgetRequestID(r); err != nil {
		return nil, err
	}
	if r.flags&flagBigRequest != 0 {
		if err := b.c.execute("DELETE FROM request WHERE seq = ?", r.seq); err != nil {
			return nil, b.fail(err)
		}
	}
	if r.flags&flagCheckpoint != 0 {
		if err := b.c.execute("DELETE FROM checkpoint WHERE seq = ?", r.seq); err != nil {
			return nil, b.fail(err)
		}
	}
	if err := b.c.execute("DELETE FROM op WHERE seq = ?", r.seq); err != nil {
		return nil, b.fail(err)
	}
	return b.stage(r.seq, r, nil), nil
}

func marshalTrace(trace map[string]string) (optionalText, error) {
	text, err := enginekit.EncodeTrace(trace)
	return optionalText(text), err
}
