package postgres

import (
	"context"
	"slices"
	"time"

	"github.com/go-lro/lro/server/engine"
)

// maxSparse bounds the numbers for each that is waited for, up to which all live
// operations of their range are read.
const maxSparse = 4

// runWatch finds what waits are for and what attempts must know, while LISTEN does
// not deliver it: ends, cancels and lost operations.
func (e *Engine) runWatch(ctx context.Context) {
	var began time.Time
	for {
		waited := e.waits.Keys()
		e.mu.Lock()
		attempts := len(e.attempts)
		e.mu.Unlock()
		if len(waited) == 0 && attempts == 0 && (e.news.listening() || !e.feed.Used()) {
			e.polled.forget()
			if !pause(ctx, time.Hour, e.watchKick) {
				return
			}
			continue
		}
		// From begin to begin: a watch of much that is waited for takes its time.
		every := e.pollEvery()
		if !pause(ctx, max(every-time.Since(began), every/4), nil) {
			return
		}
		if e.news.listening() && !pause(ctx, time.Until(e.turns.take()), nil) {
			return
		}
		began = time.Now()
		if err := e.watch(ctx); err != nil && ctx.Err() == nil {
			e.outages.warn("operations could not be watched, will try again", err)
		}
	}
}

func (e *Engine) watch(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	if waited := e.waits.Keys(); len(waited) > 0 {
		err := e.keyed(ctx, e.ownPool, func() statement {
			return e.watchWaits(waited)
		})
		if err != nil {
			return err
		}
	}
	if err := e.pollFeed(ctx); err != nil {
		return err
	}
	owned := make(map[int64][]*attempt) // by owner
	e.mu.Lock()
	for _, a := range e.attempts {
		owned[a.owner] = append(owned[a.owner], a)
	}
	e.mu.Unlock()
	for owner, attempts := range owned {
		if err := e.watchAttempts(ctx, owner, attempts); err != nil {
			return err
		}
	}
	return nil
}

// watchWaits is the statement that reads those of waited that have ended or are gone.
func (e *Engine) watchWaits(waited []int64) statement {
	s := statement{sql: e.sql.watch, args: []any{waited}, scan: scanRows(e.endWaits)}
	least, most := slices.Min(waited), slices.Max(waited)
	if most-least < maxSparse*int64(len(waited)) {
		s.sql, s.args = e.sql.watchRange, append(s.args, least, most)
	}
	return s
}

// endWaits wakes those that wait for an operation that has ended or is gone.
func (e *Engine) endWaits(r *row) {
	switch {
	case r.rec.Kind == "" || r.hidden:
		e.waits.End(r.seq, nil, engine.ErrNotFound)
	case r.rec.State.Terminal():
		e.waits.End(r.seq, r.rec, nil)
	}
}

// watchAttempts notifies attempts that cancel was requested, or that they have lost
// their operation.
func (e *Engine) watchAttempts(ctx context.Context, owner int64, attempts []*attempt) error {
	numbers := make([]int64, len(attempts))
	for i, a := range attempts {
		numbers[i] = a.seq
	}
	type asked struct{ cancel, hide bool }
	found := make(map[claim]asked)
	err := e.keyed(ctx, e.ownPool, func() statement {
		clear(found)
		return statement{sql: e.sql.mine, args: []any{numbers, owner}, scan: func(r rows) error {
			var of claim
			var to asked
			err := r.Scan(&of.seq, &of.fence, &to.cancel, &to.hide)
			found[of] = to
			return err
		}}
	})
	if err != nil {
		return err
	}
	for _, a := range attempts {
		to, ok := found[a.claim()]
		if !ok {
			a.lose()
			continue
		}
		if to.hide {
			a.hide()
		}
		if to.cancel {
			a.cancelRequested()
		}
	}
	return nil
}
