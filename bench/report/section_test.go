package report

import "testing"

func TestChoose(t *testing.T) {
	t.Parallel()
	all := []Section[func()]{{Name: "run"}, {Name: "get"}, {Name: "wait"}}
	for _, tt := range []struct {
		only, want string // no names for an error
	}{{"", "run, get, wait"}, {"run", "run"}, {"wait,run", "run, wait"}, {"nonsense", ""}, {"run,nonsense", ""}} {
		got, err := Choose(all, tt.only)
		if Names(got) != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("Choose(%q) = %s, %v, want %s", tt.only, Names(got), err, tt.want)
		}
	}
}
