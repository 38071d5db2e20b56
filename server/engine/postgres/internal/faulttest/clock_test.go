//go:build unix

package faulttest

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/go-lro/lro/internal/pgserver"
	"github.com/go-lro/lro/internal/pgtest"
)

// TestClocks has a server whose clock is 10 minutes off that of the workers, to
// either side: their leases hold, and end when one is killed.
func TestClocks(t *testing.T) {
	t.Parallel()
	rounds(t)
	found, err := filepath.Glob("/usr/lib/*/faketime/libfaketime.so.1")
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case len(found) > 0:
	case os.Getenv("LRO_POSTGRES") != "":
		t.Fatal("libfaketime is not installed; apt-get install faketime")
	default:
		t.Skip("SKIPPED: libfaketime is not installed, so no clock was wrong")
	}
	for _, off := range []string{"+10m", "-10m"} {
		t.Run(off, func(t *testing.T) {
			t.Parallel()
			s := pgtest.Start(t, &pgserver.Options{Env: []string{"LD_PRELOAD=" + found[0], "FAKETIME=" + off}})
			w := newWorld(t, s.URL("postgres"), workerConfig{Lease: 5 * time.Second})
			now := func() time.Time { return query(w, pgx.RowTo[time.Time], "SELECT clock_timestamp()")[0] }
			if by := time.Until(now()).Abs(); by < 9*time.Minute {
				t.Fatalf("the server's clock is off by %v, want 10 minutes", by)
			}
			workers := w.workers(2)
			stop := w.load(8, 400*time.Millisecond)
			victim := workers[0]
			// The lease has been renewed several times by then.
			for begin := time.Now(); time.Since(begin) < 2*w.config.Lease || len(w.heldBy(victim.PID())) == 0; {
				<-time.After(50 * time.Millisecond)
			}
			victim.Kill()
			killed := now()
			eventually(t, "all that the worker ran is run by the other", func() bool { return len(w.heldBy(victim.PID())) == 0 })
			took := now().Sub(killed)
			stop()
			crashes := 0
			for _, rec := range w.check() {
				crashes += rec.Crashes
			}
			t.Logf("taken over after %v", took)
			if most := 3*w.config.Lease + 2*time.Second; took > most || crashes == 0 || crashes > 6 {
				t.Errorf("%d attempts crashed, and were taken over after %v; want those of the worker that was killed, within %v", crashes, took, most)
			}
		})
	}
}
