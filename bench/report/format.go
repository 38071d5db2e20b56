package report

import (
	"fmt"
	"math"
	"strconv"
)

// seconds shows a time in the unit that fits.
func seconds(s float64) string {
	switch a := math.Abs(s); {
	case a < 1e-3:
		return digits(s*1e6) + " µs"
	case a < 1:
		return digits(s*1e3) + " ms"
	default:
		return digits(s) + " s"
	}
}

// size shows a size in the unit that fits.
func size(n float64) string {
	for _, u := range []struct {
		unit float64
		name string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if math.Abs(n) >= u.unit {
			return digits(n/u.unit) + " " + u.name
		}
	}
	return digits(n) + " B"
}

// digits shows two digits, and all of those before the point.
func digits(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "–"
	case a >= 10 || a == 0:
		return count(int64(math.Round(v)))
	case a >= 0.995: // which two digits make 1.0
		return strconv.FormatFloat(v, 'f', 1, 64)
	default:
		return strconv.FormatFloat(v, 'g', 2, 64)
	}
}

// figure shows three digits, and all of those before the point.
func figure(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "–"
	case a >= 100:
		return count(int64(math.Round(v)))
	case a >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	default:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
}

// count shows a whole number with commas.
func count(n int64) string {
	if n < 0 {
		return "-" + count(-n)
	}
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// times shows a ratio.
func times(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "–"
	}
	return "×" + digits(v)
}

func percent(part float64) string { return fmt.Sprintf("%.0f %%", 100*part) }
