package term

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Count returns n with commas: 11,478.
func Count(n int64) string {
	text := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, text = text[:1], text[1:]
	}
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return sign + text
}

// Duration returns d for people, with the two largest of its units at most:
// 850ms, 12s, 3m05s, 2h09m, 4d11h.
func Duration(d time.Duration) string {
	if d < 0 {
		return "-" + Duration(-d)
	}
	days, hours, minutes, seconds := d/(24*time.Hour), d/time.Hour%24, d/time.Minute%60, d/time.Second%60
	switch {
	case d < time.Millisecond:
		return "0s"
	case d < time.Second:
		return d.Truncate(time.Millisecond).String()
	case d < 10*time.Second:
		return d.Truncate(100 * time.Millisecond).String()
	case d < time.Minute:
		return fmt.Sprintf("%ds", seconds)
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", minutes, seconds)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%02dm", hours, minutes)
	}
	return fmt.Sprintf("%dd%02dh", days, hours)
}

// Seconds returns d for a clock that runs on the screen: without fractions.
func Seconds(d time.Duration) string { return Duration(d.Truncate(time.Second)) }

// Quote makes s one word of a shell's command line.
func Quote(s string) string {
	plain := func(r rune) bool {
		return strings.ContainsRune("-_./:=@%+,", r) || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	}
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
