package sqlite

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// requestIDs leads from request IDs to the operations they started. It belongs
// to the writer's goroutine.
//
// Keys are random, so each that goes into the table by itself costs a page of
// the log. Therefore keys of new operations are young: they are in memory, and
// on disk only in the row of their operation, from which they are read again
// at open. When there are many, they are frozen, and move to the table in the
// order of their keys, some with every group of changes, so that those that
// move together share pages.
type requestIDs struct {
	young  map[requestKey]int64
	frozen []requestKey // sorted; are moving
	moved  int          // of frozen
	below  int64        // operations before this one are in frozen or the table
	merged int64        // operations before this one are in the table; stored
}

const (
	// defaultYoungKeys is how many keys gather before they move. In a large
	// table they would share no pages, so there it is 1 of youngShare
	// operations, up to maxYoungFactor times as many.
	defaultYoungKeys = 4096
	youngShare       = 16
	maxYoungFactor   = 16

	// maxUnmerged bounds the rows that open reads for the young keys.
	maxUnmerged = 200_000

	// minMoved is how many keys move with a group at least.
	minMoved = 16
)

// requestKey is that of package enginekit.
type requestKey [16]byte

func newRequestKey(caller, requestID string) requestKey {
	return enginekit.RequestKey(caller, requestID)
}

func (k requestKey) compare(l requestKey) int { return bytes.Compare(k[:], l[:]) }

// readRequestIDs reads the young keys.
func (e *Engine) readRequestIDs() error {
	ids := &e.requestIDs
	ids.young = make(map[requestKey]int64)
	var err error
	ids.merged, err = e.readMeta(metaMerged)
	if err != nil {
		return err
	}
	// Rows below may be gone, and their numbers must not come again.
	e.nextSeq = max(e.nextSeq, ids.merged)
	stmt, err := e.writer.prepared("SELECT seq, caller, request_id FROM op WHERE seq >= ? AND request_id IS NOT NULL AND flags & 4 = 0")
	if err != nil {
		return err
	}
	defer stmt.Reset()
	if err := stmt.BindInt64(1, ids.merged); err != nil {
		return err
	}
	for stmt.Step() {
		ids.young[newRequestKey(stmt.ColumnText(1), stmt.ColumnText(2))] = stmt.ColumnInt64(0)
	}
	return stmt.Err()
}

// findRequestID returns the operation that a request ID has started, nil when
// there is none.
func (b *batch) findRequestID(spec *engine.Spec, request blobArg, key requestKey) (*row, error) {
	seq, ok := b.e.requestIDs.young[key]
	if !ok {
		seqs, err := b.seqs("SELECT seq FROM request_id WHERE hash = ?", blobArg(key[:]))
		if err != nil || len(seqs) == 0 {
			return nil, err
		}
		seq = seqs[0]
	}
	r, err := b.load(seq)
	if err != nil {
		return nil, err
	}
	if r == nil || r.rec.RequestID != spec.RequestID || r.caller != spec.Caller {
		return nil, fmt.Errorf("the database file is damaged: request ID %q leads to another operation", spec.RequestID)
	}
	if r.unrunnable {
		return r, nil // with which request is not known any more
	}
	stored, err := marshalAny(r.rec.Request)
	if err != nil {
		return nil, err
	}
	if r.rec.Kind != spec.Kind || r.rec.Parent != spec.Parent ||
		(stored == nil) != (request == nil) || !bytes.Equal(stored, request) {
		return nil, fmt.Errorf("%w: %q started operation %q", engine.ErrRequestIDReused, spec.RequestID, r.rec.Name)
	}
	return r, nil
}

func (b *batch) addRequestID(key requestKey, seq int64) {
	ids := &b.e.requestIDs
	ids.young[key] = seq
	b.added++
	b.undo = append(b.undo, func() { delete(ids.young, key) })
}

func (b *batch) forgetRequestID(r *row) error {
	if r.rec.RequestID == "" || r.hidden() {
		return nil
	}
	ids, key := &b.e.requestIDs, newRequestKey(r.caller, r.rec.RequestID)
	if seq, ok := ids.young[key]; ok {
		delete(ids.young, key)
		b.undo = append(b.undo, func() { ids.young[key] = seq })
	}
	if err := b.c.execute("DELETE FROM request_id WHERE hash = ?", blobArg(key[:])); err != nil {
		return b.fail(err)
	}
	return nil
}

// moveRequestIDs moves some frozen keys to the table: faster than young ones
// come.
func (b *batch) moveRequestIDs() {
	ids := &b.e.requestIDs
	if ids.frozen == nil && !ids.freeze(b.e.enoughYoung(), b.e.nextSeq) {
		return
	}
	before, young := *ids, ids.young
	part := ids.frozen[ids.moved:min(ids.moved+max(3*b.added, minMoved), len(ids.frozen))]
	var done []requestKey
	for _, key := range part {
		seq, ok := young[key]
		if !ok {
			continue // deleted since
		}
		// It is there already when the process died while it moved.
		if err := b.c.execute("INSERT OR IGNORE INTO request_id (hash, seq) VALUES (?, ?)", blobArg(key[:]), seq); err != nil {
			b.fail(err)
			return
		}
		done = append(done, key)
	}
	b.onCommit = func() {
		for _, key := range done {
			delete(young, key)
		}
	}
	b.undo = append(b.undo, func() { *ids = before })
	ids.moved += len(part)
	if ids.moved < len(ids.frozen) {
		return
	}
	ids.frozen, ids.moved, ids.merged = nil, 0, ids.below
	_ = b.setMeta(metaMerged, ids.merged) // its failure is the batch's
}

// enoughYoung is how many young keys gather before they move.
func (e *Engine) enoughYoung() int {
	enough := e.opts.youngKeys
	if len(e.requestIDs.young) < enough {
		return enough
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	var operations int64
	for _, n := range e.counts {
		operations += n
	}
	return int(min(max(operations/youngShare, int64(enough)), int64(maxYoungFactor*enough)))
}

// freeze has all young keys move, when there are enough.
func (ids *requestIDs) freeze(enough int, nextSeq int64) bool {
	if len(ids.young) < enough && (len(ids.young) == 0 || nextSeq-ids.merged < maxUnmerged) {
		return false
	}
	ids.frozen = make([]requestKey, 0, len(ids.young))
	for key := range ids.young {
		ids.frozen = append(ids.frozen, key)
	}
	slices.SortFunc(ids.frozen, requestKey.compare)
	ids.below = nextSeq
	return true
}
