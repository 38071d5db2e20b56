package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// judge compares an outcome with what is expected. It returns "" if it is as
// expected, else what is wrong.
func judge(known *defect, got outcome) string {
	switch {
	case known == nil && got.OK:
		return ""
	case known == nil:
		return got.Error
	case got.OK:
		return "works, though it is known to be broken: " + known.why
	case !known.want.MatchString(got.Error):
		return fmt.Sprintf("is broken in another way than known: got %q, want %q", got.Error, known.want)
	}
	return ""
}

// printMatrix prints the matrix.
func printMatrix(w io.Writer, reports []report) {
	var defects []*defect
	var failures []string
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "client\t%s\n", strings.Join(scenarioNames, "\t"))
	for _, r := range reports {
		cells := []string{r.column.name}
		for _, name := range scenarioNames {
			known := r.column.broken[name]
			switch {
			case !slices.Contains(r.column.scenarios, name):
				cells = append(cells, "-")
			case r.missing != "":
				cells = append(cells, "skipped")
			case judge(known, r.outcomes[name]) != "":
				cells = append(cells, "FAIL")
				failures = append(failures, fmt.Sprintf("%s, %s: %s", r.column.name, name, judge(known, r.outcomes[name])))
			case known != nil:
				if !slices.Contains(defects, known) {
					defects = append(defects, known)
				}
				cells = append(cells, fmt.Sprintf("broken %d", slices.Index(defects, known)+1))
			default:
				cells = append(cells, "ok")
			}
		}
		fmt.Fprintln(table, strings.Join(cells, "\t"))
	}
	table.Flush()

	fmt.Fprintln(w, "\n-: the client cannot do that, or not here. broken: known defects of the client, as expected:")
	for i, d := range defects {
		fmt.Fprintf(w, "%d  %s\n", i+1, d.why)
	}
	fmt.Fprintln(w)
	for _, version := range versions(reports) {
		fmt.Fprintln(w, version)
	}
	for _, f := range failures {
		fmt.Fprintln(w, "\nFAIL", f)
	}
	for _, r := range reports {
		if failed(r) && r.log != "" {
			fmt.Fprintf(w, "\nlast lines of the server of %s:\n%s\n", r.column.name, r.log)
		}
	}
}

// versions returns a line for each part, with what ran or why it did not.
func versions(reports []report) []string {
	var lines []string
	for _, r := range reports {
		line := r.column.part + ": " + r.versions
		if r.missing != "" {
			line = r.column.part + " skipped: " + r.missing
		}
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return lines
}

// failed reports whether an outcome is not as expected.
func failed(r report) bool {
	if r.missing != "" {
		return false
	}
	return slices.ContainsFunc(r.column.scenarios, func(name string) bool {
		return judge(r.column.broken[name], r.outcomes[name]) != ""
	})
}

// verdict returns an error if anything failed. Where all must be there, a
// skipped client has failed too.
func verdict(reports []report, all bool) error {
	var bad []error
	for _, r := range reports {
		if failed(r) {
			bad = append(bad, fmt.Errorf("%s failed", r.column.name))
		}
		if r.missing != "" && all {
			bad = append(bad, fmt.Errorf("%s was skipped", r.column.name))
		}
	}
	return errors.Join(bad...)
}
