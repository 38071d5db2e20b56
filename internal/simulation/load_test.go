package simulation

import (
	"testing"
	"time"
)

func TestFlat(t *testing.T) {
	t.Parallel()
	load := func(heap uint64, growth uint64, goroutines, more int) (all []usage) {
		for i := range 20 {
			all = append(all, usage{heap: heap + uint64(i)*growth, goroutines: goroutines + i*more})
		}
		return all
	}
	for _, tt := range []struct {
		name    string
		samples []usage
		want    bool
	}{
		{"flat", load(10<<20, 0, 100, 0), true},
		{"a little more", load(10<<20, 100<<10, 100, 1), true},
		{"heap grows", load(10<<20, 2<<20, 100, 0), false},
		{"goroutines grow", load(10<<20, 0, 100, 10), false},
		{"too short", load(10<<20, 2<<20, 100, 10)[:7], true},
	} {
		if err := flat(tt.samples); (err == nil) != tt.want {
			t.Errorf("%s: flat() = %v", tt.name, err)
		}
	}
}

func TestWithin(t *testing.T) {
	t.Parallel()
	var d durations
	for i := range 1000 {
		d.add(time.Duration(i+1) * time.Millisecond)
	}
	for share, want := range map[float64]time.Duration{0.5: 500 * time.Millisecond, 0.99: 990 * time.Millisecond, 1: time.Second} {
		if got := d.within(share); got < want || got > want+want/10 {
			t.Errorf("within(%v) = %v, want %v and up to a tenth more", share, got, want)
		}
	}
}
