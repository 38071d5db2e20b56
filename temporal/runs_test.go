package temporal

import (
	"fmt"
	"testing"
)

func TestRunsAreBounded(t *testing.T) {
	t.Parallel()
	var r runs
	for i := range maxRuns + 100 {
		r.put(fmt.Sprint(i), "run")
	}
	if len(r.ids) != maxRuns {
		t.Errorf("%d runs are remembered, want %d", len(r.ids), maxRuns)
	}
	r.put("a", "1")
	if got := r.get("a"); got != "1" {
		t.Errorf("get() = %q, want %q", got, "1")
	}
	r.drop("a")
	if got := r.get("a"); got != "" {
		t.Errorf("get() after drop = %q, want none", got)
	}
}
