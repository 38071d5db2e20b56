package temporal

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-lro/lro/server/engine"
)

func TestFilter(t *testing.T) {
	t.Parallel()
	e := &Engine{opts: Options{TaskQueue: "q"}}
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	const mine = `TaskQueue STARTS_WITH 'q/'`
	for _, tt := range []struct {
		q    engine.Query
		want string
	}{
		{engine.Query{AnyParent: true, Parent: "ignored"}, mine},
		{engine.Query{}, mine + ` AND LroParent IS NULL`},
		{engine.Query{Parent: "projects/p"}, mine + ` AND LroParent = 'projects/p'`},
		{engine.Query{Parent: "it's"}, mine},
		{engine.Query{AnyParent: true, Where: engine.Where{Kinds: []string{"a", `b\`}}}, mine},
		{engine.Query{AnyParent: true, Where: engine.Where{Kinds: []string{"a", "b"}}}, mine + ` AND ActivityType IN ('a', 'b')`},
		{engine.Query{AnyParent: true, Where: engine.Where{Done: new(false)}}, mine + ` AND ExecutionStatus IN ('Running', 'Paused')`},
		{engine.Query{AnyParent: true, Where: engine.Where{States: []engine.State{engine.Cancelled}}},
			mine + ` AND ExecutionStatus IN ('Failed', 'Canceled', 'TimedOut')`},
		{engine.Query{AnyParent: true, Where: engine.Where{CreatedFrom: at, CreatedBefore: at.Add(time.Hour)}},
			mine + ` AND StartTime >= '2026-11-22T11:59:00Z' AND StartTime <= '2026-11-22T13:01:00Z'`},
	} {
		if diff := cmp.Diff(tt.want, e.filter(tt.q)); diff != "" {
			t.Errorf("filter(%+v) (-want +got):\n%s", tt.q, diff)
		}
	}
}

// TestStatusesFindAll: a row is asked for if its operation may match.
func TestStatusesFindAll(t *testing.T) {
	t.Parallel()
	states := []engine.State{engine.Pending, engine.Running, engine.Succeeded, engine.Failed, engine.Cancelled}
	for _, status := range allStatuses {
		for _, state := range statesOf(status) {
			for _, w := range []engine.Where{
				{}, {States: []engine.State{state}}, {States: states}, {Done: new(state.Terminal())},
				{Done: new(state.Terminal()), States: []engine.State{state}},
			} {
				if got := statuses(w); !strings.Contains(strings.Join(got, " "), status) {
					t.Errorf("statuses(%+v) = %v, want %s among them: it may be %v", w, got, status, state)
				}
			}
		}
	}
}
