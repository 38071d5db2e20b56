package report

import (
	"math"
	"slices"
)

// Sample sums up measurements of one thing. The zero value is that of none.
type Sample struct {
	N      int     `json:"n"`
	Mean   float64 `json:"mean"`
	Median float64 `json:"p50"`
	P95    float64 `json:"p95"`
	P99    float64 `json:"p99"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// NewSample sums up values. It does not change them.
func NewSample(values []float64) Sample {
	if len(values) == 0 {
		return Sample{}
	}
	sorted := slices.Sorted(slices.Values(values))
	s := Sample{
		N:      len(sorted),
		Median: percentile(sorted, 0.5),
		P95:    percentile(sorted, 0.95),
		P99:    percentile(sorted, 0.99),
		Min:    sorted[0],
		Max:    sorted[len(sorted)-1],
	}
	for _, v := range sorted {
		s.Mean += v / float64(len(sorted))
	}
	return s
}

// percentile is the smallest value that at least the part p of all do not
// exceed; the median of an even number is the mean of the two in the middle.
func percentile(sorted []float64, p float64) float64 {
	at := p * float64(len(sorted))
	i := int(math.Ceil(at)) - 1
	if at == math.Trunc(at) && p == 0.5 {
		return (sorted[i] + sorted[i+1]) / 2
	}
	return sorted[max(i, 0)]
}
