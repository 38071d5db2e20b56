package term

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean returns text that came from elsewhere as one line that is safe to
// print: what could move the cursor, change the terminal's state or reorder
// what is shown becomes visible as an escape such as \x1b or \u202e.
func Clean(s string) string {
	if clean(s) {
		return s
	}
	const hex = "0123456789abcdef"
	out := make([]byte, 0, len(s)+len(s)/4)
	for i, r := range s {
		switch {
		case r == utf8.RuneError && invalidAt(s, i):
			out = append(out, '\\', 'x', hex[s[i]>>4], hex[s[i]&15])
		case !hostile(r):
			out = utf8.AppendRune(out, r)
		case r == '\n':
			out = append(out, `\n`...)
		case r == '\t':
			out = append(out, `\t`...)
		case r == '\r':
			out = append(out, `\r`...)
		case r < utf8.RuneSelf:
			out = append(out, '\\', 'x', hex[r>>4], hex[r&15])
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return string(out)
}

// Short is Clean for text whose end may be left out: what is over n bytes is
// cut and ends in "...". n must be at least 3.
func Short(s string, n int) string {
	if len(s) > n {
		s = strings.ToValidUTF8(s[:n-3], "") + "..."
	}
	return Clean(s)
}

// CleanLines is Clean for text of several lines: line feeds stay, and each
// line after the first begins with indent.
func CleanLines(s, indent string) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	for i, line := range lines {
		lines[i] = Clean(line)
	}
	return strings.Join(lines, "\n"+indent)
}

// CleanJSON returns JSON with all characters escaped that a terminal could
// act upon. It stands for the same value. Line feeds and tabs outside of
// strings stay.
func CleanJSON(text []byte) []byte {
	if clean(string(text)) {
		return text
	}
	out := make([]byte, 0, len(text)+64)
	for _, r := range string(text) { // invalid UTF-8 becomes U+FFFD, as JSON requires
		switch {
		case r == '\n' || r == '\t' || !hostile(r):
			out = utf8.AppendRune(out, r)
		case r > 0xffff:
			r -= 0x10000
			out = fmt.Appendf(out, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}

func clean(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] >= 0x7f {
			return !strings.ContainsFunc(s[i:], hostile) && utf8.ValidString(s[i:])
		}
	}
	return true
}

// hostile reports whether a terminal may act upon r instead of showing it:
// control characters of C0 and C1, line and paragraph separators, and format
// characters such as the bidirectional overrides, which make text read as what
// it is not (CVE-2021-42574). A zero-width joiner is part of honest text.
func hostile(r rune) bool {
	switch {
	case r < ' ' || r == 0x7f:
		return true
	case r < 0x80:
		return false
	case r == '\u200c' || r == '\u200d':
		return false
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Cs)
}

func invalidAt(s string, i int) bool {
	_, size := utf8.DecodeRuneInString(s[i:])
	return size == 1
}
