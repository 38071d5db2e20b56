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

// lock returns an operation that it has locked, or nil. While it is live, no other
// transaction can change it until this one ends.
func (e *Engine) lock(ctx context.Context, q querier, seq int64) (*row, error) {
	if _, err := exec(ctx, q, e.sql.lock, seq); err != nil {
		return nil, err
	}
	// A statement of its own: it sees what the lock waited for.
	return e.load(ctx, q, seq)
}

// load returns an operation, or nil.
func (e *Engine) load(ctx context.Context, q querier, seq int64) (*row, error) {
	var found *row
	err := each(ctx, q, e.sql.get, func(s rows) (err error) {
		found, err = scanRow(s)
		return err
	}, seq)
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
	err := e.join(ctx, pool, func(q querier) error {
		var err error
		if before, err = e.lock(ctx, q, seq); err != nil {
			return err
		}
		if before == nil {
			return engine.ErrNotFound
		}
		before = before.edit()
		before.rec = e.shown(before)
		after, err = apply(before)
		if err != nil || after == before {
			return err
		}
		return e.write(ctx, q, before, after)
	})
	switch {
	case err != nil:
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

// write stores what a locked operation becomes.
func (e *Engine) write(ctx context.Context, q querier, before, after *row) error {
	switch {
	case after == nil || after.hidden && after.rec.State.Terminal():
		if before.live {
			if _, err := exec(ctx, q, e.sql.dropLive, before.seq); err != nil {
				return err
			}
		}
		return e.removeRow(ctx, q, before)
	case after.hidden && !before.hidden:
		_, err := exec(ctx, q, e.sql.hide, before.seq)
		return err
	case after.rec.State.Terminal():
		return e.writeEnd(ctx, q, after)
	}
	rec := after.rec
	metadata, err := enginekit.EncodeAny(rec.Metadata)
	if err != nil {
		return err
	}
	history, err := after.historyArg()
	if err != nil {
		return err
	}
	var owner *int64
	if rec.State == engine.Running {
		owner = &after.owner
	}
	_, err = exec(ctx, q, e.sql.updateLive, after.seq, owner, rec.Fence, optional(after.due), rec.Attempt,
		rec.Crashes, rec.Releases, rec.Revision, optional(rec.StartTime),
		rec.UpdateTime, optional(rec.CancelTime), history, null(metadata),
		null(rec.Checkpoint), optional(after.leaseUntil))
	return err
}

// removeRow removes an operation that has ended. Of two that do so at once, one
// finds nothing.
func (e *Engine) removeRow(ctx context.Context, q querier, r *row) error {
	n, err := exec(ctx, q, e.sql.remove, r.seq)
	if err == nil && n == 0 {
		return engine.ErrNotFound
	}
	return err
}

func (e *Engine) writeEnd(ctx context.Context, q querier, after *row) error {
	rec := after.rec
	metadata, err := enginekit.EncodeAny(rec.Metadata)
	if err != nil {
		return err
	}
	result, err := enginekit.EncodeResult(rec)
	if err != nil {
		return err
	}
	history, err := after.historyArg()
	if err != nil {
		return err
	}
	if _, err := exec(ctx, q, e.sql.dropLive, after.seq); err != nil {
		return err
	}
	_, err = exec(ctx, q, e.sql.endOne, after.seq, int16(rec.State), rec.Attempt, rec.Crashes, rec.Releases,
		rec.Fence, rec.Revision, optional(rec.StartTime), rec.UpdateTime,
		optional(rec.CancelTime), optional(rec.ExpireTime), history,
		null(metadata), null(rec.Checkpoint), result)
	return err
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

// crashed returns what an operation becomes whose process is not heard from.
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
