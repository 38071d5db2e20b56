package sqlite

import (
	"context"
	"fmt"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// recover reads what has not ended, and takes over what was running when the
// last owner of the file died.
func (e *Engine) recover() error {
	last, err := queryInt(e.writer.db, "SELECT coalesce(max(seq), 0) FROM op")
	if err != nil {
		return storeError("read operations", err)
	}
	if e.noted, err = e.readMeta(metaLast); err != nil {
		return storeError("read last number", err)
	}
	e.nextSeq = max(last, e.noted) + 1
	vacuum, err := pragmaInt(e.writer.db, "auto_vacuum")
	if err != nil {
		return storeError("read database", err)
	}
	e.shrinks = vacuum == autoVacuumIncremental
	if err := e.readRequestIDs(); err != nil {
		return storeError("read request IDs", err)
	}
	if err := e.readTally(); err != nil {
		return storeError("count operations", err)
	}
	running, err := e.readActive()
	if err != nil {
		return storeError("read operations", err)
	}
	err = e.commit1(func(b *batch) error {
		for _, seq := range running {
			if err := b.requeue(seq); err != nil {
				return err
			}
		}
		if err := b.becomeOwner(); err != nil {
			return err
		}
		next, err := b.nextExpiry()
		e.expire = next
		return err
	})
	if err != nil {
		return fmt.Errorf("requeue operations: %w", err)
	}
	return nil
}

// commit1 runs one change before the writer's goroutine is there.
func (e *Engine) commit1(apply func(*batch) error) error {
	r := &request{ctx: context.Background(), apply: apply, done: make(chan error, 1)}
	if err := e.commit([]*request{r}, nil); err != nil {
		return err
	}
	return <-r.done
}

func (e *Engine) readTally() error {
	stmt, err := e.writer.prepared("SELECT kind, state, n FROM tally")
	if err != nil {
		return err
	}
	defer stmt.Reset()
	for stmt.Step() {
		e.counts[tallyKey{stmt.ColumnText(0), engine.State(stmt.ColumnInt64(1))}] = stmt.ColumnInt64(2)
	}
	return stmt.Err()
}

// readActive makes PENDING operations ready, and returns the RUNNING ones.
func (e *Engine) readActive() (running []int64, err error) {
	stmt, err := e.writer.prepared("SELECT seq, kind, state, due, update_time FROM op INDEXED BY op_active WHERE end_time IS NULL")
	if err != nil {
		return nil, err
	}
	defer stmt.Reset()
	e.mu.Lock()
	defer e.mu.Unlock()
	for stmt.Step() {
		seq := stmt.ColumnInt64(0)
		if engine.State(stmt.ColumnInt64(2)) == engine.Running {
			running = append(running, seq)
			continue
		}
		e.enqueue(&row{
			seq: seq,
			rec: &engine.Record{Kind: stmt.ColumnText(1), UpdateTime: columnTime(stmt, 4)},
			due: columnTime(stmt, 3),
		})
	}
	return running, stmt.Err()
}

// requeue stages what becomes of an operation whose process has died.
func (b *batch) requeue(seq int64) error {
	r, err := b.load(seq)
	if err != nil || r == nil {
		return err
	}
	at := now()
	after := r.edit()
	rec := after.rec
	rec.Revision += revisionGap
	if rec.External {
		// Its work is done elsewhere, and may continue.
		_, err := b.update(r, after)
		return err
	}
	rec.Crashes++
	after.addEvent(at, engine.EventAttemptCrashed, "")
	switch {
	case !rec.CancelTime.IsZero():
		return b.failWith(r, after, enginekit.Cancelled(), at)
	case r.atMostOnce():
		return b.failWith(r, after, enginekit.Died(), at)
	case rec.Crashes >= r.crashLimit:
		return b.failWith(r, after, enginekit.Crashed(rec.Crashes), at)
	}
	return b.handBack(r, after, at, noTime)
}

// noteSeq has all numbers that were given survive the row of seq.
func (b *batch) noteSeq(seq int64) error {
	if seq <= b.e.noted {
		return nil
	}
	before := b.e.noted
	b.undo = append(b.undo, func() { b.e.noted = before })
	b.e.noted = b.e.nextSeq - 1
	return b.setMeta(metaLast, b.e.noted)
}
