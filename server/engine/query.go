package engine

import (
	"slices"
	"time"
)

// Query selects operations for [Engine.List].
type Query struct {
	// Parent selects the operations directly under it; empty selects the top-level
	// ones. AnyParent selects all and ignores Parent.
	Parent    string
	AnyParent bool

	// Where narrows the selection; the zero value does not.
	Where Where

	// Limit is the greatest number of records in the page. It must be at
	// least 1.
	Limit int
	// After continues behind an earlier page: its Next. Empty starts with the
	// newest operation.
	After string
}

// Where narrows a query. Each field that is set is a condition, and a record
// must meet all of them. All but Match are there so that an engine can use an
// index.
type Where struct {
	// Done selects those that have ended, or those that have not. Nil is no
	// condition.
	Done *bool
	// States and Kinds select the operations with one of these. Empty is no
	// condition.
	States []State
	Kinds  []string
	// CreateTime in [CreatedFrom, CreatedBefore); zero is no bound.
	CreatedFrom   time.Time
	CreatedBefore time.Time
	// Match is called with each record that meets the rest. It must be quick and
	// must not call the engine.
	Match func(*Record) bool
}

// Page is one answer of [Engine.List].
type Page struct {
	Records []*Record
	Next    string // cursor of the next page; empty at the end
}

// Matches reports whether r meets all conditions.
func (w Where) Matches(r *Record) bool {
	if w.Done != nil && r.State.Terminal() != *w.Done {
		return false
	}
	if len(w.States) > 0 && !slices.Contains(w.States, r.State) {
		return false
	}
	if len(w.Kinds) > 0 && !slices.Contains(w.Kinds, r.Kind) {
		return false
	}
	if !w.CreatedFrom.IsZero() && r.CreateTime.Before(w.CreatedFrom) {
		return false
	}
	if !w.CreatedBefore.IsZero() && !r.CreateTime.Before(w.CreatedBefore) {
		return false
	}
	return w.Match == nil || w.Match(r)
}
