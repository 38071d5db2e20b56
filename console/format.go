package console

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// span is a duration with two units at most, as people say it. console.js has
// the same rules.
func span(d time.Duration) string {
	switch {
	case d < 0:
		return "0 s"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Truncate(100*time.Millisecond).Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%s d %d h", count(int64(d.Hours())/24), int(d.Hours())%24)
}

// pace is how often something is done.
func pace(d time.Duration) string {
	if d%time.Second == 0 && d < time.Minute {
		return fmt.Sprintf("%d s", int(d.Seconds()))
	}
	return span(d)
}

// age is how long something is ago, with one unit.
func age(d time.Duration) string {
	switch {
	case d < time.Second:
		return "now"
	case d < time.Minute:
		return fmt.Sprintf("%d s ago", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	}
	return count(int64(d.Hours())/24) + " d ago"
}

// count is a number with its thousands apart.
func count(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if digits[0] == '-' {
		sign, digits = "-", digits[1:]
	}
	var b strings.Builder
	b.WriteString(sign)
	for i, r := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// size is a number of bytes.
func size(n int) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d bytes", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}

// moment is a point in time on a page, in UTC until console.js turns it into
// the viewer's zone. The zero value is not known.
type moment struct{ time.Time }

// ISO is the exact time.
func (m moment) ISO() string { return m.UTC().Format(time.RFC3339Nano) }

// Text is for readers without JavaScript.
func (m moment) Text() string { return m.UTC().Format("2006-01-02 15:04:05 UTC") }

// Ago is how long it is ago.
func (m moment) Ago() string { return age(time.Since(m.Time)) }
