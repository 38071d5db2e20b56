package lro

import (
	"context"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
)

// Not parallel: AllocsPerRun counts the allocations of the whole process.
func TestObserverCostsNothingWhenUnset(t *testing.T) {
	state := running("")
	service := GetFunc(func(context.Context, string) (*longrunningpb.Operation, error) { return state, nil })
	for _, test := range []struct {
		name     string
		observer *Observer
	}{
		{"none", nil},
		{"without functions", &Observer{}},
	} {
		op := wrap(t, service, WithObserver(test.observer))
		decodes := op.decodes // a loop has it made already
		bare := testing.AllocsPerRun(1000, func() {
			op.client.get(t.Context(), op.name, time.Second)
		})
		hooked := testing.AllocsPerRun(1000, func() {
			op.ask(t.Context(), decodes, decision{action: doGet}, 1)
		})
		if hooked != bare {
			t.Errorf("observer %s: a poll with the hook allocates %v times, want the %v of one without", test.name, hooked, bare)
		}
	}
}
