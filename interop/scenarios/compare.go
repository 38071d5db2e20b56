package scenarios

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Record is what came of a scenario: the fields open, steps and calls, as JSON
// decodes them.
type Record = map[string]any

// Compare returns how a record differs from what the scenario expects of a
// future: the differences that are not listed, and the listed ones that did not
// happen. It returns an error for a scenario whose list makes no sense.
func (s *Scenario) Compare(way string, got Record) ([]string, error) {
	base, err := s.expected()
	if err != nil {
		return nil, err
	}
	want, err := s.expected()
	if err != nil {
		return nil, err
	}
	listed := map[string]Difference{}
	for _, d := range s.Differences {
		if !matches(d.By, way) {
			continue
		}
		old, ok := replace(want, strings.Split(d.At, "."), d.Is)
		if !ok {
			return nil, fmt.Errorf("difference at %q: there is nothing", d.At)
		}
		if reflect.DeepEqual(old, d.Is) {
			return nil, fmt.Errorf("difference at %q is none", d.At)
		}
		listed[d.At] = d
	}
	if !reflect.DeepEqual(want["open"], base["open"]) {
		// A future that cannot be made does not go further.
		got = Record{"open": got["open"]}
		want = Record{"open": want["open"]}
	}
	var problems []string
	for _, p := range diff("", want, got) {
		problem := p.text
		if d, ok := under(listed, p.at); ok {
			if same := at(base, d.At); same.ok && at(got, d.At).ok && len(diff("", same.value, at(got, d.At).value)) == 0 {
				problem = fmt.Sprintf("%s: the listed difference (%s) does not happen any more", d.At, d.Because)
			}
		}
		if !slices.Contains(problems, problem) {
			problems = append(problems, problem)
		}
	}
	return problems, nil
}

// expected is the record that every future should have.
func (s *Scenario) expected() (Record, error) {
	open := s.Open
	if open == nil {
		open = map[string]any{"outcome": "value"}
	}
	steps := make([]any, len(s.Steps))
	for i, step := range s.Steps {
		steps[i] = step.Expect
	}
	calls := s.Calls
	if calls == nil {
		calls = map[string]any{}
	}
	return normal(Record{"open": open, "steps": steps, "calls": calls})
}

// normal copies a record into what JSON decodes to.
func normal(r Record) (Record, error) {
	data, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode record: %w", err)
	}
	var copied Record
	return copied, json.Unmarshal(data, &copied)
}

// under finds the listed difference at a path or above it.
func under(listed map[string]Difference, path string) (Difference, bool) {
	for at, d := range listed {
		if path == at || strings.HasPrefix(path, at+".") {
			return d, true
		}
	}
	return Difference{}, false
}

// found is a value, or that there is none.
type found struct {
	value any
	ok    bool
}

func at(v any, path string) found {
	for key := range strings.SplitSeq(path, ".") {
		switch node := v.(type) {
		case map[string]any:
			value, ok := node[key]
			if !ok {
				return found{}
			}
			v = value
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(node) {
				return found{}
			}
			v = node[i]
		default:
			return found{}
		}
	}
	return found{v, true}
}

// replace puts a value in the place of another and returns that. A field of an
// object need not be there before.
func replace(v any, path []string, is any) (old any, ok bool) {
	parent := found{v, true}
	if len(path) > 1 {
		parent = at(v, strings.Join(path[:len(path)-1], "."))
	}
	last := path[len(path)-1]
	switch node := parent.value.(type) {
	case map[string]any:
		old := node[last]
		node[last] = is
		return old, true
	case []any:
		i, err := strconv.Atoi(last)
		if err != nil || i < 0 || i >= len(node) {
			return nil, false
		}
		old := node[i]
		node[i] = is
		return old, true
	}
	return nil, false
}

// mismatch is a place where a record is not as expected.
type mismatch struct{ at, text string }

// notCompared are fields that are compared only where they are expected.
var notCompared = []string{"elapsed"}

func diff(path string, want, got any) []mismatch {
	if m, ok := want.(map[string]any); ok {
		if fits, isMatcher := matcher(m, got); isMatcher {
			if fits {
				return nil
			}
			return []mismatch{{path, fmt.Sprintf("%s: got %s, want %s", path, text(got), text(want))}}
		}
		if g, ok := got.(map[string]any); ok {
			return diffObjects(path, m, g)
		}
	}
	if w, ok := want.([]any); ok {
		if g, ok := got.([]any); ok && len(w) == len(g) {
			var all []mismatch
			for i := range w {
				all = append(all, diff(join(path, strconv.Itoa(i)), w[i], g[i])...)
			}
			return all
		}
	}
	if reflect.DeepEqual(want, got) {
		return nil
	}
	return []mismatch{{path, fmt.Sprintf("%s: got %s, want %s", path, text(got), text(want))}}
}

func diffObjects(path string, want, got map[string]any) []mismatch {
	if path == "calls" {
		// Only the calls that the scenario speaks of.
		got = maps.Clone(got)
		maps.DeleteFunc(got, func(k string, _ any) bool { _, ok := want[k]; return !ok })
	}
	keys := map[string]bool{}
	for k := range want {
		keys[k] = true
	}
	for k := range got {
		if _, ok := want[k]; ok || !slices.Contains(notCompared, k) {
			keys[k] = true
		}
	}
	var all []mismatch
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		w, wanted := want[k]
		g, given := got[k]
		switch at := join(path, k); {
		case !wanted:
			all = append(all, mismatch{at, fmt.Sprintf("%s: got %s, want no such field", at, text(g))})
		case !given:
			all = append(all, mismatch{at, fmt.Sprintf("%s: is missing, want %s", at, text(w))})
		default:
			all = append(all, diff(at, w, g)...)
		}
	}
	return all
}

// matcher reports whether want is a condition instead of a value, and whether
// got fulfils it.
func matcher(want map[string]any, got any) (fits, ok bool) {
	if len(want) != 1 {
		return false, false
	}
	for k, v := range want {
		switch k {
		case "contains":
			g, ok := got.(string)
			w, _ := v.(string)
			return ok && strings.Contains(g, w), true
		case "at_least":
			g, ok := got.(float64)
			w, _ := v.(float64)
			return ok && g >= w, true
		case "at_most":
			g, ok := got.(float64)
			w, _ := v.(float64)
			return ok && g <= w, true
		}
	}
	return false, false
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func text(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%v", v)
	}
	return string(data)
}
