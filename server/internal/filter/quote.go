package filter

import (
	"fmt"
	"strings"
)

// quoteValues puts quotes around the bare values of a filter: what follows a
// comparison up to the next space or parenthesis. AIP-160 has timestamps,
// durations and names with "-" or "/" bare, of which the parser would make
// several tokens.
func quoteValues(filter string) (string, error) {
	var out strings.Builder
	depth := 0
	for i := 0; i < len(filter); {
		switch c := filter[i]; c {
		case '"', '\'':
			end := endOfString(filter, i)
			out.WriteString(filter[i:end])
			i = end
		case '=', '<', '>', ':', '!':
			end := i + 1
			if end < len(filter) && filter[end] == '=' && c != '=' && c != ':' {
				end++
			}
			out.WriteString(filter[i:end])
			i = end
			for i < len(filter) && isSpace(filter[i]) {
				out.WriteByte(filter[i])
				i++
			}
			word := bareWord(filter[i:])
			i += len(word)
			out.WriteString(quote(word, i < len(filter) && filter[i] == '('))
		case '(', ')':
			if c == '(' {
				depth++
			} else {
				depth--
			}
			if depth > MaxDepth {
				return "", fmt.Errorf("filter has more than %d nested parentheses", MaxDepth)
			}
			out.WriteByte(c)
			i++
		default:
			out.WriteByte(c)
			i++
		}
	}
	return out.String(), nil
}

// quote leaves alone what the parser has to see as it is: nothing, a string
// that begins with a quote, and the name of a function.
func quote(word string, function bool) string {
	if word == "" || function || strings.ContainsAny(word, `"'`) {
		return word
	}
	return `"` + strings.ReplaceAll(word, `\`, `\\`) + `"`
}

// bareWord is the beginning of s that belongs to one value without quotes;
// empty if s begins with a quote.
func bareWord(s string) string {
	if s == "" || s[0] == '"' || s[0] == '\'' {
		return ""
	}
	for i := range len(s) {
		if isSpace(s[i]) || strings.IndexByte("(),", s[i]) >= 0 {
			return s[:i]
		}
	}
	return s
}

// endOfString is where the string that begins at start has ended; the parser
// reports one that does not.
func endOfString(s string, start int) int {
	for i := start + 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case s[start]:
			return i + 1
		}
	}
	return len(s)
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }
