package temporal

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-lro/lro/server/engine"
)

// skew is how far visibility's times may be from the activity's own.
const skew = time.Minute

// filter is what of a query visibility can answer: it finds all that match, and
// some that do not.
func (e *Engine) filter(q engine.Query) string {
	var conds []string
	if prefix := e.opts.TaskQueue + "/"; quotable(prefix) {
		conds = append(conds, "TaskQueue STARTS_WITH "+quote(prefix))
	}
	switch {
	case q.AnyParent:
	case q.Parent == "":
		conds = append(conds, ParentAttribute+" IS NULL")
	case quotable(q.Parent):
		conds = append(conds, ParentAttribute+" = "+quote(q.Parent))
	}
	if len(q.Where.Kinds) > 0 && quotable(q.Where.Kinds...) {
		conds = append(conds, in("ActivityType", q.Where.Kinds))
	}
	if statuses := statuses(q.Where); len(statuses) < len(allStatuses) {
		conds = append(conds, in("ExecutionStatus", statuses))
	}
	if t := q.Where.CreatedFrom; !t.IsZero() {
		conds = append(conds, "StartTime >= "+quote(formatTime(t.Add(-skew))))
	}
	if t := q.Where.CreatedBefore; !t.IsZero() {
		conds = append(conds, "StartTime <= "+quote(formatTime(t.Add(skew))))
	}
	return strings.Join(conds, " AND ")
}

var allStatuses = []string{"Running", "Paused", "Completed", "Failed", "Canceled", "Terminated", "TimedOut"}

// statuses are those that an activity may have whose operation matches.
func statuses(w engine.Where) []string {
	var found []string
	for _, s := range allStatuses {
		if slices.ContainsFunc(statesOf(s), func(state engine.State) bool {
			return (w.Done == nil || state.Terminal() == *w.Done) && (len(w.States) == 0 || slices.Contains(w.States, state))
		}) {
			found = append(found, s)
		}
	}
	if len(found) == 0 {
		// Nothing matches; nothing can be asked for.
		return allStatuses[:1]
	}
	return found
}

// statesOf are the states that the operation of an activity may have.
func statesOf(status string) []engine.State {
	switch status {
	case "Running", "Paused":
		return []engine.State{engine.Pending, engine.Running}
	case "Completed":
		return []engine.State{engine.Succeeded, engine.Failed}
	case "Failed", "Canceled", "TimedOut":
		return []engine.State{engine.Failed, engine.Cancelled}
	default:
		return []engine.State{engine.Failed}
	}
}

func and(a, b string) string {
	if a == "" {
		return b
	}
	return a + " AND " + b
}

func in(field string, values []string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = quote(v)
	}
	return fmt.Sprintf("%s IN (%s)", field, strings.Join(quoted, ", "))
}

// quotable reports whether visibility's query language has no opinion on what is
// in a string. Its rules for quotes and backslashes are its own, its store on
// PostgreSQL takes a question mark for a parameter, and such names are rare:
// conditions on them are left to us.
func quotable(values ...string) bool {
	for _, v := range values {
		if strings.ContainsAny(v, "'\"`\\?") {
			return false
		}
	}
	return true
}

func quote(s string) string { return "'" + s + "'" }

func formatTime(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
