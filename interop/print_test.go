package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

var testDefect = &defect{why: "it is old", want: regexp.MustCompile("^old$")}

func TestJudge(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		known *defect
		got   outcome
		want  string
	}{
		{"as it should", nil, outcome{OK: true}, ""},
		{"broken", nil, outcome{Error: "no"}, "no"},
		{"broken as known", testDefect, outcome{Error: "old"}, ""},
		{"mended", testDefect, outcome{OK: true}, "works, though"},
		{"broken anew", testDefect, outcome{Error: "new"}, "another way"},
		{"not played", testDefect, outcome{}, "another way"},
	} {
		got := judge(test.known, test.got)
		if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: judge(%v, %+v) = %q, want %q", test.name, test.known, test.got, got, test.want)
		}
	}
}

func TestPrintMatrix(t *testing.T) {
	t.Parallel()
	columns := []column{
		{name: "fine", part: "a", scenarios: []string{"start", "wait"}, broken: map[string]*defect{"wait": testDefect}},
		{name: "absent", part: "b", scenarios: []string{"start"}},
		{name: "worse", part: "a", scenarios: []string{"start", "library"}},
	}
	reports := []report{
		{column: columns[0], versions: "A 1", outcomes: map[string]outcome{"start": {OK: true}, "wait": {Error: "old"}}},
		{column: columns[1], missing: "no b here"},
		{column: columns[2], versions: "A 1", outcomes: map[string]outcome{"start": {OK: true}, "library": {Error: "no books"}}, log: "a server's line"},
	}
	var out strings.Builder
	printMatrix(&out, reports)
	const want = `client  start    success  metadata  failure  cancel  delete  list  wait      unknown  library
fine    ok       -        -         -        -       -       -     broken 1  -        -
absent  skipped  -        -         -        -       -       -     -         -        -
worse   ok       -        -         -        -       -       -     -         -        FAIL

-: the client cannot do that, or not here. broken: known defects of the client, as expected:
1  it is old

a: A 1
b skipped: no b here

FAIL worse, library: no books

last lines of the server of worse:
a server's line
`
	if got := out.String(); got != want {
		t.Errorf("printMatrix(reports) printed:\n%s\nwant:\n%s", got, want)
	}
	if err := verdict(reports, false); err == nil || err.Error() != "worse failed" {
		t.Errorf("verdict(reports, false) = %v, want that worse failed", err)
	}
	if err := verdict(reports[:2], false); err != nil {
		t.Errorf("verdict(reports[:2], false) = %v, want none: what is missing may be skipped", err)
	}
	if err := verdict(reports[:2], true); err == nil || err.Error() != "absent was skipped" {
		t.Errorf("verdict(reports[:2], true) = %v, want that absent was skipped", err)
	}
}

// TestColumns finds slips in the table.
func TestColumns(t *testing.T) {
	t.Parallel()
	names := make(map[string]bool)
	for _, c := range columns {
		if names[c.name] {
			t.Errorf("two columns are called %q", c.name)
		}
		names[c.name] = true
		for _, name := range c.scenarios {
			if !slices.Contains(scenarioNames, name) {
				t.Errorf("%s: there is no scenario %q", c.name, name)
			}
		}
		for name := range c.broken {
			if !slices.Contains(c.scenarios, name) {
				t.Errorf("%s: %q is known to be broken, but is not played", c.name, name)
			}
		}
	}
}
