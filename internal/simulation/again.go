package simulation

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// story is a history in a form that is the same in each run in which the same
// things happened in the same order at the same times: without the random parts
// of names.
func (r *result) story() (string, error) {
	var b strings.Builder
	for _, e := range r.Events {
		line, err := json.Marshal(e)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "%s\n", line)
	}
	text := b.String()
	seen := make(map[string]bool)
	var pairs []string
	alias := func(name string) {
		if name != "" && strings.Contains(name, "/operations/") && !seen[name] {
			seen[name] = true
			pairs = append(pairs, name, fmt.Sprintf("operation %d", len(seen)))
		}
	}
	for _, e := range r.Events {
		alias(e.Name)
		if e.Seen != nil {
			alias(e.Seen.Name)
		}
		for _, v := range slices.Concat(e.Page, e.Copy) {
			alias(v.Name)
		}
	}
	return strings.NewReplacer(pairs...).Replace(text), nil
}

// same reports whether two runs had the same history.
func same(a, b *result) (bool, error) {
	x, err := a.story()
	if err != nil {
		return false, err
	}
	y, err := b.story()
	return x == y, err
}
