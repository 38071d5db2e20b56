//go:build unix

package faulttest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-lro/lro/internal/child"
	"github.com/go-lro/lro/internal/pgserver"
	"github.com/go-lro/lro/internal/pgtest"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// bouncer is a PgBouncer in transaction mode.
type bouncer struct {
	t       *testing.T
	path    string
	config  string
	url     string
	process *child.Process
}

// newBouncer starts PgBouncer in front of the shared server.
func newBouncer(t *testing.T) *bouncer {
	t.Helper()
	path, err := exec.LookPath("pgbouncer")
	if err != nil {
		path = "/usr/sbin/pgbouncer"
		_, err = os.Stat(path)
	}
	switch {
	case err == nil:
	case os.Getenv("LRO_POSTGRES") != "":
		t.Fatalf("PgBouncer is not installed (%v); apt-get install pgbouncer", err)
	default:
		t.Skipf("SKIPPED: PgBouncer is not installed (%v), so nothing was tested on it", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	lines := []string{
		"[databases]",
		fmt.Sprintf("postgres = host=127.0.0.1 port=%d dbname=postgres user=%s", pgtest.SharedServer(t).Port(), pgserver.User),
		"[pgbouncer]", "listen_addr = 127.0.0.1", fmt.Sprintf("listen_port = %d", port), "unix_socket_dir =",
		"auth_type = any", "pool_mode = transaction", "default_pool_size = 10", "max_client_conn = 200",
	}
	if os.Getuid() == 0 {
		lines = append(lines, "user = postgres") // it refuses to run as root
	}
	config := filepath.Join(t.TempDir(), "pgbouncer.ini")
	if err := os.WriteFile(config, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	b := &bouncer{t: t, path: path, config: config}
	b.url = fmt.Sprintf("postgres://%s@127.0.0.1:%d/postgres?sslmode=disable&default_query_exec_mode=cache_describe&pool_max_conns=6", pgserver.User, port)
	b.start()
	t.Cleanup(func() { b.process.Kill() })
	return b
}

func (b *bouncer) start() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), limit)
	defer cancel()
	var err error
	b.process, _, err = child.Start(ctx, exec.Command(b.path, b.config), func(line string) (string, bool) {
		return "", strings.Contains(line, "process up")
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// TestPgBouncerRestart kills PgBouncer in transaction mode under load, and starts
// it again. Some processes listen on connections of their own, and some poll.
func TestPgBouncerRestart(t *testing.T) {
	t.Parallel()
	n := rounds(t)
	b := newBouncer(t)
	w := newWorld(t, pgtest.URL(t), workerConfig{Lease: 5 * time.Second, URL: b.url, Listen: pgtest.URL(t)})
	polling := w.config
	polling.Listen, polling.PollOnly = "", true
	w.worker()
	w.worker()
	w.workerWith(polling)
	stop := w.load(12, 100*time.Millisecond)
	for range n {
		enginekit.Pause(t.Context(), time.Second+rand.N(time.Second))
		b.process.Kill()
		enginekit.Pause(t.Context(), 500*time.Millisecond+rand.N(time.Second))
		b.start()
	}
	enginekit.Pause(t.Context(), time.Second)
	stop()
	w.check()
}
