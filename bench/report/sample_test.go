package report

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSample(t *testing.T) {
	t.Parallel()
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[i] = float64(100 - i)
	}
	for _, tt := range []struct {
		name   string
		values []float64
		want   Sample
	}{
		{"none", nil, Sample{}},
		{"one", []float64{3}, Sample{N: 1, Mean: 3, Median: 3, P95: 3, P99: 3, Min: 3, Max: 3}},
		{"two", []float64{4, 2}, Sample{N: 2, Mean: 3, Median: 3, P95: 4, P99: 4, Min: 2, Max: 4}},
		{"three", []float64{9, 1, 2}, Sample{N: 3, Mean: 4, Median: 2, P95: 9, P99: 9, Min: 1, Max: 9}},
		{"hundred", hundred, Sample{N: 100, Mean: 50.5, Median: 50.5, P95: 95, P99: 99, Min: 1, Max: 100}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := NewSample(tt.values)
			if diff := cmp.Diff(tt.want, got, cmp.Comparer(func(a, b float64) bool { return a-b < 1e-9 && b-a < 1e-9 })); diff != "" {
				t.Errorf("NewSample(%v) (-want +got):\n%s", tt.values, diff)
			}
		})
	}
	if hundred[0] != 100 {
		t.Error("NewSample sorted its argument")
	}
}

func TestFormat(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ got, want string }{
		{seconds(0), "0 µs"},
		{seconds(0.00001234), "12 µs"},
		{seconds(0.0012), "1.2 ms"},
		{seconds(0.2), "200 ms"},
		{seconds(59.6), "60 s"},
		{size(512), "512 B"},
		{size(1536), "1.5 KiB"},
		{size(-3 << 20), "-3.0 MiB"},
		{size(20 << 30), "20 GiB"},
		{count(0), "0"},
		{count(999), "999"},
		{count(-1234567), "-1,234,567"},
		{times(0.00012), "×0.00012"},
		{times(2.55), "×2.5"},
		{times(1 / zero), "–"},
		{digits(0.996), "1.0"},
		{digits(0.994), "0.99"},
		{figure(0.954), "0.95"},
		{figure(12.34), "12.3"},
		{figure(12345), "12,345"},
		{figure(1 / zero), "–"},
		{percent(0.995), "100 %"},
		{cpu(0), "< 10 ms"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}

var zero float64
