package postgres

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// A page ends early, with a cursor, when it has cost this much.
const (
	maxDecoded   = 2_000   // rows that were read
	maxPageBytes = 4 << 20 // of those; one is always read
)

// List implements [engine.Engine]. All conditions but [engine.Where.Match] are
// met by the database.
func (e *Engine) List(ctx context.Context, q engine.Query) (engine.Page, error) {
	page, err := e.list(ctx, q)
	if err != nil {
		return engine.Page{}, fmt.Errorf("list operations: %w", e.storeError(ctx, err))
	}
	return page, nil
}

func (e *Engine) list(ctx context.Context, q engine.Query) (engine.Page, error) {
	before, err := enginekit.SeqBefore(q)
	if err != nil {
		return engine.Page{}, err
	}
	if err := e.open(ctx); err != nil {
		return engine.Page{}, err
	}
	want := maxDecoded
	if q.Where.Match == nil {
		want = min(want, q.Limit)
	}
	var page engine.Page
	sql, args := e.listQuery(q, before, want+1)
	err = e.planned(ctx, func(c querier) error {
		page = engine.Page{}
		here := e.running()
		var n, bytes int
		var last int64
		r, err := c.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		defer r.Close()
		for r.Next() {
			if n == want || len(page.Records) == q.Limit || bytes >= maxPageBytes {
				page.Next = enginekit.FormatSeqCursor(last)
				return nil
			}
			found, err := scanRow(r)
			if err != nil {
				return err
			}
			n++
			last = found.seq
			found.ranBy(here)
			rec := e.shown(found)
			bytes += size(rec)
			if q.Where.Matches(rec) {
				page.Records = append(page.Records, rec)
			}
		}
		r.Close()
		return r.Err()
	})
	return page, err
}

func size(rec *engine.Record) int {
	return 1024 + len(rec.Checkpoint) + proto.Size(rec.Request) + proto.Size(rec.Metadata) + proto.Size(rec.Response) + proto.Size(rec.Error)
}

// listQuery returns the query for operations older than before, newest first.
func (e *Engine) listQuery(q engine.Query, before int64, limit int) (string, []any) {
	var where []string
	var args []any
	add := func(condition string, arg any) {
		args = append(args, arg)
		where = append(where, strings.ReplaceAll(condition, "?", "$"+strconv.Itoa(len(args))))
	}
	add("o.seq < ?::bigint", before)
	if !q.AnyParent {
		add("o.parent = ?::text", q.Parent)
	}
	w := q.Where
	if len(w.Kinds) > 0 {
		add("o.kind = ANY(?::text[])", w.Kinds)
	}
	if !w.CreatedFrom.IsZero() {
		add("o.create_time >= ?::timestamptz", w.CreatedFrom)
	}
	if !w.CreatedBefore.IsZero() {
		add("o.create_time < ?::timestamptz", w.CreatedBefore)
	}
	active, ended := states(w)
	from := "{op} o LEFT JOIN {live} l ON l.seq = o.seq"
	switch {
	case len(ended) == 0:
		// The small table leads.
		from = "{live} l JOIN {op} o ON o.seq = l.seq"
		add("l.seq < ?::bigint", before)
		if len(w.Kinds) > 0 {
			add("l.kind = ANY(?::text[])", w.Kinds)
		}
	case len(active) == 0:
		add("o.state = ANY(?::smallint[])", ended)
		if !slices.Contains(ended, int16(engine.Succeeded)) {
			where = append(where, "o.state > 3") // has an index
		}
	case len(active)+len(ended) < 5:
		add("(o.state = ANY(?::smallint[]) OR o.state IS NULL)", ended)
	}
	if len(active) == 1 {
		running := strconv.FormatBool(active[0] == int16(engine.Running))
		where = append(where, "(o.state IS NOT NULL OR (l.owner IS NOT NULL) = "+running+")")
	}
	if len(active) > 0 {
		where = append(where, "l.hidden IS NOT TRUE")
	}
	order := "o.seq"
	if len(ended) == 0 {
		order = "l.seq"
	}
	args = append(args, limit)
	return e.sql.tables.Replace("SELECT " + rowColumns + " FROM " + from + " WHERE " + strings.Join(where, " AND ") +
		" ORDER BY " + order + " DESC LIMIT $" + strconv.Itoa(len(args))), args
}

// states returns the states that can meet a condition. When none can, it returns
// a state that no operation has.
func states(w engine.Where) (active, ended []int16) {
	for s := engine.Pending; s <= engine.Cancelled; s++ {
		if !(engine.Where{Done: w.Done, States: w.States}).Matches(&engine.Record{State: s}) {
			continue
		}
		if s.Terminal() {
			ended = append(ended, int16(s))
		} else {
			active = append(active, int16(s))
		}
	}
	if len(active)+len(ended) == 0 {
		ended = []int16{-1}
	}
	return active, ended
}
