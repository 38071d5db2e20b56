package term

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// Columns returns how many columns of a terminal s takes. Where terminals
// differ, it returns the larger number.
func Columns(s string) int {
	n := 0
	for _, r := range s {
		n += columnsOf(r)
	}
	return n
}

func columnsOf(r rune) int {
	if r < 0x80 {
		return 1
	}
	if unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// Fit returns s cut to at most n columns. What was cut ends in "...", if there
// is room for that.
func Fit(s string, n int) string {
	if len(s) <= n || Columns(s) <= n {
		return s
	}
	const dots = "..."
	room, tail := n-len(dots), dots
	if room < 1 {
		room, tail = n, ""
	}
	used := 0
	for i, r := range s {
		if used += columnsOf(r); used > room {
			return s[:i] + tail
		}
	}
	return s
}

// FitMiddle is Fit for names that differ at their ends: what is cut out of the
// middle is shown as "...". With room for less than that it is Fit.
func FitMiddle(s string, n int) string {
	const dots = "..."
	if Columns(s) <= n || n <= len(dots)+1 {
		return Fit(s, n)
	}
	room := n - len(dots)
	head, used := 0, 0
	for i, r := range s {
		if used+columnsOf(r) > room/3 {
			head = i
			break
		}
		used += columnsOf(r)
	}
	tail := len(s)
	for tail > head {
		r, size := utf8.DecodeLastRuneInString(s[:tail])
		if used += columnsOf(r); used > room {
			break
		}
		tail -= size
	}
	return s[:head] + dots + s[tail:]
}
