package filter

import (
	"errors"
	"fmt"
	"strings"

	"go.einride.tech/aip/filtering"
)

// maxQuoted is how much of a filter an error repeats, in bytes.
const maxQuoted = 200

// explain says why the parser refused a filter, in terms of what was written:
// the parser has seen quoted, and reports each rule of the grammar that it was
// in.
func explain(text, quoted string, err error) error {
	at, message := innermost(err)
	switch {
	case message == "unterminated string":
		return fmt.Errorf("filter %q has a quote that is not closed", short(text))
	case message == "invalid UTF-8":
		return errors.New("filter is not valid UTF-8")
	}
	words := strings.FieldsFunc(quoted, func(r rune) bool { return r == '(' || r == ')' || r < 0x80 && isSpace(byte(r)) })
	if len(words) > 0 && strings.HasSuffix(quoted, words[len(words)-1]) {
		switch last := words[len(words)-1]; {
		case last == "AND" || last == "OR" || last == "NOT":
			return fmt.Errorf("filter %q ends after %s, where a term such as done:true is missing", short(text), last)
		case strings.ContainsRune("=<>:!", rune(last[len(last)-1])):
			return fmt.Errorf("filter %q ends after %q, where a value is missing", short(text), last[len(last)-1:])
		}
	}
	switch open := openParentheses(quoted); {
	case open > 0:
		return fmt.Errorf("filter %q lacks a %q", short(text), ")")
	case open < 0:
		return fmt.Errorf("filter %q has a %q too many", short(text), ")")
	}
	rest := strings.TrimSpace(text[origin(text, quoted, at):])
	if rest == "" || rest == text {
		return fmt.Errorf("filter %q cannot be parsed", short(text))
	}
	return fmt.Errorf("filter %q cannot be parsed from %q on", short(text), short(rest))
}

// innermost is where in its text the parser was when it refused that, in bytes,
// and why.
func innermost(err error) (at int, message string) {
	type parserError interface {
		error
		Position() filtering.Position
		Message() string
	}
	for {
		e, ok := errors.AsType[parserError](err)
		if !ok {
			return at, message
		}
		at, message = int(e.Position().Offset), e.Message()
		err = errors.Unwrap(e)
	}
}

// origin is the place in text that became the one at in quoted, which has more
// quotes and backslashes.
func origin(text, quoted string, at int) int {
	i := 0
	for _, c := range []byte(quoted[:min(at, len(quoted))]) {
		if i < len(text) && text[i] == c {
			i++
		}
	}
	return i
}

// openParentheses is how many are not closed; negative if too many are.
func openParentheses(quoted string) int {
	open := 0
	for i := 0; i < len(quoted); i++ {
		switch quoted[i] {
		case '"', '\'':
			i = endOfString(quoted, i) - 1
		case '(':
			open++
		case ')':
			if open--; open < 0 {
				return open
			}
		}
	}
	return open
}

func short(text string) string {
	if len(text) <= maxQuoted {
		return text
	}
	return strings.ToValidUTF8(text[:maxQuoted], "") + "..."
}
