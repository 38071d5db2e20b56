package report

import (
	"fmt"
	"slices"
	"strings"
)

// Section is a part of a run.
type Section[F any] struct {
	Name string
	Run  F
}

// Names are those of sections, for people.
func Names[F any](all []Section[F]) string {
	var names []string
	for _, s := range all {
		names = append(names, s.Name)
	}
	return strings.Join(names, ", ")
}

// Choose returns those that only names, separated by commas; all if it is empty.
func Choose[F any](all []Section[F], only string) ([]Section[F], error) {
	if only == "" {
		return all, nil
	}
	names := strings.Split(only, ",")
	some := slices.DeleteFunc(slices.Clone(all), func(s Section[F]) bool { return !slices.Contains(names, s.Name) })
	if len(some) != len(names) {
		return nil, fmt.Errorf("-only is %q: the sections are %s", only, Names(all))
	}
	return some, nil
}
