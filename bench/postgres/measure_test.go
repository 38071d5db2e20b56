package main

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestQuantile(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		all  []float64
		q    float64
		want float64
	}{
		{[]float64{3, 1, 2}, 0.5, 2}, {[]float64{3, math.NaN(), 1, 2}, 0.5, 2}, {[]float64{1, 2}, 0.99, 2}, {[]float64{7}, 0, 7},
	} {
		if got := quantile(tt.all, tt.q); got != tt.want {
			t.Errorf("quantile(%v, %v) = %v, want %v", tt.all, tt.q, got, tt.want)
		}
	}
	if got := quantile(nil, 0.5); !math.IsNaN(got) {
		t.Errorf("quantile of nothing = %v, want NaN", got)
	}
}

func TestFigures(t *testing.T) {
	t.Parallel()
	var p part
	p.least("a", "×", 1.5, 2, 1, 1.6)
	p.most("b", "ms", 20, 21)
	p.plain("c", "a second", math.NaN())
	p.least("d", "×", 1, math.NaN())
	want := []figure{
		{What: "a", Value: "×1.60", Goal: "≥ ×1.50", Kept: true, Rounds: []float64{2, 1, 1.6}},
		{What: "b", Value: "21.0 ms", Goal: "≤ 20.0 ms", Rounds: []float64{21}},
		{What: "c", Value: "– a second", Kept: true},
		{What: "d", Value: "×–", Goal: "≥ ×1.00"},
	}
	if diff := cmp.Diff(want, p.Figures); diff != "" {
		t.Errorf("figures (-want +got):\n%s", diff)
	}
}
