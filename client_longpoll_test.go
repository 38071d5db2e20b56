package lro

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
)

// The client has GetOperation confirm the first done answer of WaitOperation, and
// then believes the service, for its other operations too.
func TestWaitConfirmsOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeService{get: endsAt(0)}
		f.wait = func(context.Context, int, time.Duration) (*longrunningpb.Operation, error) { return succeeded("done"), nil }
		c := NewClient(f)
		for n := range 3 {
			op, err := Strings.Wrap(c, running(""))
			if err != nil {
				t.Fatal(err)
			}
			got, err := op.Wait(t.Context())
			wantValue(t, got, err, "done")
			if gets, waits := f.counts(); gets != 1 || waits != n+1 {
				t.Errorf("after %d operations GetOperation was called %d times and WaitOperation %d times, want 1 and %d", n+1, gets, waits, n+1)
			}
		}
	})
}
