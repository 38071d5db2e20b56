package pgtext

import (
	"slices"
	"strings"
)

// Error returns err with a text of one line, for logs and for people. The text of
// a failed connection has a line for each address and each way of encryption that
// was tried, and joined errors have one each; lines that say the same appear once.
// An error of one line, and nil, are returned as they are.
func Error(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	if !strings.Contains(text, "\n") {
		return err
	}
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	// With sslmode=prefer, what was tried next is the reason.
	rest := slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return strings.HasSuffix(line, "server refused TLS connection") })
	if len(rest) > 1 {
		lines = rest
	}
	return oneLine{err, strings.ReplaceAll(strings.Join(lines, "; "), ":; ", ": ")}
}

type oneLine struct {
	error
	text string
}

func (e oneLine) Error() string { return e.text }
func (e oneLine) Unwrap() error { return e.error }
