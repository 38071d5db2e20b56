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

// A done answer of WaitOperation that GetOperation denies earns the service no
// belief in its next.
func TestWaitBelievesNoDeniedAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeService{get: endsAt(time.Minute)}
		f.wait = func(context.Context, int, time.Duration) (*longrunningpb.Operation, error) { return succeeded("lie"), nil }
		c := NewClient(f)
		for range 2 {
			op, err := Strings.Wrap(c, running(""))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if got, err := op.Wait(ctx); err == nil {
				t.Errorf("Wait returned %v, want an error: the operation still runs", got)
			}
		}
		if _, waits := f.counts(); waits < 2 {
			t.Errorf("WaitOperation was called %d times, want at least once for each operation", waits)
		}
	})
}
