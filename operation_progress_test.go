package lro

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestProgressShowsFirstState: of a resumed operation the first state is shown as
// soon as it is known, also where it says nothing but that the operation runs.
func TestProgressShowsFirstState(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := &fakeService{get: endsAt(time.Minute)}
		op := resume(t, fake.pollOnly())
		begin := time.Now()
		for s, err := range op.Progress(t.Context()) {
			if err != nil || s.Done() || time.Since(begin) > time.Second {
				t.Errorf("the first state is shown after %v: done %t, %v, want a running one at once", time.Since(begin), s.Done(), err)
			}
			break
		}
	})
}
