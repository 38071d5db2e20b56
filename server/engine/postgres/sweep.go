package postgres

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

const (
	// sweepEvery is how often each process looks for dead ones, leases that have
	// ended and operations that expired.
	sweepEvery = time.Second
	// minSweep is the least pause before the next.
	minSweep = 20 * time.Millisecond
	// sweepSlack is how much older than the last sweep what the next one looks for
	// may be: its transaction committed late. Each sweepBelow looks for all.
	sweepSlack = 10 * time.Second
	// compactEvery is how often each process sums up the counts, when they have more
	// than maxTally rows: some 25 ms to read, of the 50 that the console may take. Each
	// sum leaves as many dead rows.
	compactEvery = time.Minute
	maxTally     = 150_000
	// maxTakeOver bounds the operations that one transaction takes over.
	maxTakeOver = 200
	// maxExpire bounds the operations that one transaction removes.
	maxExpire = 200
)

// runSweep sweeps until ctx ends. It begins where the last sweep has found nothing
// more: below are the dead rows of what was removed, as many as were since a
// transaction that is held open began.
func (e *Engine) runSweep(ctx context.Context) {
	compacted, below := time.Now(), time.Now()
	var from time.Time // by the database's clock
	var overdue time.Duration
	for wait := sweepEvery; pause(ctx, wait, nil); {
		// Not all processes at once.
		wait = sweepEvery - rand.N(sweepEvery/10)
		if time.Since(compacted) >= compactEvery {
			compacted = time.Now()
			if err := e.compact(ctx, maxTally); err != nil && ctx.Err() == nil {
				e.outages.warn("counts could not be summed up, will try again", err)
			}
		}
		if time.Since(below) >= sweepBelow {
			below, from = time.Now(), time.Time{}
		}
		if err := e.sweep(ctx, from); err != nil {
			if ctx.Err() == nil {
				e.outages.warn("dead processes and ended leases could not be searched for, will try again", err)
			}
			continue
		}
		var next float64
		var now time.Time
		err := e.own(ctx, func(q querier) error {
			return each(ctx, q, e.sql.nextEvents, func(r rows) error { return r.Scan(&next, &now) }, from)
		})
		switch {
		case err != nil:
		case next > 0:
			overdue = 0
			wait = max(min(wait, time.Duration(next*float64(time.Second))), minSweep)
			from = now.Add(-sweepSlack)
		default:
			// It was due just now, or a transaction that may be long has it locked.
			overdue = min(max(2*overdue, minSweep), wait)
			wait = overdue
		}
	}
}

// sweep takes over the operations of dead processes, ends leases that are over,
// and removes what has expired, except what was over before from.
func (e *Engine) sweep(ctx context.Context, from time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	var dead, ended []int64
	err := e.own(ctx, func(q querier) (err error) {
		if dead, err = seqs(ctx, q, e.sql.deadProcs); err != nil {
			return err
		}
		ended, err = seqs(ctx, q, e.sql.endedLeases, from)
		return err
	})
	if err != nil {
		return err
	}
	for _, id := range dead {
		for more := true; more; {
			if more, err = e.takeOver(ctx, id); err != nil {
				return err
			}
		}
	}
	for _, seq := range ended {
		if err := e.endLease(ctx, seq); err != nil && !isRefusal(err) {
			return err
		}
	}
	for more := true; more; {
		if from, more, err = e.expire(ctx, from); err != nil {
			return err
		}
	}
	return nil
}

// takeOver takes operations from a process whose lease has ended. What its
// transactions still have locked is left to the next sweep.
func (e *Engine) takeOver(ctx context.Context, id int64) (more bool, err error) {
	var changes []news
	gone := false
	err = e.within(ctx, e.ownPool, func(f frame) (err error) {
		changes, gone, more, err = e.takeOverIn(ctx, f, id)
		return f.undone(ctx, err)
	})
	if err != nil {
		return false, err
	}
	e.changed(ctx, changes...)
	if gone {
		// What it has done last it may not have told.
		e.news.tellMissed()
		if e.news.listening() {
			e.news.miss()
		}
	}
	return more, nil
}

// takeOverIn reports that the process is gone when nothing of it is left.
func (e *Engine) takeOverIn(ctx context.Context, f frame, id int64) (changes []news, gone, more bool, err error) {
	dead := false
	lock := statement{sql: e.sql.lockDead, args: []any{id}, scan: func(rows) error { dead = true; return nil }}
	if err := all(ctx, f.q, slices.Concat(f.enter, []statement{lock})...); err != nil {
		return nil, false, false, err
	}
	if !dead {
		return nil, false, false, all(ctx, f.q, f.leave...)
	}
	owned, err := seqs(ctx, f.q, e.sql.owned, id, maxTakeOver)
	if err != nil {
		return nil, false, false, err
	}
	found := make(map[int64]*row, len(owned))
	if err := all(ctx, f.q, e.getMany(owned, func(r *row) { found[r.seq] = r })); err != nil {
		return nil, false, false, err
	}
	var statements []statement
	for _, seq := range owned {
		before := found[seq]
		if before == nil || before.rec.State != engine.Running {
			continue
		}
		after := crashed(before)
		written, err := e.writes(before, after, new(bool))
		if err != nil {
			return nil, false, false, err
		}
		statements = append(statements, written...)
		changes = append(changes, newsOf(before, after))
	}
	more = len(owned) == maxTakeOver
	if !more {
		statements = append(statements, statement{sql: e.sql.leave, args: []any{id}, scan: func(rows) error { gone = true; return nil }})
	}
	err = all(ctx, f.q, slices.Concat(statements, f.leave)...)
	return changes, gone, more, err
}

// endLease ends an external operation without a report or heartbeat for the time of its lease.
func (e *Engine) endLease(ctx context.Context, seq int64) error {
	_, err := e.changeSeq(ctx, e.ownPool, seq, func(r *row) (*row, error) {
		if r.rec.State != engine.Running || r.leaseUntil.IsZero() || r.now.Before(r.leaseUntil) {
			return r, nil
		}
		after := r.edit()
		after.rec.Fence++
		after.rec.State, after.rec.Error = enginekit.Ending(enginekit.LeaseEnded(r.leaseFor))
		after.end(r.at())
		return after, nil
	})
	return err
}

// compact sums up the counts of operations that are done when they have more than
// some rows.
func (e *Engine) compact(ctx context.Context, most int) error {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	return e.own(ctx, func(q querier) error {
		_, err := exec(ctx, q, e.sql.compact, most)
		return err
	})
}

// expire removes operations whose time was over at from or later, and returns
// from when on there may be more.
func (e *Engine) expire(ctx context.Context, from time.Time) (next time.Time, more bool, err error) {
	var changes []news
	err = e.own(ctx, func(q querier) error {
		changes = nil
		return each(ctx, q, e.sql.expire, scanRows(func(r *row) { changes = append(changes, news{seq: r.seq, deleted: r.rec}) }), maxExpire, from)
	})
	if err != nil {
		return from, false, err
	}
	for _, n := range changes {
		if from.Before(n.deleted.ExpireTime) {
			from = n.deleted.ExpireTime
		}
	}
	e.changed(ctx, changes...)
	return from, len(changes) == maxExpire, nil
}
