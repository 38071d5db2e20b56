package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// endCall is the end of an attempt on its way into the database.
type endCall struct {
	claim
	revision         int64
	state            engine.State
	result, metadata []byte         // no metadata keeps what is there
	rec              *engine.Record // as it was claimed, with its result
}

func newEnd(a *attempt, o engine.Outcome, revision int64) (c endCall, err error) {
	rec := *a.rec
	if o.Response != nil {
		rec.State, rec.Response = engine.Succeeded, o.Response
	} else {
		rec.State, rec.Error = enginekit.Ending(o.Error)
	}
	rec.Metadata = o.Metadata
	c = endCall{claim: a.claim(), revision: revision, state: rec.State, rec: &rec}
	if c.metadata, err = enginekit.EncodeAny(o.Metadata); err != nil {
		return c, err
	}
	c.result, err = enginekit.EncodeResult(&rec)
	return c, err
}

func (c endCall) weight() int { return len(c.result) + len(c.metadata) }

// args are the parameters of the statement that ends one operation.
func (c *endCall) args() []any {
	return []any{c.seq, c.fence, int16(c.state), c.result, null(c.metadata), c.revision}
}

// endGroupArgs are the same as arrays.
func endGroupArgs(group []*endCall) []any {
	n := len(group)
	var (
		numbers, fences, revisions = make([]int64, n), make([]int64, n), make([]int64, n)
		states                     = make([]int16, n)
		results, metadata          = make([][]byte, n), make([][]byte, n)
	)
	for i, c := range group {
		numbers[i], fences[i], revisions[i], states[i] = c.seq, c.fence, c.revision, int16(c.state)
		results[i], metadata[i] = c.result, c.metadata
	}
	return []any{numbers, fences, states, results, metadata, revisions}
}

// scanEnd reads what the statement returns. find returns the call of a claim.
func scanEnd(r rows, find func(claim) *endCall) (news, error) {
	var (
		of                 claim
		revision           int64
		at                 time.Time
		cancel, expire     pgtype.Timestamptz
		stored, checkpoint []byte
	)
	if err := r.Scan(&of.seq, &of.fence, &revision, &at, &cancel, &expire, &stored, &checkpoint); err != nil {
		return news{}, err
	}
	n := news{seq: of.seq, own: true}
	rec := *find(of).rec
	rec.Revision, rec.EndTime, rec.UpdateTime = revision, at.UTC(), at.UTC()
	rec.CancelTime, rec.ExpireTime, rec.Checkpoint = utc(cancel), utc(expire), checkpoint
	if rec.Metadata == nil {
		var err error
		if rec.Metadata, err = enginekit.DecodeAny(stored); err != nil {
			return n, nil // it is read by those that need it
		}
	}
	n.ended = &rec
	return n, nil
}

// runEnds ends a group. The result is false for operations that are not the
// attempt's any more, that were deleted, or that another transaction has locked.
func (e *Engine) runEnds(ctx context.Context, group []*call[endCall, bool]) {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	// Of an operation that was claimed again there may be several.
	calls := make(map[claim]*call[endCall, bool], len(group))
	all := make([]*endCall, len(group))
	for i, c := range group {
		calls[c.query.claim], all[i] = c, &c.query
	}
	sql, args := e.sql.endGroup, endGroupArgs(all)
	if len(all) == 1 {
		sql, args = e.sql.end, all[0].args()
	}
	var changes []news
	err := e.keyed(ctx, e.pool, func() statement {
		changes = nil
		for _, c := range group {
			c.result = false // of a try that was undone
		}
		return statement{sql: sql, args: args, scan: func(r rows) error {
			n, err := scanEnd(r, func(of claim) *endCall {
				calls[of].result = true
				return &calls[of].query
			})
			changes = append(changes, n)
			return err
		}}
	})
	if err != nil {
		fail(group, err)
		return
	}
	e.changed(ctx, changes...)
}
