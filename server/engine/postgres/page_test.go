package postgres

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/go-lro/lro/server/engine"
)

// plan is a node of a plan that was run.
type plan struct {
	Relation string  `json:"Relation Name"`
	Rows     float64 `json:"Actual Rows"` // of a loop
	Loops    float64 `json:"Actual Loops"`
	Filtered float64 `json:"Rows Removed by Filter"`
	Recheck  float64 `json:"Rows Removed by Index Recheck"`
	Plans    []plan
}

// read returns how many rows of a table were read.
func (p plan) read(table string) (n int) {
	if p.Relation == table {
		n = int((p.Rows + p.Filtered + p.Recheck) * p.Loops)
	}
	for _, child := range p.Plans {
		n += child.read(table)
	}
	return n
}

// TestPages: a page reads about as many rows as it has, also where what meets its
// conditions is far behind the newest operations, and so at any number of them.
func TestPages(t *testing.T) {
	t.Parallel()
	s := newStore(t, &Options{})
	schema := pgx.Identifier{s.opts.Schema}.Sanitize()
	// Of 40,000 operations the oldest tenth has kinds, parents and states that no other has.
	s.exec(t, "ALTER TABLE "+schema+".op DISABLE TRIGGER USER") // one by one is slow
	s.exec(t, fmt.Sprintf(`INSERT INTO %s.op (seq, tail, parent, kind, state, flags, create_time, crash_limit, retention, lease_for, request)
		SELECT i, 'abcdefgh', CASE WHEN i <= 4000 THEN 'parents/old' WHEN i %% 2 = 0 THEN 'parents/new' ELSE '' END,
			CASE WHEN i <= 4000 THEN 'old-' || i %% 2 ELSE 'new' END,
			CASE WHEN i > 39900 THEN NULL WHEN i > 4000 THEN 3 WHEN i %% 4 = 0 THEN 4 WHEN i %% 4 = 1 THEN 5 ELSE 3 END, 0, now(), 5, 0, 0, decode(repeat('ab', 300), 'hex')
		FROM generate_series(1, 40000) i`, schema))
	s.exec(t, fmt.Sprintf(`INSERT INTO %[1]s.live (seq, kind, owner, fence, hidden, attempt, crashes, releases, revision, update_time, history)
		SELECT seq, kind, CASE WHEN seq %% 2 = 0 THEN 1 END, 1, false, 0, 0, 0, 1, now(), '[]' FROM %[1]s.op WHERE state IS NULL`, schema))
	s.exec(t, fmt.Sprintf("VACUUM ANALYZE %[1]s.op, %[1]s.live", schema))
	pool := s.pool(t)
	e := s.openOn(t, pool)

	const limit = 51
	const ofState = 1000 // and so what a page of few of them may read
	all := func(w engine.Where) engine.Query { return engine.Query{AnyParent: true, Where: w} }
	under := func(parent string, w engine.Where) engine.Query { return engine.Query{Parent: parent, Where: w} }
	states := func(s ...engine.State) engine.Where { return engine.Where{States: s} }
	const pending, running, succeeded, failed, cancelled = engine.Pending, engine.Running, engine.Succeeded, engine.Failed, engine.Cancelled
	for name, tt := range map[string]struct {
		q    engine.Query
		want int // operations
		most int // rows that are read; 0 for limit
	}{
		"all":                    {all(engine.Where{}), limit, 0},
		"kind":                   {all(engine.Where{Kinds: []string{"old-0"}}), limit, 0},
		"kinds":                  {all(engine.Where{Kinds: []string{"old-0", "old-1", "old-0"}}), limit, 2 * limit},
		"no such kind":           {all(engine.Where{Kinds: []string{"none"}}), 0, 0},
		"kind and state":         {all(engine.Where{Kinds: []string{"old-0"}, States: []engine.State{failed}}), limit, ofState},
		"kind without failed":    {all(engine.Where{Kinds: []string{"new"}, States: []engine.State{failed}}), 0, limit},
		"parent without failed":  {under("parents/new", states(failed)), 0, limit},
		"kind and not done":      {all(engine.Where{Kinds: []string{"new"}, Done: new(false)}), limit, 200},
		"succeeded":              {all(states(succeeded)), limit, limit + 100},
		"failed":                 {all(states(failed)), limit, 0},
		"cancelled":              {all(states(cancelled)), limit, 0},
		"failed or cancelled":    {all(states(failed, cancelled)), limit, 2 * limit},
		"failed or running":      {all(states(failed, running)), limit, 4 * limit},
		"not succeeded":          {all(states(pending, running, failed, cancelled)), limit, 4 * limit},
		"not succeeded, of kind": {all(engine.Where{Kinds: []string{"old-1"}, States: []engine.State{pending, running, cancelled}}), limit, ofState},
		"pending":                {all(states(pending)), 50, 200},
		"running":                {all(states(running)), 50, 200},
		"done":                   {all(engine.Where{Done: new(true)}), limit, limit + 100},
		"not done":               {all(engine.Where{Done: new(false)}), limit, 200},
		"no such state":          {all(engine.Where{Done: new(true), States: []engine.State{running}}), 0, 0},
		"parent":                 {under("parents/old", engine.Where{}), limit, 0},
		"top level":              {under("", engine.Where{}), limit, 0},
		"no such parent":         {under("parents/none", engine.Where{}), 0, 0},
		"parent and kind":        {under("parents/old", engine.Where{Kinds: []string{"old-1"}}), limit, 2 * limit},
		"parent and failed":      {under("parents/old", states(failed)), limit, ofState},
		"parent and running":     {under("parents/new", states(running)), 50, 200},
	} {
		t.Run(name, func(t *testing.T) {
			sql, args := e.listQuery(tt.q, 1<<40, limit)
			var text string
			args = append([]any{pgx.QueryExecModeExec}, args...)
			if err := pool.QueryRow(t.Context(), "EXPLAIN (ANALYZE, FORMAT JSON) "+sql, args...).Scan(&text); err != nil {
				t.Fatal(err)
			}
			var plans []struct{ Plan plan }
			if err := json.Unmarshal([]byte(text), &plans); err != nil {
				t.Fatal(err)
			}
			if tt.most == 0 {
				tt.most = limit
			}
			if n := int(plans[0].Plan.Rows); n != tt.want {
				t.Errorf("%d operations were found, want %d", n, tt.want)
			}
			if n := plans[0].Plan.read("op"); n > tt.most {
				t.Errorf("%d rows were read, want %d at most:\n%s\n%s", n, tt.most, sql[strings.LastIndex(sql, "FROM"):], text)
			}
		})
	}
}
