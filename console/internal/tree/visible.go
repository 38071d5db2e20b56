package tree

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Visible returns text with everything escaped that would not be seen, or make
// other text look like something else: control characters, marks that turn the
// direction of writing, and characters of no width, as \u202e. Line ends and
// tabs stay, and so do the two joiners that some scripts and emoji need. Bytes
// that are no UTF-8 become U+FFFD.
func Visible(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return hidden(r) || r == utf8.RuneError }) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if hidden(r) {
			escape(&b, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Line is Visible for text that has to stay on one line.
func Line(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		return r
	}, Visible(text))
}

// Cut returns at most n characters of text, and how many were left out.
func Cut(text string, n int) (head string, rest int) {
	if len(text) <= n {
		return text, 0
	}
	end := 0
	for range n {
		_, size := utf8.DecodeRuneInString(text[end:])
		end += size
		if end == len(text) {
			return text, 0
		}
	}
	return text[:end], utf8.RuneCountInString(text[end:])
}

func hidden(r rune) bool {
	const joiner, nonJoiner = '\u200d', '\u200c'
	switch r {
	case '\n', '\t', joiner, nonJoiner:
		return false
	case '\u2028', '\u2029', '\u115f', '\u1160', '\u3164', '\uffa0': // line ends and fillers
		return true
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co)
}

func escape(b *strings.Builder, r rune) {
	if r > 0xffff {
		fmt.Fprintf(b, `\U%08x`, r)
		return
	}
	fmt.Fprintf(b, `\u%04x`, r)
}
