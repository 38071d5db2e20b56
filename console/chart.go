package console

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Measures of the chart, in units of its view box.
const (
	chartWidth  = 960.0
	chartHeight = 220.0
	chartLeft   = 44.0 // room for the numbers
	chartRight  = 8.0
	chartTop    = 12.0
	chartBottom = 26.0 // room for the times
)

// chart is a bar chart of what ended when, stacked by outcome.
type chart struct {
	Width, Height float64
	Left, Right   float64 // of the plot
	Base          float64 // its lower end
	Bars          []bar
	Grid          []gridLine
	Labels        []timeLabel
	Empty         bool
	Sum           int
	Dated         bool // labels need the day
}

// bar is one stretch of time.
type bar struct {
	X, Width  float64
	Top, High float64 // of the area that answers to the pointer
	Parts     []barPart
	Begin     moment
	Text      string // such as "3 succeeded, 1 failed"
	N         [outcomes]int
	Sum       int
}

type barPart struct {
	Key       string
	Y, Height float64
}

type gridLine struct {
	Y     float64
	Value string
}

type timeLabel struct {
	X    float64
	Time moment
	Text string // in UTC
}

var outcomeKeys = [outcomes]string{"succeeded", "failed", "cancelled"}

// drawn is the order from the bottom: what went wrong stands on the base line,
// where its size is easy to compare.
var drawn = [outcomes]outcome{failed, cancelled, succeeded}

func chartOf(buckets []bucket, w window) chart {
	c := chart{
		Width: chartWidth, Height: chartHeight, Left: chartLeft, Right: chartWidth - chartRight,
		Base: chartHeight - chartBottom, Dated: w.length > 24*time.Hour,
	}
	most := 0
	for _, b := range buckets {
		most = max(most, b.sum())
		c.Sum += b.sum()
	}
	c.Empty = c.Sum == 0
	top := niceTop(most)
	plot := c.Base - chartTop
	for _, share := range []float64{0, 0.5, 1} {
		c.Grid = append(c.Grid, gridLine{Y: round(c.Base - share*plot), Value: count(int64(math.Round(share * float64(top))))})
	}
	step := (c.Right - c.Left) / float64(len(buckets))
	every := max(1, len(buckets)/6)
	for i, b := range buckets {
		x := c.Left + float64(i)*step
		if i%every == 0 {
			c.Labels = append(c.Labels, timeLabel{X: round(x), Time: moment{b.begin}, Text: b.begin.Format(c.layout())})
		}
		out := bar{
			X: round(x + step*0.1), Width: round(step * 0.8), Top: chartTop, High: round(plot),
			Begin: moment{b.begin}, Text: b.text(), N: b.n, Sum: b.sum(),
		}
		y := c.Base
		for _, o := range drawn {
			if b.n[o] == 0 {
				continue
			}
			height := float64(b.n[o]) / float64(top) * plot
			y -= height
			out.Parts = append(out.Parts, barPart{Key: outcomeKeys[o], Y: round(y), Height: round(height)})
		}
		c.Bars = append(c.Bars, out)
	}
	return c
}

func (c chart) layout() string {
	if c.Dated {
		return "2 Jan 15:04"
	}
	return "15:04"
}

func (b bucket) text() string {
	if b.sum() == 0 {
		return "none ended"
	}
	var parts []string
	for o, n := range b.n {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%s %s", count(int64(n)), outcomeKeys[o]))
		}
	}
	return strings.Join(parts, ", ")
}

// niceTop is the least even number of the form 2, 4, 10, 20, 40, 100 ... that
// is not below n, so that its half is a whole number too.
func niceTop(n int) int {
	for unit := 1; ; unit *= 10 {
		for _, f := range []int{2, 4, 6, 10} {
			if top := f * unit; top >= n {
				return top
			}
		}
	}
}

// round keeps markup short.
func round(v float64) float64 { return math.Round(v*10) / 10 }

// timeScale maps durations to 0..100, by their logarithm: they spread over many
// orders of magnitude.
type timeScale struct{ low, high float64 }

func scaleOf(times []kindTimes) timeScale {
	low, high := math.Inf(1), math.Inf(-1)
	for _, t := range times {
		low = min(low, logOf(t.Ran[0]))
		high = max(high, logOf(t.Ran[len(t.Ran)-1]))
	}
	if high-low < 1 { // a factor of 10 at least, so that small differences look small
		high = low + 1
	}
	return timeScale{low, high}
}

func logOf(d time.Duration) float64 { return math.Log10(max(d.Seconds(), 0.001)) }

func (s timeScale) at(d time.Duration) float64 {
	return round(2 + 96*(logOf(d)-s.low)/(s.high-s.low))
}

// timeRange is where durations lie on a line of 100 units.
type timeRange struct {
	P50     float64
	Width50 float64 // from the median to the 90th percentile
	Width   float64 // from the median to the 99th
}

func (s timeScale) rangeOf(sorted []time.Duration) timeRange {
	p50 := s.at(percentile(sorted, 50))
	return timeRange{
		P50:     p50,
		Width50: round(s.at(percentile(sorted, 90)) - p50),
		Width:   round(s.at(percentile(sorted, 99)) - p50),
	}
}

// quoteValue makes text a value of a filter (AIP-160).
func quoteValue(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}
