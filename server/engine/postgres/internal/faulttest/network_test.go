//go:build unix

package faulttest

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/go-lro/lro/internal/cutproxy"
	"github.com/go-lro/lro/internal/pgtest"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// between returns a proxy to the server at a URL, and the URL that leads through
// it.
func between(t *testing.T, to string) (*cutproxy.Proxy, string) {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	p, err := cutproxy.Start(u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	u.Host = p.Address()
	return p, u.String()
}

// TestCutConnection cuts a worker off from the server past its lease, its LISTEN
// too, and lets it come back: another worker has taken its operation, and what it
// still writes is refused.
func TestCutConnection(t *testing.T) {
	t.Parallel()
	n := rounds(t)
	w := newWorld(t, pgtest.URL(t), workerConfig{Lease: 3 * time.Second})
	for i := range n {
		proxy, through := between(t, w.url)
		config := w.config
		config.URL = through + idle
		first := w.workerWith(config)
		name := w.start(fmt.Sprintf("%s/%d", deaf, i), 10, time.Second)
		eventually(t, "the operation has run for some steps", func() bool {
			return len(query(w, pgx.RowTo[int], "SELECT step FROM "+w.table("effect")+" WHERE name = $1", name)) > 2
		})
		proxy.Cut()
		second := w.worker()
		eventually(t, "another worker runs the operation", func() bool { return len(w.heldBy(second.PID())) > 0 })
		proxy.Restore()
		w.check()
		w.checkRefused(name)
		// It is a worker like any other again.
		second.Kill()
		w.start(fmt.Sprintf("after/%d", i), 2, 0)
		w.check()
		first.Kill()
	}
}

// TestResetConnections resets all connections of three workers and of their
// caller under load, LISTEN's too, again and again.
func TestResetConnections(t *testing.T) {
	t.Parallel()
	n := rounds(t)
	proxy, through := between(t, pgtest.URL(t))
	w := newWorld(t, pgtest.URL(t), workerConfig{Lease: 5 * time.Second, URL: through + "&pool_max_conns=6"})
	w.workers(3)
	stop := w.load(12, 100*time.Millisecond)
	for range 8 * n {
		enginekit.Pause(t.Context(), rand.N(800*time.Millisecond))
		proxy.Restore()
	}
	stop()
	w.check()
}

// TestDeafListen lets the LISTEN of a worker go dead, without an error: it is
// found by a ping, and no operation begins later than by polling.
func TestDeafListen(t *testing.T) {
	t.Parallel()
	rounds(t)
	w := newWorld(t, pgtest.URL(t), workerConfig{Lease: 10 * time.Second})
	proxy, through := between(t, w.url)
	config := w.config
	config.Listen = through
	worker := w.workerWith(config)
	w.start("before", 1, 0)
	w.check()
	proxy.Cut()
	cut := time.Now()
	found := time.Duration(0)
	for i := 0; found == 0; i++ {
		w.start(fmt.Sprintf("deafened/%d", i), 1, 0)
		enginekit.Pause(t.Context(), 200*time.Millisecond)
		switch since := time.Since(cut); {
		case strings.Contains(worker.Output(), "a notification that was sent did not arrive"):
			found = since
		case since > limit:
			t.Fatalf("LISTEN is dead since %v, and was not found so", since)
		}
	}
	w.check()
	late := query(w, pgx.RowTo[float64], `SELECT extract(epoch FROM max(a.at - o.create_time))::float8 FROM `+w.table("attempt")+` a JOIN `+w.table("op")+` o USING (seq)`)
	t.Logf("found after %v; the latest operation began after %.3f s", found, late[0])
	// 10 s and 1 s on a machine that is not busy.
	if found > 30*time.Second || late[0] > 10 {
		t.Errorf("the dead LISTEN was found after %v, and an operation began after %.3f s; want 10 s and 1 s", found, late[0])
	}
	proxy.Restore()
	w.start("after", 1, 0)
	w.check()
}
