package sqlite

import (
	"context"
	"fmt"

	"github.com/ncruces/go-sqlite3"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// A page ends early, with a cursor, when it has cost this much.
const (
	maxScanned   = 20_000  // rows looked at
	maxDecoded   = 2_000   // rows decoded
	maxPageBytes = 4 << 20 // of those, also where they do not match; one is always decoded
)

// List implements [engine.Engine]. It reads what is stored, newest first, and
// returns of each operation the latest state, which may be newer.
func (e *Engine) List(ctx context.Context, q engine.Query) (engine.Page, error) {
	page, err := e.list(ctx, q)
	if err != nil {
		return engine.Page{}, fmt.Errorf("list operations: %w", err)
	}
	return page, nil
}

func (e *Engine) list(ctx context.Context, q engine.Query) (engine.Page, error) {
	before, err := enginekit.SeqBefore(q)
	if err != nil {
		return engine.Page{}, err
	}
	if err := ctx.Err(); err != nil {
		return engine.Page{}, err
	}
	if err := e.isDown(); err != nil {
		return engine.Page{}, err
	}
	scan, err := e.scan(ctx, q, before)
	if err != nil {
		return engine.Page{}, err
	}
	// What was read may be committed and not in memory yet; what is in memory
	// after this is at least as new.
	e.settled()
	page := engine.Page{}
	for _, r := range scan.rows {
		if r, err = e.latest(ctx, r); err != nil {
			return engine.Page{}, err
		}
		if r != nil && !r.hidden() && q.Where.Matches(r.rec) {
			page.Records = append(page.Records, r.rec)
		}
	}
	if !scan.end {
		page.Next = enginekit.FormatSeqCursor(scan.last)
	}
	return page, nil
}

// latest returns the latest state of an operation that was read from the
// database, nil when it is gone.
func (e *Engine) latest(ctx context.Context, r *row) (*row, error) {
	if latest := e.visible(r.seq); latest != nil {
		return latest, nil
	}
	if r.rec.State != engine.Running {
		return r, nil
	}
	// It runs no longer, or it would be in memory. What the row lacks, that
	// memory had, is in the database now.
	return e.read(ctx, r.seq)
}

// scanned are the rows of one page as they are stored.
type scanned struct {
	rows []*row
	last int64 // the last sequence number that was looked at
	end  bool  // there is nothing behind it
}

func (e *Engine) scan(ctx context.Context, q engine.Query, before int64) (*scanned, error) {
	c, err := e.readers.getScanner(ctx)
	if err != nil {
		return nil, err
	}
	defer e.readers.putScanner(c)
	defer c.interrupt(ctx)()
	s, err := c.scan(q, before)
	if err == nil {
		return s, nil
	}
	if interrupted(err) && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return nil, storeError("read operations", err)
}

// scan reads rows older than before that may belong to the page. Whether they
// do is decided by the state in memory.
func (c *conn) scan(q engine.Query, before int64) (*scanned, error) {
	stmt, err := c.scanStmt(q, before)
	if err != nil {
		return nil, err
	}
	defer stmt.Reset()
	out := &scanned{last: before}
	var bytes int64
	for n, decoded := 0, 0; stmt.Step(); n++ {
		if n == maxScanned || decoded == maxDecoded || len(out.rows) == q.Limit || bytes >= maxPageBytes {
			return out, nil
		}
		out.last = stmt.ColumnInt64(0)
		if !lightMatch(stmt, q.Where) {
			continue
		}
		decoded++
		r, err := scanRow(stmt)
		if err == nil {
			err = c.complete(r)
		}
		if err != nil {
			return nil, err
		}
		bytes += r.size()
		if q.Where.Matches(r.rec) || r.rec.State == engine.Running {
			out.rows = append(out.rows, r)
		}
	}
	out.end = true
	return out, stmt.Err()
}

// lightMatch looks at the columns that are cheap to read.
func lightMatch(stmt *sqlite3.Stmt, w engine.Where) bool {
	w.Match = nil
	return w.Matches(&engine.Record{
		Kind:       stmt.ColumnText(3),
		State:      engine.State(stmt.ColumnInt64(4)),
		CreateTime: columnTime(stmt, 6),
	})
}

// scanStmt returns the query for the rows that are older than before, newest
// first.
func (c *conn) scanStmt(q engine.Query, before int64) (*sqlite3.Stmt, error) {
	sql, args := scanQuery(q, before)
	stmt, err := c.prepared(sql)
	if err != nil {
		return nil, err
	}
	return stmt, bind(stmt, args)
}

func scanQuery(q engine.Query, before int64) (string, []any) {
	const (
		rows   = "SELECT " + rowColumns + " FROM op "
		active = rows + "INDEXED BY op_active WHERE parent = ?1 AND end_time IS NULL AND seq < ?2 "
		ended  = rows + "INDEXED BY op_ended WHERE parent = ?1 AND end_time IS NOT NULL AND seq < ?2 "
		order  = "ORDER BY seq DESC"
	)
	has := stages(q.Where)
	switch {
	case q.AnyParent && has == onlyActive:
		// The index is by parent. It is small, and has all that the inner
		// query needs.
		return rows + `WHERE seq IN (
				SELECT seq FROM op INDEXED BY op_active WHERE end_time IS NULL AND seq < ? ORDER BY seq DESC LIMIT ?)
			ORDER BY seq DESC`, []any{before, maxScanned + 1}
	case q.AnyParent:
		return rows + "WHERE seq < ? " + order, []any{before}
	case has == onlyActive:
		return active + order, []any{q.Parent, before}
	case has == onlyEnded:
		return ended + order, []any{q.Parent, before}
	default:
		return active + "UNION ALL " + ended + order, []any{q.Parent, before}
	}
}

// stage is a part of the operations, each with an index of its own.
type stage int

const (
	onlyActive stage = 1 << iota // that have not ended
	onlyEnded
)

// stages returns the parts that a condition can be met in.
func stages(w engine.Where) stage {
	all := onlyActive | onlyEnded
	has := all
	if w.Done != nil {
		has = onlyActive
		if *w.Done {
			has = onlyEnded
		}
	}
	if len(w.States) == 0 {
		return has
	}
	var states stage
	for _, s := range w.States {
		if s.Terminal() {
			states |= onlyEnded
		} else {
			states |= onlyActive
		}
	}
	if has &= states; has == 0 {
		return all // nothing can meet it
	}
	return has
}
