package lro

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/types/known/durationpb"
)

func TestPolicyFrom(t *testing.T) {
	t.Parallel()
	minute := durationpb.New(time.Minute)
	tests := []struct {
		name string
		in   *annotations.MethodSettings_LongRunning
		want Policy
		err  string
	}{
		{name: "nil"},
		{name: "empty", in: &annotations.MethodSettings_LongRunning{}},
		{
			name: "all",
			in: &annotations.MethodSettings_LongRunning{
				InitialPollDelay: durationpb.New(5 * time.Second), PollDelayMultiplier: 1.5,
				MaxPollDelay: durationpb.New(45 * time.Second), TotalPollTimeout: minute,
			},
			want: Policy{FirstPoll: 5 * time.Second, Multiplier: 1.5, MaxInterval: 45 * time.Second},
		},
		{
			name: "one",
			in:   &annotations.MethodSettings_LongRunning{MaxPollDelay: minute},
			want: Policy{MaxInterval: time.Minute},
		},
		{
			name: "negative delay",
			in:   &annotations.MethodSettings_LongRunning{InitialPollDelay: durationpb.New(-time.Second)},
			err:  "FirstPoll is negative",
		},
		{
			name: "invalid delay",
			in:   &annotations.MethodSettings_LongRunning{MaxPollDelay: &durationpb.Duration{Seconds: 1, Nanos: -1}},
			err:  "max_poll_delay",
		},
		{
			name: "shrinking",
			in:   &annotations.MethodSettings_LongRunning{PollDelayMultiplier: 0.5},
			err:  "Multiplier is 0.5",
		},
		{
			name: "no number",
			in:   &annotations.MethodSettings_LongRunning{PollDelayMultiplier: float32(math.NaN())},
			err:  "Multiplier is NaN",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := PolicyFrom(test.in)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("PolicyFrom(%v) error: got %v, want one with %q", test.in, err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatalf("PolicyFrom(%v): %v", test.in, err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("PolicyFrom(%v) (-want +got):\n%s", test.in, diff)
			}
		})
	}
}
