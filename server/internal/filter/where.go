package filter

import (
	"strings"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"

	"github.com/go-lro/lro/server/engine"
)

// Where makes conditions of the filter: those an engine can answer with an
// index as such, the rest as Match, which is nil if there is no rest. view
// makes the operation of a record.
func (f *Filter) Where(view func(*engine.Record) *longrunningpb.Operation) engine.Where {
	var w engine.Where
	var rest all
	for _, term := range f.terms {
		if !push(&w, term) {
			rest = append(rest, term)
		}
	}
	if len(rest) > 0 {
		w.Match = func(rec *engine.Record) bool {
			return rest.match(&item{rec: rec, op: view(rec)})
		}
	}
	return w
}

// push adds a term to w where that says exactly the same. A second term about
// the same condition is not pushed.
func push(w *engine.Where, term node) bool {
	if done, ok := doneTerm(term); ok && w.Done == nil {
		w.Done = &done
		return true
	}
	if states, ok := union(term, stateTerm); ok && w.States == nil {
		w.States = states
		return true
	}
	if kinds, ok := union(term, kindTerm); ok && w.Kinds == nil {
		w.Kinds = kinds
		return true
	}
	return pushTime(w, term)
}

func doneTerm(term node) (value, ok bool) {
	if n, negated := term.(not); negated {
		value, ok = doneTerm(n.node)
		return !value, ok
	}
	r, ok := field(term, "done")
	if !ok {
		return false, false
	}
	// "done:*" matches a value that is not the default, so true.
	value = r.value.text == anything || strings.EqualFold(r.value.text, "true")
	return value != (r.op == notEquals), true
}

// stateTerm takes "state = X", "error:*" and "response:*".
func stateTerm(term node) ([]engine.State, bool) {
	if r, ok := field(term, "error"); ok && r.op == has && r.value.text == anything {
		return []engine.State{engine.Failed, engine.Cancelled}, true
	}
	if r, ok := field(term, "response"); ok && r.op == has && r.value.text == anything {
		return []engine.State{engine.Succeeded}, true
	}
	r, ok := field(term, "state")
	if !ok || r.op == notEquals || r.value.text == anything {
		return nil, false
	}
	n, err := parseEnum(stateShape.enum, r.value.text)
	if err != nil || stateShape.enum.Values().ByNumber(n) == nil {
		return nil, false
	}
	return []engine.State{engine.State(n)}, true
}

func kindTerm(term node) ([]string, bool) {
	r, ok := field(term, "kind")
	if !ok || r.op != equals || strings.Contains(r.value.text, anything) {
		return nil, false
	}
	return []string{r.value.text}, true
}

// union takes a term, or several joined by OR.
func union[T any](term node, one func(node) ([]T, bool)) ([]T, bool) {
	terms, ok := term.(anyOf)
	if !ok {
		return one(term)
	}
	var out []T
	for _, n := range terms {
		values, ok := union(n, one)
		if !ok {
			return nil, false
		}
		out = append(out, values...)
	}
	return out, true
}

func pushTime(w *engine.Where, term node) bool {
	r, ok := field(term, "create_time")
	if !ok {
		return false
	}
	v, err := timeShape.parse(r.value)
	if err != nil {
		return false
	}
	t := v.(time.Time)
	if t.Year() < 1970 || t.Year() > 2200 {
		// Engines need not be able to store such a time.
		return false
	}
	switch {
	case r.op == greaterEquals && w.CreatedFrom.IsZero():
		w.CreatedFrom = t
	case r.op == greater && w.CreatedFrom.IsZero():
		w.CreatedFrom = t.Add(1)
	case r.op == less && w.CreatedBefore.IsZero():
		w.CreatedBefore = t
	case r.op == lessEquals && w.CreatedBefore.IsZero():
		w.CreatedBefore = t.Add(1)
	default:
		return false
	}
	return true
}

// field takes a comparison of a field of the operation itself.
func field(term node, name string) (restriction, bool) {
	r, ok := term.(restriction)
	return r, ok && len(r.path) == 1 && strings.EqualFold(r.path[0], name)
}
