package scenarios

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write differences.md anew")

// TestDifferencesFile keeps differences.md as the data is, since people read
// that and not the data.
func TestDifferencesFile(t *testing.T) {
	t.Parallel()
	const file = "differences.md"
	all, reasons, err := Load(os.DirFS("data"))
	if err != nil {
		t.Fatal(err)
	}
	want := differences(all, reasons)
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("go test ./interop/scenarios -update writes %s anew (-want +got):\n%s", file, diff)
	}
}

// differences lists by reason in which scenarios a way differs.
func differences(all []Scenario, reasons map[string]string) string {
	runs := map[string]int{}
	byReason := map[string][]string{}
	for _, s := range all {
		for _, way := range slices.Concat(LROWays, pythonWays) {
			if s.RunBy(way) {
				runs[way]++
			}
		}
		for _, d := range s.Differences {
			if !slices.Contains(byReason[d.Because], s.Name) {
				byReason[d.Because] = append(byReason[d.Because], s.Name)
			}
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# Differences\n\nBetween google-api-core and package lro, as the data has them; a test writes this file. %d scenarios are run by\n\n", len(all))
	b.WriteString("| way | scenarios |\n|---|---|\n")
	for _, way := range slices.Concat(LROWays, pythonWays) {
		fmt.Fprintf(&b, "| `%s` | %d |\n", way, runs[way])
	}
	b.WriteString("\n| reason | | in the scenarios |\n|---|---|---|\n")
	for _, reason := range slices.SortedFunc(maps.Keys(byReason), byNumber) {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", reason, reasons[reason], strings.Join(byReason[reason], "; "))
	}
	return b.String()
}

// byNumber puts D2 before D10, and the numbered before the others.
func byNumber(a, b string) int {
	number := func(s string) int {
		if n, err := strconv.Atoi(strings.TrimPrefix(s, "D")); err == nil {
			return n
		}
		return 1 << 30
	}
	if na, nb := number(a), number(b); na != nb {
		return na - nb
	}
	return strings.Compare(a, b)
}
