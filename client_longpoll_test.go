package lro

import (
	"context"
	"sync"
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
		f.wait = func(context.Context, int, time.Duration) (*longrunningpb.Operation, error) {
			return succeeded("done"), nil
		}
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

// An answer of WaitOperation that GetOperation has yet to confirm earns the service
// no belief in the next.
func TestWaitBelievesNoUnconfirmedAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeService{get: func(context.Context, int) (*longrunningpb.Operation, error) {
			time.Sleep(time.Second)
			return running(""), nil
		}}
		f.wait = func(_ context.Context, n int, _ time.Duration) (*longrunningpb.Operation, error) {
			time.Sleep(time.Duration(n) * 100 * time.Millisecond) // all before the first answer of GetOperation
			return succeeded("lie"), nil
		}
		c := NewClient(f)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		var wg sync.WaitGroup
		for range 3 {
			op, err := Strings.Wrap(c, running(""))
			if err != nil {
				t.Fatal(err)
			}
			wg.Go(func() {
				if got, err := op.Wait(ctx); err == nil {
					t.Errorf("Wait returned %v, want an error: the operation still runs", got)
				}
			})
		}
		wg.Wait()
		if _, waits := f.counts(); waits != 3 {
			t.Errorf("WaitOperation was called %d times, want once for each operation", waits)
		}
	})
}
