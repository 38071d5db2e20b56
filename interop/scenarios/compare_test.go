package scenarios

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"
)

// compared is a scenario in which Python differs twice.
const compared = `{
	"name": "n", "about": "a", "operation": {"name": "x"},
	"steps": [
		{"do": "result", "expect": {"outcome": "value", "value": "done"}},
		{"do": "done", "expect": {"outcome": "value", "value": true, "elapsed": {"at_most": 1}}}
	],
	"calls": {"get": 1},
	"differences": [
		{"by": ["python/*"], "at": "steps.0", "is": {"outcome": "timeout"}, "because": "D11"},
		{"by": ["python/*"], "at": "calls.get", "is": {"at_least": 2}, "because": "D16"}
	]
}`

const (
	asExpected = `{"open": {"outcome": "value"}, "calls": {"get": 1, "cancel": 0}, "steps": [
		{"outcome": "value", "value": "done", "elapsed": 3},
		{"outcome": "value", "value": true, "elapsed": 0.5}]}`
	asListed = `{"open": {"outcome": "value"}, "calls": {"get": 2, "cancel": 0}, "steps": [
		{"outcome": "timeout", "elapsed": 3},
		{"outcome": "value", "value": true, "elapsed": 0.5}]}`
)

func TestCompare(t *testing.T) {
	t.Parallel()
	swap := func(s string, oldNew ...string) string { return strings.NewReplacer(oldNew...).Replace(s) }
	for _, tt := range []struct {
		name, way, got string
		want           []string // what each problem contains
	}{
		{name: "as expected", way: "lro/grpc", got: asExpected},
		{name: "as listed", way: "python/asyncio", got: asListed},
		{
			name: "listed for another", way: "lro/grpc", got: asListed,
			want: []string{"calls.get: got 2, want 1", `steps.0.outcome: got "timeout", want "value"`, `steps.0.value: is missing`},
		},
		{
			name: "listed, but does not happen", way: "python/asyncio", got: asExpected,
			want: []string{"calls.get: the listed difference (D16) does not happen any more", "steps.0: the listed difference (D11) does not happen any more"},
		},
		{
			name: "listed, but something else happens", way: "python/asyncio",
			got:  swap(asListed, `"timeout"`, `"crash", "type": "TypeError"`),
			want: []string{`steps.0.outcome: got "crash", want "timeout"`, `steps.0.type: got "TypeError", want no such field`},
		},
		{
			name: "not listed", way: "python/asyncio", got: swap(asListed, `true`, `false`),
			want: []string{"steps.1.value: got false, want true"},
		},
		{
			name: "too slow", way: "lro/grpc", got: swap(asExpected, "0.5", "1.5"),
			want: []string{`steps.1.elapsed: got 1.5, want {"at_most":1}`},
		},
		{
			name: "another field", way: "lro/grpc", got: swap(asExpected, `"value": true`, `"value": true, "type": "T"`),
			want: []string{`steps.1.type: got "T", want no such field`},
		},
		{
			name: "a step is missing", way: "lro/grpc", got: `{"open": {"outcome": "value"}, "calls": {"get": 1}, "steps": []}`,
			want: []string{"steps: got []"},
		},
		{
			name: "no future", way: "lro/grpc", got: `{"open": {"outcome": "unreadable"}}`,
			want: []string{"calls: is missing", `open.outcome: got "unreadable", want "value"`, "steps: is missing"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := decode[Scenario](t, compared)
			problems, err := s.Compare(tt.way, decode[Record](t, tt.got))
			if err != nil || len(problems) != len(tt.want) {
				t.Fatalf("Compare: got %q, %v, want %q", problems, err, tt.want)
			}
			for i, want := range tt.want {
				if !strings.Contains(problems[i], want) {
					t.Errorf("Compare: problem %d is %q, want %q in it", i, problems[i], want)
				}
			}
		})
	}
}

// A future that cannot be made goes no further, where that is listed.
func TestCompareWithoutFuture(t *testing.T) {
	t.Parallel()
	s := decode[Scenario](t, compared)
	s.Differences = []Difference{{By: []string{"python/*"}, At: "open", Is: map[string]any{"outcome": "unreadable"}, Because: "D3"}}
	problems, err := s.Compare("python/asyncio", decode[Record](t, `{"open": {"outcome": "unreadable"}}`))
	if err != nil || len(problems) != 0 {
		t.Errorf("Compare: got %q, %v, want none", problems, err)
	}
	problems, err = s.Compare("python/asyncio", decode[Record](t, asExpected))
	if err != nil || len(problems) != 1 || !strings.Contains(problems[0], "does not happen any more") {
		t.Errorf("Compare of one that can be made: got %q, %v, want that the difference does not happen", problems, err)
	}
}

func TestCompareRefusesDifferencesThatAreNone(t *testing.T) {
	t.Parallel()
	for _, d := range []Difference{
		{By: []string{"lro/*"}, At: "steps.7.value", Is: 1.0},
		{By: []string{"lro/*"}, At: "calls.get", Is: 1.0},
	} {
		s := decode[Scenario](t, compared)
		s.Differences = append(s.Differences, d)
		if problems, err := s.Compare("lro/grpc", decode[Record](t, asExpected)); err == nil {
			t.Errorf("Compare with a difference at %q: got %q, want an error", d.At, problems)
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	const reasons = `{"D11": "early", "D16": "alone"}`
	file := func(scenarios ...string) string { return `{"scenarios": [` + strings.Join(scenarios, ",") + `]}` }
	for _, tt := range []struct{ name, reasons, file, want string }{
		{"nothing", reasons, file(compared), ""},
		{"an unknown field", reasons, file(strings.Replace(compared, `"about"`, `"abuot"`, 1)), "abuot"},
		{"two of one name", reasons, file(compared, compared), "two scenarios"},
		{"an unknown reason", `{"D11": "early"}`, file(compared), `no reason "D16"`},
		{"an unused reason", `{"D11": "early", "D16": "alone", "D99": "none"}`, file(compared), `reason "D99"`},
		{"a step without expectation", reasons, file(strings.Replace(compared, `"expect": {"outcome": "value", "value": "done"}`, `"timeout": "1s"`, 1)), "expects nothing"},
		{"a wrong duration", reasons, file(strings.Replace(compared, `"do": "result",`, `"do": "result", "timeout": "1",`, 1)), "missing unit"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, _, err := Load(fstest.MapFS{
				reasonsFile: {Data: []byte(tt.reasons)},
				"a.json":    {Data: []byte(tt.file)},
			})
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Load: %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func FuzzOperation(f *testing.F) {
	for _, seed := range []string{
		`{"name": "x"}`,
		`{"name": "x", "done": true, "response": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": "v"}}`,
		`{"metadata": {"@type": "t/a.B", "@value": "CgF4"}, "error": {"code": 99, "message": "m"}}`,
		`{"response": {"@type": "", "@value": ""}}`,
		`[]`, `{"response": 1}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		op, err := operationOf(data)
		if (op == nil) == (err == nil) {
			t.Errorf("operationOf(%q): got %v, %v, want one of them", data, op, err)
		}
	})
}

func decode[T any](t *testing.T, data string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(data), &v); err != nil {
		t.Fatal(err)
	}
	return v
}
