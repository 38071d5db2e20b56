package postgres

import (
	"context"
	"fmt"

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
