package cli_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestJSONIsDocumented: every field that any verb writes stands in
// docs/cli_json.md, and what the document calls always there is.
func TestJSONIsDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/cli_json.md")
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t)
	env := map[string]string{"LRO_ADDR": s.addr, "LRO_PLAINTEXT": "1"}
	done := s.simulate(`{"echo": "hello"}`)
	s.wait(done)
	failed := s.simulate(`{"error": {"code": 5, "message": "no"}}`)
	s.wait(failed)
	running := s.running()
	tree := t.TempDir()
	if err := os.WriteFile(filepath.Join(tree, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	operation := []string{"name", "done", "state"}
	tests := []struct {
		args   []string
		always []string // in each line
	}{
		{[]string{"get", done, failed, running}, operation},
		{[]string{"list"}, operation},
		{[]string{"cancel", done}, operation},
		{[]string{"start", "simulate"}, operation},
		{[]string{"wait", "--timeout", "1s", done, failed, running, "operations/nonsense"}, []string{"event", "time"}},
		{[]string{"watch", "--timeout", "1s", running}, []string{"event", "time"}},
		{[]string{"demo", "--db", filepath.Join(t.TempDir(), "x.db"), tree}, []string{
			"operation", "dir", "files", "bytes", "digest", "attempts", "resumed", "statusMessage", "elapsedSeconds",
		}},
		{[]string{"doctor"}, []string{"service", "transport", "methods"}},
		{[]string{"version"}, []string{"version", "go", "platform"}},
		{[]string{"delete", done}, []string{"name", "deleted"}},
	}
	for _, tt := range tests {
		got := runCommand(t, env, append(tt.args, "--output", "json")...)
		if got.out == "" {
			t.Errorf("lro %q printed nothing: %+v", tt.args, got)
		}
		for line := range strings.Lines(got.out) {
			var object map[string]any
			if err := json.Unmarshal([]byte(line), &object); err != nil {
				t.Fatalf("lro %q printed %q: %v", tt.args, line, err)
			}
			for _, name := range tt.always {
				if _, ok := object[name]; !ok {
					t.Errorf("lro %q printed a line without %q: %s", tt.args, name, line)
				}
			}
			for _, name := range fieldsOf(object) {
				if !strings.Contains(string(text), "`"+name+"`") {
					t.Errorf("lro %q printed the field %q, which docs/cli_json.md does not have", tt.args, name)
				}
			}
		}
	}
}

// fieldsOf returns the names of all fields but those within payloads.
func fieldsOf(v any) []string {
	names := map[string]bool{}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if v["@type"] != nil {
				return
			}
			for name, member := range v {
				names[name] = true
				walk(member)
			}
		case []any:
			for _, item := range v {
				walk(item)
			}
		}
	}
	walk(v)
	return slices.Sorted(maps.Keys(names))
}
