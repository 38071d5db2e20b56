package postgres

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// maxGroup bounds the operations that one statement starts or ends.
const maxGroup = 128

// groupLockTimeout is how long a group of starts waits for a request ID that an
// open transaction holds. Then each start waits for itself.
const groupLockTimeout = 50 * time.Millisecond

// startCall is an operation on its way into the database.
type startCall struct {
	spec                     engine.Spec
	tail                     string
	key                      []byte // of the request ID; nil for none
	request, metadata, trace []byte
	late                     bool // may be committed long after its number was given away
}

// Start implements [engine.Engine]. With a ctx of [WithTx] or [WithSQLTx] the
// operation exists if and only if that transaction commits.
func (e *Engine) Start(ctx context.Context, spec engine.Spec) (*engine.Record, error) {
	rec, err := e.startSpec(ctx, spec)
	if err != nil {
		return nil, fmt.Errorf("start operation of kind %q: %w", spec.Kind, e.storeError(ctx, err))
	}
	return rec, nil
}

func (e *Engine) startSpec(ctx context.Context, spec engine.Spec) (*engine.Record, error) {
	c, err := e.newStart(spec)
	if err != nil {
		return nil, err
	}
	if err := e.open(ctx); err != nil {
		return nil, err
	}
	for range maxTries {
		var rec *engine.Record
		if joinedBy(ctx) != nil {
			rec, err = e.startOne(ctx, c)
		} else {
			rec, err = e.starts.do(ctx, c)
			if isCode(err, codeLockNotAvailable) {
				rec, err = e.startOne(ctx, c)
			}
		}
		if rec != nil || err != nil {
			return rec, err
		}
		// The request ID has started an operation before.
		rec, err = e.startedBy(ctx, c)
		if rec != nil || err != nil {
			return rec, err
		}
		// It was deleted in between.
	}
	return nil, fmt.Errorf("%w: request ID %q starts operations that are deleted at once", engine.ErrUnavailable, spec.RequestID)
}

func (e *Engine) newStart(spec engine.Spec) (c startCall, err error) {
	if c.spec, err = spec.Checked(e.opts.MaxPayload); err != nil {
		return c, err
	}
	if c.request, err = enginekit.EncodeAny(spec.Request); err != nil {
		return c, err
	}
	if c.metadata, err = enginekit.EncodeAny(spec.Metadata); err != nil {
		return c, err
	}
	if c.trace, err = enginekit.EncodeTrace(spec.Trace); err != nil {
		return c, err
	}
	if spec.RequestID != "" {
		key := enginekit.RequestKey(spec.Caller, spec.RequestID)
		c.key = key[:]
	}
	c.tail = enginekit.Random(enginekit.SeqTail)
	return c, nil
}

func (c *startCall) flags() int {
	flags := 0
	if c.spec.External {
		flags |= flagExternal
	}
	if c.spec.AtMostOnce {
		flags |= flagAtMostOnce
	}
	return flags
}

func (c startCall) weight() int { return len(c.request) + len(c.metadata) }

// args are the parameters that startColumns names.
func (c *startCall) args() []any {
	var trace any
	if c.trace != nil {
		trace = string(c.trace)
	}
	s := &c.spec
	return []any{
		c.tail, s.Parent, s.Kind, c.flags(), s.CrashLimit, int64(s.Retention), int64(s.LeaseFor),
		s.RequestID, s.Caller, null(c.key), trace, null(c.request), null(c.metadata), c.late,
	}
}

// groupArgs are the same as arrays.
func groupArgs(group []*call[startCall, *engine.Record]) []any {
	n := len(group)
	var (
		tails, parents, kinds, ids, callers = make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n)
		flags, limits                       = make([]int32, n), make([]int32, n)
		retentions, leases                  = make([]int64, n), make([]int64, n)
		keys, requests, metadata            = make([][]byte, n), make([][]byte, n), make([][]byte, n)
		traces                              = make([]*string, n)
		late                                = make([]bool, n)
	)
	for i, g := range group {
		c := &g.query
		s := &c.spec
		tails[i], parents[i], kinds[i], ids[i], callers[i] = c.tail, s.Parent, s.Kind, s.RequestID, s.Caller
		flags[i], limits[i] = int32(c.flags()), int32(s.CrashLimit)
		retentions[i], leases[i] = int64(s.Retention), int64(s.LeaseFor)
		keys[i], requests[i], metadata[i] = c.key, c.request, c.metadata
		if c.trace != nil {
			text := string(c.trace)
			traces[i] = &text
		}
	}
	return []any{tails, parents, kinds, flags, limits, retentions, leases, ids, callers, keys, traces, requests, metadata, late}
}

// runStarts starts a group. A call whose request ID has started an operation
// before gets neither a record nor an error.
func (e *Engine) runStarts(ctx context.Context, group []*call[startCall, *engine.Record]) {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	// Two groups that share request IDs must meet them in the same order.
	slices.SortStableFunc(group, func(a, b *call[startCall, *engine.Record]) int { return bytes.Compare(a.query.key, b.query.key) })
	calls := make(map[string]*call[startCall, *engine.Record], len(group))
	keyed := false
	for _, c := range group {
		calls[c.query.tail] = c
		keyed = keyed || c.query.key != nil
	}
	start := statement{sql: e.sql.startGroup, scan: func(r rows) error {
		tail, rec, err := scanStart(r, func(tail string) *startCall { return &calls[tail].query })
		if err == nil {
			calls[tail].result = rec
		}
		return err
	}}
	if len(group) == 1 {
		start.sql, start.args = e.sql.start, group[0].query.args()
	} else {
		start.args = groupArgs(group)
	}
	statements := []statement{start}
	if keyed {
		statements = []statement{{sql: setLockTimeout, args: []any{milliseconds(groupLockTimeout)}}, start}
	}
	err := e.with(ctx, e.pool, func(conn *pgx.Conn) error {
		for _, c := range group {
			c.result = nil // of a try that was undone
		}
		return all(ctx, pgxQuerier{q: conn}, statements...)
	})
	if err != nil {
		fail(group, err)
		return
	}
	var all []news
	for _, c := range group {
		if c.result != nil {
			all = append(all, startedNews(c.result))
		}
	}
	e.changed(ctx, all...)
}

// scanStart reads what the statement returns. find returns the call of a tail.
func scanStart(r rows, find func(tail string) *startCall) (tail string, rec *engine.Record, err error) {
	var seq int64
	var at time.Time
	if err := r.Scan(&seq, &tail, &at); err != nil {
		return "", nil, err
	}
	c := find(tail)
	s := &c.spec
	at = at.UTC()
	rec = &engine.Record{
		Name: enginekit.FormatName(s.Parent, enginekit.FormatSeqID(seq, tail)), Kind: s.Kind, Parent: s.Parent,
		State: engine.Pending, Request: s.Request, RequestID: s.RequestID, Metadata: s.Metadata,
		External: s.External, Revision: 1, CreateTime: at, UpdateTime: at, Trace: s.Trace,
	}
	if s.External {
		rec.State, rec.Attempt, rec.Fence, rec.StartTime = engine.Running, 1, 1, at
	}
	return tail, rec, nil
}

// startOne starts one operation in a transaction, that of ctx if there is one.
// It waits for another transaction that has used its request ID.
func (e *Engine) startOne(ctx context.Context, c startCall) (*engine.Record, error) {
	c.late = true
	var rec *engine.Record
	insert := statement{sql: e.sql.start, args: c.args(), scan: func(r rows) (err error) {
		_, rec, err = scanStart(r, func(string) *startCall { return &c })
		return err
	}}
	var err error
	if j := joinedBy(ctx); j != nil && c.key == nil {
		err = all(ctx, j.q, insert) // it waits for nothing
	} else {
		err = e.within(ctx, e.pool, func(f frame) error {
			rec = nil // of a try that was undone
			return f.run(ctx, insert)
		})
	}
	if err != nil || rec == nil {
		return nil, err
	}
	e.changed(ctx, startedNews(rec))
	return rec, nil
}

// startedBy returns the operation that a request ID has started, or nil.
func (e *Engine) startedBy(ctx context.Context, c startCall) (*engine.Record, error) {
	var r *row
	here := e.running()
	find := func(q querier) error {
		return each(ctx, q, e.sql.byRequestKey, scanRows(func(found *row) { r = found }), c.key)
	}
	var err error
	if j := joinedBy(ctx); j != nil {
		err = find(j.q)
	} else {
		err = e.query(ctx, find)
	}
	if err != nil || r == nil {
		return nil, err
	}
	r.ranBy(here)
	rec := r.rec
	if r.unrunnable && rec.Request == nil {
		return rec, nil // with which request is not known any more
	}
	stored, err := enginekit.EncodeAny(rec.Request)
	if err != nil {
		return nil, err
	}
	if rec.Kind != c.spec.Kind || rec.Parent != c.spec.Parent || (stored == nil) != (c.request == nil) || !bytes.Equal(stored, c.request) {
		return nil, fmt.Errorf("%w: %q started operation %q", engine.ErrRequestIDReused, c.spec.RequestID, rec.Name)
	}
	return e.shown(r), nil
}
