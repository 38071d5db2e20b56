package sqlite

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-lro/lro/server/engine"
)

// TestHeardAtLeaseEnd: nobody is told that a lease was renewed whose end is on its
// way to the store, and a lease that was renewed in time does not end.
func TestHeardAtLeaseEnd(t *testing.T) {
	t.Parallel()
	const leaseFor, commit = 10 * time.Second, 200 * time.Millisecond
	heartbeat := func(ctx context.Context, e *Engine, l engine.Lease) error {
		_, err := e.Heartbeat(ctx, l)
		return err
	}
	report := func(ctx context.Context, e *Engine, l engine.Lease) error {
		_, err := e.Report(ctx, l, engine.Update{Metadata: textAny("reported")})
		return err
	}
	for _, test := range []struct {
		name string
		at   time.Duration
		call func(context.Context, *Engine, engine.Lease) error
		want error // nil for renewed
	}{
		{"heartbeat before", leaseFor - time.Millisecond, heartbeat, nil},
		{"report before", leaseFor - time.Millisecond, report, nil},
		{"heartbeat during the commit", leaseFor + commit/2, heartbeat, engine.ErrFenced},
		{"report during the commit", leaseFor + commit/2, report, engine.ErrFenced},
		{"heartbeat after", leaseFor + 2*commit, heartbeat, engine.ErrFenced},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				fs := newFaultFS(t, 1)
				fs.commits = func() time.Duration { return commit }
				e := mustOpen(t, filepath.Join(dir, "operations.db"), &Options{vfs: fs.name, syncDir: fs.syncDir})
				rec := mustStart(t, e, engine.Spec{External: true, LeaseFor: leaseFor})
				time.Sleep(test.at) // sleep: in a bubble
				if err := test.call(t.Context(), e, engine.Lease{Name: rec.Name, Fence: rec.Fence}); !errors.Is(err, test.want) {
					t.Errorf("%v after the start: %v, want %v", test.at, err, test.want)
				}
				time.Sleep(leaseFor / 2) // sleep: in a bubble
				want := engine.Running
				if test.want != nil {
					want = engine.Failed
				}
				if rec, err := e.Get(t.Context(), rec.Name); err != nil || rec.State != want {
					t.Errorf("afterwards, Get() = %v, %v; want %v", rec, err, want)
				}
			})
		})
	}
}
