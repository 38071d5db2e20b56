package term

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestClean(t *testing.T) {
	t.Parallel()
	tests := []struct{ in, want string }{
		{"", ""},
		{"operations/abc", "operations/abc"},
		{"Grüße, 世界 👩\u200d🔬", "Grüße, 世界 👩\u200d🔬"},
		{"\x1b[31mred\x1b[0m", `\x1b[31mred\x1b[0m`},
		{"\x1b]0;title\x07", `\x1b]0;title\x07`},
		{"a\rb\nc\td\x00e\x7f", `a\rb\nc\td\x00e\x7f`},
		{"c1 \u009b31m", `c1 \u009b31m`},
		{"line\u2028paragraph\u2029", `line\u2028paragraph\u2029`},
		{"bidi \u202eevil\u202c \u2066x\u2069", `bidi \u202eevil\u202c \u2066x\u2069`},
		{"zero\u200bwidth\ufeff", `zero\u200bwidth\ufeff`},
		{"invalid \xff\xc3(", `invalid \xff\xc3(`},
		{"real \ufffd", "real \ufffd"},
		{"tag \U000e0041", `tag \ue0041`},
	}
	for _, tt := range tests {
		if got := Clean(tt.in); got != tt.want {
			t.Errorf("Clean(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestShort(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   string
		n    int
		want string
	}{
		{"12345", 5, "12345"},
		{"123456", 5, "12..."},
		{"世界世界", 8, "世..."},
		{"\x1b\x1b\x1b\x1b\x1b\x1b", 4, `\x1b...`},
	} {
		if got := Short(tt.in, tt.n); got != tt.want {
			t.Errorf("Short(%q, %d) = %q, want %q", tt.in, tt.n, got, tt.want)
		}
	}
}

func TestCleanLines(t *testing.T) {
	t.Parallel()
	const in, want = "one\x1b\ntwo\r\n\nfour\n", "one\\x1b\n  two\\r\n  \n  four"
	if got := CleanLines(in, "  "); got != want {
		t.Errorf("CleanLines(%q) = %q, want %q", in, got, want)
	}
}

func FuzzClean(f *testing.F) {
	f.Add("plain")
	f.Add("\x1b[2J\u009b\u202e\xff\U000e0041\ufffd")
	f.Fuzz(func(t *testing.T, s string) {
		got := Clean(s)
		if strings.ContainsFunc(got, hostile) || !utf8.ValidString(got) {
			t.Errorf("Clean(%q) = %q, which is not clean", s, got)
		}
		if Clean(got) != got {
			t.Errorf("Clean(%q) = %q, which Clean changes again", s, got)
		}
	})
}

// FuzzCleanJSON checks that the value stays the same and nothing hostile is
// left.
func FuzzCleanJSON(f *testing.F) {
	f.Add("plain")
	f.Add("\x1b[2J\u009b\u202e\xff\U000e0041\ufffd\"\\")
	f.Fuzz(func(t *testing.T, s string) {
		text, err := json.Marshal(map[string]string{s: s})
		if err != nil {
			t.Fatal(err)
		}
		got := CleanJSON(text)
		if strings.ContainsFunc(string(got), hostile) {
			t.Errorf("CleanJSON(%q) = %q, which is not clean", text, got)
		}
		var want, have map[string]string
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(got, &have); err != nil {
			t.Fatalf("CleanJSON(%q) = %q: %v", text, got, err)
		}
		for k, v := range want {
			if have[k] != v || len(have) != len(want) {
				t.Errorf("CleanJSON(%q) = %q, which is another value", text, got)
			}
		}
	})
}
