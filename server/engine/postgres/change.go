package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// revisionGap lifts a revision above all that another process may have shown for
// progress that was never stored.
const revisionGap = 1 << 20

// null is an argument that is NULL where b is nil, for all drivers.
func null(b []byte) any {
	if b == nil {
		return nil
	}
	return b
}

// replaceNUL takes out of JSON what jsonb refuses.
func replaceNUL(text string) string { return strings.ReplaceAll(text, `\u0000`, `\ufffd`) }

// load returns an operation, or nil.
func (e *Engine) load(ctx context.Context, q querier, seq int64) (*row, error) {
	var found *row
	err := each(ctx, q, e.sql.get, scanRows(func(r *row) { found = r }), seq)
	return found, err
}

// change runs apply on an operation that is locked, in a transaction: that of
// ctx, if there is one. apply returns what the operation becomes; the row it was
// given is no change, and nil removes it. The record is that after the change, or
// the last one.
func (e *Engine) change(ctx context.Context, doing, name string, apply func(*row) (*row, error)) (*engine.Record, error) {
	r, err := e.changeRow(ctx, e.pool, name, apply)
	if err != nil {
		return nil, fmt.Errorf("%s operation %q: %w", doing, name, e.storeError(ctx, err))
	}
	return e.shown(r), nil
}

func (e *Engine) changeRow(ctx context.Context, pool *pgxpool.Pool, name string, apply func(*row) (*row, error)) (*row, error) {
	if err := e.open(ctx); err != nil {
		return nil, err
	}
	seq, ok := enginekit.ParseSeqName(name)
	if !ok {
		return nil, engine.ErrNotFound
	}
	return e.changeSeq(ctx, pool, seq, func(r *row) (*row, error) {
		if r.rec.Name != name {
			return nil, engine.ErrNotFound
		}
		return apply(r)
	})
}

func (e *Engine) changeSeq(ctx context.Context, pool *pgxpool.Pool, seq int64, apply func(*row) (*row, error)) (*row, error) {
	var before, after *row
	removed := true
	err := e.within(ctx, pool, func(f frame) error {
		before, after, removed = nil, nil, true
		// While an operation is live, no other transaction can change it once it is
		// locked. A statement of its own reads it: it sees what the lock waited for.
		read := []statement{{sql: e.sql.lock, args: []any{seq}}, {sql: e.sql.get, args: []any{seq}, scan: scanRows(func(r *row) { before = r })}}
		return f.runTwo(ctx, read, func() (_ []statement, err error) {
			if before == nil {
				return nil, engine.ErrNotFound
			}
			before = before.edit()
			before.rec = e.shown(before)
			after, err = apply(before)
			if err != nil || after == before {
				return nil, err
			}
			return e.writes(before, after, &removed)
		})
	})
	if err == nil && !removed {
		err = engine.ErrNotFound
	}
	switch {
	case err != nil:
		if after != before && !isRefusal(err) && !transient(err) {
			e.changed(ctx, news{seq: seq}) // maybe: the answer to the commit may be lost
		}
		return nil, err
	case after == before:
		return before, nil
	}
	e.changed(ctx, newsOf(before, after))
	if after == nil {
		return before, nil
	}
	return after, nil
}

// writes returns the statements that store what a locked operation becomes. They
// set removed to false when it was to be removed and another transaction has: of
// two that remove an operation that is done, one finds nothing.
func (e *Engine) writes(before, after *row, removed *bool) ([]statement, error) {
	dropLive := statement{sql: e.sql.dropLive, args: []any{before.seq}}
	switch {
	case after == nil || after.hidden && after.rec.State.Terminal():
		*removed = false
		remove := statement{sql: e.sql.remove, args: []any{before.seq}, scan: func(rows) error { *removed = true; return nil }}
		if before.live {
			return []statement{dropLive, remove}, nil
		}
		return []statement{remove}, nil
	case after.hidden && !before.hidden:
		return []statement{{sql: e.sql.hide, args: []any{before.seq}}}, nil
	}
	rec := after.rec
	metadata, err := enginekit.EncodeAny(rec.Metadata)
	if err != nil {
		return nil, err
	}
	history, err := after.historyArg()
	if err != nil {
		return nil, err
	}
	if rec.State.Terminal() {
		result, err := enginekit.EncodeResult(rec)
		if err != nil {
			return nil, err
		}
		return []statement{dropLive, {sql: e.sql.endOne, args: []any{
			after.seq, int16(rec.State), rec.Attempt, rec.Crashes, rec.Releases, rec.Fence, rec.Revision, optional(rec.StartTime),
			rec.UpdateTime, optional(rec.CancelTime), optional(rec.ExpireTime), history, null(metadata), null(rec.Checkpoint), result,
		}}}, nil
	}
	var owner *int64
	if rec.State == engine.Running {
		owner = &after.owner
	}
	return []statement{{sql: e.sql.updateLive, args: []any{
		after.seq, owner, rec.Fence, optional(after.due), rec.Attempt, rec.Crashes, rec.Releases, rec.Revision, optional(rec.StartTime),
		rec.UpdateTime, optional(rec.CancelTime), history, null(metadata), null(rec.Checkpoint), optional(after.leaseUntil),
	}}}, nil
}

// end makes after an operation that has ended; its result is set.
func (r *row) end(at time.Time) {
	rec := r.rec
	rec.EndTime, rec.UpdateTime = at, at
	rec.Revision++
	r.due, r.leaseUntil = time.Time{}, time.Time{}
	if r.retention > 0 {
		rec.ExpireTime = at.Add(r.retention.Truncate(time.Microsecond))
	}
}

// settle returns what an operation becomes whose attempt ended with o. gap says
// that the attempt may have shown progress that is not known here.
func settle(r *row, o engine.Outcome, gap bool) *row {
	at := r.at()
	after := r.edit()
	rec := after.rec
	if gap {
		rec.Revision += revisionGap
	}
	if o.Metadata != nil {
		rec.Metadata = o.Metadata
	}
	cancelled := !rec.CancelTime.IsZero()
	switch {
	case o.Response != nil:
		rec.State, rec.Response = engine.Succeeded, o.Response
	case o.Release && cancelled:
		rec.State, rec.Error = enginekit.Ending(enginekit.Cancelled())
	case o.Release && r.atMostOnce():
		rec.State, rec.Error = enginekit.Ending(enginekit.Interrupted())
	case o.Release:
		rec.Releases++
		after.addEvent(engine.EventAttemptReleased, "")
		after.handBack(at, at)
		return after
	case o.Retry && !cancelled && !r.atMostOnce():
		after.addEvent(engine.EventAttemptRetry, o.Error.GetMessage())
		after.handBack(at, at.Add(max(o.RetryAfter, 0)))
		return after
	default:
		rec.State, rec.Error = enginekit.Ending(o.Error)
	}
	after.end(at)
	return after
}

// crashed returns what an operation becomes when the lease of its process has ended.
func crashed(r *row) *row {
	at := r.at()
	after := r.edit()
	rec := after.rec
	rec.Revision += revisionGap
	rec.Crashes++
	after.addEvent(engine.EventAttemptCrashed, "")
	switch {
	case !rec.CancelTime.IsZero():
		rec.State, rec.Error = enginekit.Ending(enginekit.Cancelled())
	case r.atMostOnce():
		rec.State, rec.Error = enginekit.Ending(enginekit.Died())
	case rec.Crashes >= r.crashLimit:
		rec.State, rec.Error = enginekit.Ending(enginekit.Crashed(rec.Crashes))
	default:
		after.handBack(at, at)
		return after
	}
	after.end(at)
	return after
}

// handBack makes an operation wait for another attempt.
func (r *row) handBack(at, due time.Time) {
	r.rec.State = engine.Pending
	r.rec.Revision++
	r.rec.UpdateTime = at
	r.due = due
	r.owner = 0
}

// isRefusal reports errors after which the same write is refused again.
func isRefusal(err error) bool {
	return errors.Is(err, engine.ErrFenced) || errors.Is(err, engine.ErrNotFound)
}
