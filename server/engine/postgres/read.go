package postgres

import (
	"context"
	"fmt"
	"maps"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// maxGets bounds the operations that one statement reads.
const maxGets = 1000

// Get implements [engine.Engine]. Calls that come at the same time share a
// query.
func (e *Engine) Get(ctx context.Context, name string) (*engine.Record, error) {
	r, err := e.find(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("get operation %q: %w", name, e.storeError(ctx, err))
	}
	return e.shown(r), nil
}

// find returns the operation of a name that was not deleted.
func (e *Engine) find(ctx context.Context, name string) (*row, error) {
	if err := e.open(ctx); err != nil {
		return nil, err
	}
	seq, ok := enginekit.ParseSeqName(name)
	if !ok {
		return nil, engine.ErrNotFound
	}
	r, err := e.gets.do(ctx, seq)
	if err != nil {
		return nil, err
	}
	if r == nil || r.hidden || r.rec.Name != name {
		return nil, engine.ErrNotFound
	}
	return r, nil
}

// runGets reads a group; what is not there gets nil.
func (e *Engine) runGets(ctx context.Context, group []*call[int64, *row]) {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	wanted := make([]int64, len(group))
	for i, c := range group {
		wanted[i] = c.query
	}
	if len(group) == 1 {
		here := e.runningOf(wanted)
		err := e.query(ctx, func(q querier) (err error) {
			group[0].result, err = e.load(ctx, q, group[0].query)
			return err
		})
		if err != nil {
			fail(group, err)
			return
		}
		group[0].result.ranBy(here)
		return
	}
	found, err := e.readMany(ctx, wanted, nil)
	if err != nil {
		fail(group, err)
		return
	}
	for _, c := range group {
		c.result = found[c.query]
	}
}

// running returns the attempts of this process, by operation. A read that has
// found an operation running shows what its attempt had reported when the read
// began, also when the attempt has ended since, and so the map is made before.
// Where the numbers are known by then, runningOf makes a smaller one: those of a
// list, or of what a request ID has started, are not.
func (e *Engine) running() map[int64]*attempt {
	e.mu.Lock()
	defer e.mu.Unlock()
	return maps.Clone(e.attempts)
}

// runningOf is running for some operations: its cost does not grow with what
// runs.
func (e *Engine) runningOf(wanted []int64) map[int64]*attempt {
	e.mu.Lock()
	defer e.mu.Unlock()
	var here map[int64]*attempt
	for _, seq := range wanted {
		if a := e.attempts[seq]; a != nil {
			if here == nil {
				here = make(map[int64]*attempt)
			}
			here[seq] = a
		}
	}
	return here
}

// ranBy notes the attempt of r, which may be nil, among those that running has
// returned.
func (r *row) ranBy(here map[int64]*attempt) {
	if r != nil {
		r.here = here[r.seq]
	}
}

// readMany returns the operations that are there. seen gets each one as it comes,
// and once more when the read was repeated; nil to leave that out.
func (e *Engine) readMany(ctx context.Context, wanted []int64, seen func(*row)) (map[int64]*row, error) {
	found := make(map[int64]*row, len(wanted))
	here := e.runningOf(wanted)
	err := e.keyed(ctx, e.pool, func() statement {
		clear(found)
		return e.getMany(wanted, func(r *row) {
			r.ranBy(here)
			found[r.seq] = r
			if seen != nil {
				seen(r)
			}
		})
	})
	return found, err
}

// getMany is the statement that reads operations.
func (e *Engine) getMany(wanted []int64, seen func(*row)) statement {
	return statement{sql: e.sql.getMany, args: []any{wanted}, scan: scanRows(seen)}
}

// shown returns the record of r with progress that is not stored yet, where the
// operation runs here.
func (e *Engine) shown(r *row) *engine.Record {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.shownLocked(r)
}

func (e *Engine) shownLocked(r *row) *engine.Record {
	a := e.attempts[r.seq]
	if a == nil {
		a = r.here
	}
	if a == nil || !r.owned(a.lease()) || a.progress == nil || !a.unsaved && r.rec.Revision >= a.revision {
		return r.rec
	}
	c := *r.rec
	if c.Revision >= a.revision {
		a.revision = c.Revision + 1 // of something else
	} else if !c.CancelTime.IsZero() && !a.showsCancel {
		a.revision++ // what was shown did not have it yet
	}
	a.showsCancel = !c.CancelTime.IsZero()
	c.Metadata, c.Revision = a.progress, a.revision
	if a.reported.After(c.UpdateTime) {
		c.UpdateTime = a.reported
	}
	return &c
}
