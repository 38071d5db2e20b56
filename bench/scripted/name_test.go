package scripted

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestName(t *testing.T) {
	t.Parallel()
	for _, op := range []Operation{
		{Label: "lro_poll.200", Index: 399, End: 12345678901234},
		{Label: "a", End: Never, Fails: true},
		{Label: "a", Waits: true},
		{Label: "a", Fails: true, Waits: true},
	} {
		got, err := ParseName(op.Name())
		if err != nil || got != op {
			t.Errorf("ParseName(%q) = %+v, %v, want %+v", op.Name(), got, err, op)
		}
		if got := strings.Replace(op.Template(), "{}", "7", 1); got != (Operation{op.Label, 7, op.End, op.Fails, op.Waits}).Name() {
			t.Errorf("Template() with 7 is %q, want the name of number 7", got)
		}
	}
}

func FuzzParseName(f *testing.F) {
	for _, name := range []string{"", parent, parent + "a-1-2-s", parent + "a-1-2-x", parent + "a-x-2-s", parent + "a-1-x-s", parent + "-1-2-s", "a-1-2-fw"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		op, err := ParseName(name)
		if err != nil {
			return
		}
		if again, err := ParseName(op.Name()); err != nil || again != op {
			t.Errorf("ParseName(%q) = %+v, whose name is read as %+v, %v", name, op, again, err)
		}
	})
}

func TestStart(t *testing.T) {
	t.Parallel()
	const n, nominal = 2000, 10 * time.Second
	spec := Spec{Label: "a", Nominal: nominal, Failing: 0.25, Waits: true}
	failing, short := 0, 0
	for i := range n {
		request := fmt.Sprintf("%s&index=%d", spec, i)
		op, err := start(request, 0)
		if err != nil {
			t.Fatalf("start(%q) = %v", request, err)
		}
		if later, err := start(request, time.Hour); err != nil || later.End-op.End != time.Hour || later.Fails != op.Fails {
			t.Fatalf("start(%q) = %+v, and %+v, %v an hour later, want it to take the same", request, op, later, err)
		}
		if op.End < nominal*7/10 || op.End > nominal*13/10 {
			t.Errorf("start(%q) takes %v, want %v ±30 %%", request, op.End, nominal)
		}
		if op.Fails {
			failing++
		}
		if op.End < nominal {
			short++
		}
	}
	if failing < n/5 || failing > n*3/10 {
		t.Errorf("%d of %d fail, want a quarter", failing, n)
	}
	if short < n*2/5 || short > n*3/5 {
		t.Errorf("%d of %d are shorter than nominal, want half", short, n)
	}
}

func TestStartRefuses(t *testing.T) {
	t.Parallel()
	for _, request := range []string{"", "%", "index=1", "index=1&nominal=x", "index=1&nominal=1s", "index=x&nominal=1s&failing=0"} {
		if op, err := start(request, 0); err == nil {
			t.Errorf("start(%q) = %+v, want an error", request, op)
		}
	}
}
