package lro

import (
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/types/known/durationpb"
)

// PolicyFrom returns the policy that a service publishes for one of its methods
// in google.api.MethodSettings.long_running (google/api/client.proto), part of
// its service configuration: initial_poll_delay becomes FirstPoll,
// poll_delay_multiplier Multiplier, and max_poll_delay MaxInterval. What is not
// set there has the defaults of [Policy], not those of client.proto (5 s, 1.5
// and 45 s), which find results later. All else of the policy is unset.
//
// total_poll_timeout is left out, since ctx is the limit of a wait: by
// client.proto's default, clients give up on healthy operations after 5 minutes.
//
// It fails on durations that are negative or invalid, and on a multiplier
// below 1. Nil gives the zero Policy.
func PolicyFrom(s *annotations.MethodSettings_LongRunning) (Policy, error) {
	first, err := settingsDuration("initial_poll_delay", s.GetInitialPollDelay())
	if err != nil {
		return Policy{}, err
	}
	longest, err := settingsDuration("max_poll_delay", s.GetMaxPollDelay())
	if err != nil {
		return Policy{}, err
	}
	p := Policy{FirstPoll: first, Multiplier: float64(s.GetPollDelayMultiplier()), MaxInterval: longest}
	if _, err := p.withDefaults(); err != nil {
		return Policy{}, fmt.Errorf("read long_running settings: %w", err)
	}
	return p, nil
}

func settingsDuration(field string, d *durationpb.Duration) (time.Duration, error) {
	if d == nil {
		return 0, nil
	}
	if err := d.CheckValid(); err != nil {
		return 0, fmt.Errorf("read long_running settings: %s: %w", field, err)
	}
	return d.AsDuration(), nil
}
