package term

import (
	"testing"
	"time"
)

func TestCount(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{
		0: "0", 7: "7", 999: "999", 1000: "1,000", 11478: "11,478", 1234567: "1,234,567",
		-1: "-1", -999: "-999", -1000: "-1,000", 1<<63 - 1: "9,223,372,036,854,775,807", -1 << 63: "-9,223,372,036,854,775,808",
	} {
		if got := Count(n); got != want {
			t.Errorf("Count(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestDuration(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0:                                "0s",
		time.Microsecond:                 "0s",
		12345 * time.Microsecond:         "12ms",
		1520 * time.Millisecond:          "1.5s",
		9999 * time.Millisecond:          "9.9s",
		10 * time.Second:                 "10s",
		59999 * time.Millisecond:         "59s",
		time.Minute:                      "1m00s",
		3*time.Minute + 5*time.Second:    "3m05s",
		2*time.Hour + 9*time.Minute:      "2h09m",
		24 * time.Hour:                   "1d00h",
		99*24*time.Hour + 11*time.Hour:   "99d11h",
		-3 * time.Second:                 "-3s",
		-(3*time.Minute + 5*time.Second): "-3m05s",
	} {
		if got := Duration(d); got != want {
			t.Errorf("Duration(%v) = %q, want %q", d, got, want)
		}
	}
	if got := Seconds(1900 * time.Millisecond); got != "1s" {
		t.Errorf("Seconds(1.9s) = %q, want %q", got, "1s")
	}
}

func TestColumnsAndFit(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in      string
		columns int
		n       int
		fit     string
	}{
		{"", 0, 0, ""},
		{"operations", 10, 10, "operations"},
		{"operations", 10, 9, "operat..."},
		{"operations", 10, 4, "o..."},
		{"operations", 10, 3, "ope"},
		{"operations", 10, 0, ""},
		{"世界", 4, 3, "世"},
		{"世界世界", 8, 6, "世..."},
		{"e\u0301tude", 5, 5, "e\u0301tude"},
		{"é", 1, 1, "é"},
	}
	for _, tt := range tests {
		if got := Columns(tt.in); got != tt.columns {
			t.Errorf("Columns(%q) = %d, want %d", tt.in, got, tt.columns)
		}
		got := Fit(tt.in, tt.n)
		if got != tt.fit || Columns(got) > tt.n {
			t.Errorf("Fit(%q, %d) = %q, want %q", tt.in, tt.n, got, tt.fit)
		}
	}
}

func TestQuote(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                 `''`,
		"operations/abc-1": "operations/abc-1",
		"two words":        `'two words'`,
		"it's":             `'it'\''s'`,
		"$(rm -rf)":        `'$(rm -rf)'`,
		"~root":            `'~root'`,
		"naïve":            `'naïve'`,
	} {
		if got := Quote(in); got != want {
			t.Errorf("Quote(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestFitMiddle(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   string
		n    int
		want string
	}{
		{"operations/abc", 14, "operations/abc"},
		{"operations/abcdef", 14, "ope...s/abcdef"},
		{"operations/abcdef", 5, "...ef"},
		{"operations/abcdef", 4, "o..."},
		{"operations/abcdef", 2, "op"},
		{"世界世界世界世界", 10, "世...世界"},
		{"", 0, ""},
	} {
		got := FitMiddle(tt.in, tt.n)
		if got != tt.want || Columns(got) > tt.n {
			t.Errorf("FitMiddle(%q, %d) = %q, want %q", tt.in, tt.n, got, tt.want)
		}
	}
}
