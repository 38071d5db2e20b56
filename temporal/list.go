package temporal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	activitypb "go.temporal.io/api/activity/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/go-lro/lro/server/engine"
)

const (
	// maxRows is how many rows are requested from visibility at once. Temporal's
	// own limit is 1000.
	maxRows = 1000
	// fewRows is so few that the next page may cover a longer time.
	fewRows = maxRows / 4
	// maxLook is how many operations a page looks at before it returns what it
	// has found, where most do not match.
	maxLook = 200
	// lookers is how many of them it looks at at once.
	lookers = 8

	// maxSpan is the first span of time that is tried when there are too many
	// operations to ask for all.
	maxSpan = 30 * 24 * time.Hour
	minSpan = time.Millisecond
)

// List implements [engine.Engine]. Temporal lists by the time at which
// activities were closed. So a page asks for those that were started within a
// span of time, all of them, and puts them in order; the span becomes shorter
// until it holds no more than 1000. What they contain is not in the list either
// and is read one by one.
func (e *Engine) List(ctx context.Context, q engine.Query) (engine.Page, error) {
	page, err := e.list(ctx, q)
	if err != nil {
		return engine.Page{}, fmt.Errorf("list operations: %w", err)
	}
	return page, nil
}

func (e *Engine) list(ctx context.Context, q engine.Query) (engine.Page, error) {
	if e.closing.Err() != nil {
		return engine.Page{}, engine.ErrClosed
	}
	if q.Limit < 1 {
		return engine.Page{}, fmt.Errorf("%w: limit %d is under 1", engine.ErrInvalid, q.Limit)
	}
	var after *cursor
	if q.After != "" {
		c, ok := parseCursor(q.After)
		if !ok {
			return engine.Page{}, engine.ErrInvalidCursor
		}
		after = &c
	}
	ctx, done, err := e.enter(ctx)
	if err != nil {
		return engine.Page{}, err
	}
	defer done()
	w, err := e.window(ctx, e.filter(q), after)
	if err != nil {
		return engine.Page{}, err
	}
	return e.page(ctx, q, w)
}

// window is what was started in a span of time, the newest first.
type window struct {
	rows []*activitypb.ActivityExecutionListInfo
	span time.Duration // that is worth asking for next; 0 for all
	rest *cursor       // of what is older than the span; nil when nothing is
}

// window reads behind a cursor; nil is the start of the list.
func (e *Engine) window(ctx context.Context, filter string, after *cursor) (window, error) {
	from := cursor{at: time.Now().Add(skew)}
	if after != nil {
		from = *after
	}
	for {
		w, err := e.span(ctx, filter, from)
		if err != nil || len(w.rows) > 0 || w.rest == nil {
			return w, err
		}
		from = *w.rest
	}
}

// span reads the span of time behind a cursor, or the beginning of it that
// visibility can give at once.
func (e *Engine) span(ctx context.Context, filter string, from cursor) (window, error) {
	// Stores keep times to a microsecond at least.
	filter = and(filter, "StartTime <= "+quote(formatTime(from.at.Add(time.Millisecond))))
	var rows []*activitypb.ActivityExecutionListInfo
	var lower time.Time
	for more := true; more; {
		query := filter
		if from.span > 0 {
			lower = from.at.Add(-from.span).Truncate(time.Millisecond)
			query += " AND StartTime >= " + quote(formatTime(lower))
		}
		var err error
		if rows, more, err = e.rows(ctx, query, from.span <= minSpan && from.span > 0); err != nil {
			return window{}, err
		}
		if more {
			if from.span, err = e.shorter(ctx, filter, from); err != nil {
				return window{}, err
			}
		}
	}
	w := window{span: from.span}
	for _, row := range rows {
		if from.before(row.GetScheduleTime().AsTime(), row.GetActivityId()) {
			w.rows = append(w.rows, row)
		}
	}
	slices.SortFunc(w.rows, func(a, b *activitypb.ActivityExecutionListInfo) int {
		return cmp.Or(b.GetScheduleTime().AsTime().Compare(a.GetScheduleTime().AsTime()), cmp.Compare(b.GetActivityId(), a.GetActivityId()))
	})
	if from.span > 0 {
		if len(rows) < fewRows {
			w.span = longer(w.span)
		}
		w.rest = &cursor{at: lower, span: w.span}
	}
	return w, nil
}

// shorter returns a span behind a cursor that holds no more than visibility
// gives at once.
func (e *Engine) shorter(ctx context.Context, filter string, from cursor) (time.Duration, error) {
	span := from.span
	for {
		if span == 0 {
			span = maxSpan
		} else {
			span = max(span/4, minSpan)
		}
		lower := from.at.Add(-span).Truncate(time.Millisecond)
		rpc, cancel := context.WithTimeout(ctx, rpcTimeout)
		resp, err := e.service.CountActivityExecutions(rpc, &workflowservice.CountActivityExecutionsRequest{
			Namespace: e.opts.Namespace, Query: filter + " AND StartTime >= " + quote(formatTime(lower)),
		})
		cancel()
		if err != nil {
			return 0, convert(ctx, err)
		}
		if resp.GetCount() < maxRows || span == minSpan {
			return span, nil
		}
	}
}

// longer returns a span to try behind one that held few.
func longer(span time.Duration) time.Duration {
	if span >= maxSpan {
		return 0
	}
	return 4 * span
}

// rows asks visibility. more reports that there are more than it gives at once;
// all reads them as well.
func (e *Engine) rows(ctx context.Context, query string, all bool) (rows []*activitypb.ActivityExecutionListInfo, more bool, _ error) {
	var token []byte
	for {
		rpc, cancel := context.WithTimeout(ctx, rpcTimeout)
		resp, err := e.service.ListActivityExecutions(rpc, &workflowservice.ListActivityExecutionsRequest{
			Namespace: e.opts.Namespace, PageSize: maxRows, NextPageToken: token, Query: query,
		})
		cancel()
		if err != nil {
			return nil, false, convert(ctx, err)
		}
		rows = append(rows, resp.GetExecutions()...)
		// A full page has a token behind it, even if it is the last.
		token = resp.GetNextPageToken()
		if len(token) == 0 || len(resp.GetExecutions()) == 0 {
			return rows, false, nil
		}
		if !all {
			return nil, true, nil
		}
	}
}

// page reads the operations of a window until a page is full.
func (e *Engine) page(ctx context.Context, q engine.Query, w window) (engine.Page, error) {
	var page engine.Page
	seen, limit := 0, min(len(w.rows), max(maxLook, q.Limit))
	for seen < limit && len(page.Records) < q.Limit {
		recs, err := e.look(ctx, w.rows[seen:min(seen+lookers, limit)])
		if err != nil {
			return engine.Page{}, err
		}
		for _, rec := range recs {
			if len(page.Records) == q.Limit {
				break
			}
			seen++
			if rec != nil && matches(q, rec) {
				page.Records = append(page.Records, rec)
			}
		}
	}
	switch {
	case seen < len(w.rows):
		last := w.rows[seen-1]
		page.Next = cursor{at: last.GetScheduleTime().AsTime(), id: last.GetActivityId(), span: w.span}.String()
	case w.rest != nil:
		page.Next = w.rest.String()
	}
	return page, nil
}

// matches reports whether a record is what visibility took it for.
func matches(q engine.Query, r *engine.Record) bool {
	return (q.AnyParent || r.Parent == q.Parent) && q.Where.Matches(r)
}

// look reads operations at once. What is not there any more, or never was an
// operation of this engine, is nil.
func (e *Engine) look(ctx context.Context, rows []*activitypb.ActivityExecutionListInfo) ([]*engine.Record, error) {
	recs := make([]*engine.Record, len(rows))
	errs := make([]error, len(rows))
	var wg sync.WaitGroup
	for i, row := range rows {
		wg.Go(func() {
			d, err := e.describeActivity(ctx, row.GetActivityId(), row.GetRunId())
			if err == nil {
				// By name, for the sake of one that has crashed too often.
				if d.doomed() {
					d, err = e.describe(ctx, d.input.GetName())
				}
			}
			switch {
			case err == nil:
				recs[i] = e.record(d)
			case !errors.Is(err, engine.ErrNotFound):
				errs[i] = err
			}
		})
	}
	wg.Wait()
	return recs, errors.Join(errs...)
}
