package postgres

import (
	"context"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// endCall is the end of an attempt on its way into the database.
type endCall struct {
	seq, fence, revision int64
	state                engine.State
	result, metadata     []byte // no metadata keeps what is there
	change               news
}

func newEnd(a *attempt, o engine.Outcome, revision int64) (c endCall, err error) {
	rec := *a.rec
	if o.Response != nil {
		rec.State, rec.Response = engine.Succeeded, o.Response
	} else {
		rec.State, rec.Error = enginekit.Ending(o.Error)
	}
	c = endCall{seq: a.seq, fence: rec.Fence, revision: revision, state: rec.State}
	c.change = news{seq: a.seq, own: true}
	if c.metadata, err = enginekit.EncodeAny(o.Metadata); err != nil {
		return c, err
	}
	c.result, err = enginekit.EncodeResult(&rec)
	return c, err
}

// runEnds ends a group. The result is false for operations that are not the
// attempt's any more, or that another transaction has locked.
func (e *Engine) runEnds(ctx context.Context, group []*call[endCall, bool]) {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	n := len(group)
	var (
		numbers, fences, revisions = make([]int64, n), make([]int64, n), make([]int64, n)
		states                     = make([]int16, n)
		results, metadata          = make([][]byte, n), make([][]byte, n)
		calls                      = make(map[int64]*call[endCall, bool], n)
	)
	for i, c := range group {
		q := &c.query
		numbers[i], fences[i], revisions[i], states[i] = q.seq, q.fence, q.revision, int16(q.state)
		results[i], metadata[i] = q.result, q.metadata
		calls[q.seq] = c
	}
	var changes []news
	err := e.planned(ctx, func(q querier) error {
		changes = nil
		return each(ctx, q, e.sql.end, func(r rows) error {
			var seq int64
			var hidden bool
			if err := r.Scan(&seq, &hidden); err != nil {
				return err
			}
			calls[seq].result = true
			changes = append(changes, calls[seq].query.change)
			return nil
		}, numbers, fences, states, results, metadata, revisions)
	})
	if err != nil {
		fail(group, err)
		return
	}
	e.changed(ctx, changes...)
}
