package report

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCompare(t *testing.T) {
	t.Parallel()
	poll := func(us float64) []Poll {
		return []Poll{{Client: "lro", Stub: NewSample([]float64{100}), Poll: NewSample([]float64{us}), Control: NewSample([]float64{100})}}
	}
	olds := []*Report{
		{Polls: poll(120), Server: []Figure{{What: "starts", Value: 4}, {What: "gone", Value: 7}}},
		{Polls: poll(140), Server: []Figure{{What: "starts", Value: 4}, {What: "failed", Note: "why"}}},
		{Polls: poll(125), Server: []Figure{{What: "starts", Value: 0}}},
	}
	news := []*Report{
		{Polls: poll(110), Server: []Figure{{What: "starts", Value: 2}, {What: "added", Value: 1}}},
		{Polls: poll(100), Server: []Figure{{What: "starts", Value: 2}}},
		{Polls: poll(150), Server: []Figure{{What: "starts", Value: 8}}},
	}
	want := [][]string{
		{"lro: a poll over the bare stub", "1.25", "1.10", "0.88"},
		{"lro: the bare stub over itself", "1.00", "1.00", "1.00"},
		{"starts", "4.00", "2.00", "0.50"},
		{"added", "–", "1.00", "–"},
		{"gone", "7.00", "–", "–"},
	}
	if diff := cmp.Diff(want, Compare("v1", "v2", olds, news).Rows); diff != "" {
		t.Errorf("Compare: -want +got:\n%s", diff)
	}
}
