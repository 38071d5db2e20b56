package temporal

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"

	"github.com/go-lro/lro/internal/cutproxy"
	"github.com/go-lro/lro/internal/leak"
	"github.com/go-lro/lro/internal/simulation"
	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
	"github.com/go-lro/lro/server/engine/enginetest"
	"github.com/go-lro/lro/temporal/internal/testserver"
)

func TestMain(m *testing.M) {
	// Tests wait for leases and timers of the server, most of the time; a case
	// of a property takes a second. Who gives the flags still wins.
	for name, value := range map[string]string{"test.parallel": "4", "rapid.checks": "20"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	leak.Main(m)
}

func TestEngine(t *testing.T) {
	t.Parallel()
	server := testserver.Start(t, testserver.Options{})
	enginetest.Run(t, enginetest.Factory{
		New:    func(t *testing.T) enginetest.Store { return newStore(t, server.HostPort()) },
		Delay:  2 * time.Second,
		Traits: traits,
	})
}

// TestLoad puts callers on an engine; see [simulation.Load]. Temporal keeps what it
// has in PostgreSQL, as where it is used.
func TestLoad(t *testing.T) {
	t.Parallel()
	simulation.Load(t, func() engine.Engine {
		return newStore(t, testserver.Start(t, testserver.Options{Postgres: testserver.Postgres(t)}).HostPort()).Open(t)
	})
}

var traits = enginetest.Traits{DeleteNeedsEnd: true, FixedRetention: true, ListLags: true, LooseOrder: true, MaxParent: maxParent}

// testLease is short, so that tests need not wait long for a crash to be
// noticed, and long enough for a busy machine.
const testLease = 5 * time.Second

// store is a task queue that engines are opened on, one after another, each
// with connections of its own.
type store struct {
	address string
	queue   string
	last    *Engine
	cut     func()
}

var stores, engines atomic.Int64

func newStore(t *testing.T, address string) *store {
	t.Helper()
	return &store{address: address, queue: fmt.Sprintf("test-%d-%s", stores.Add(1), enginekit.Random(6))}
}

func (s *store) Open(t *testing.T) engine.Engine {
	t.Helper()
	n := new(cutproxy.Dialer)
	dialTCP := func(ctx context.Context, address string) (net.Conn, error) { return n.DialContext(ctx, "tcp", address) }
	c, err := client.DialContext(t.Context(), client.Options{
		HostPort: s.address, Logger: quiet{},
		ConnectionOptions: client.ConnectionOptions{DialOptions: []grpc.DialOption{grpc.WithContextDialer(dialTCP)}},
	})
	if err != nil {
		t.Fatalf("connect to %s: %v", s.address, err)
	}
	e, err := Open(t.Context(), c, &Options{TaskQueue: s.queue, Namespace: "default", Lease: testLease, Identity: fmt.Sprintf("engine %d", engines.Add(1))})
	if err != nil {
		t.Fatalf("Open() = %v", err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
		c.Close()
		n.Cut()
	})
	s.last, s.cut = e, n.Cut
	return e
}

// Crash cuts the last engine off, and returns when Temporal has noticed that
// its attempts are not heard of.
func (s *store) Crash(t *testing.T) {
	t.Helper()
	old := s.last
	s.cut()
	old.mu.Lock()
	var owned []*attempt
	for _, a := range old.attempts {
		owned = append(owned, a)
	}
	old.mu.Unlock()
	if len(owned) == 0 {
		return
	}
	cut := s.cut
	eng := s.Open(t).(*Engine)
	s.last, s.cut = old, cut
	for _, a := range owned {
		var token []byte
		for {
			resp, err := eng.changed(t.Context(), a.owner.activityID, a.owner.runID, token)
			if errors.Is(err, engine.ErrNotFound) {
				break
			}
			if err != nil {
				t.Fatalf("describe %q: %v", a.rec.Name, err)
			}
			if resp == nil {
				continue
			}
			if !a.owns(resp.GetInfo()) {
				break
			}
			token = resp.GetLongPollToken()
		}
	}
}

// quiet is a logger of clients.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}
