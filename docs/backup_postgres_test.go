package docs_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/go-lro/lro/internal/pgserver"
	"github.com/go-lro/lro/internal/pgtest"
	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/postgres"
)

// opened is an engine on a database, which is closed with the test.
func opened(t *testing.T, url string) *postgres.Engine {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	e, err := postgres.Open(t.Context(), pool, &postgres.Options{Lease: 5_000_000_000})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		pool.Close()
	})
	return e
}

// TestRestorePostgres restores operations to a moment when one ran, as backup.md
// says: it runs again from its checkpoint of then, an operation that was started
// later is unknown, and its request ID is free.
func TestRestorePostgres(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(*testing.T) (string, backup){"dump": dumped, "point in time": archived} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testRestore(t, begin)
		})
	}
}

// backup is a way to return to a moment.
type backup struct {
	moment  func()        // is now
	restore func() string // returns the URL of another database, as it was at the moment
}

// dumped is a server that is dumped at the moment.
func dumped(t *testing.T) (string, backup) {
	s := pgtest.Start(t, nil)
	bin, err := pgserver.Find()
	if err != nil {
		t.Fatal(err)
	}
	var dump []byte
	psql := func(database string, in []byte) {
		t.Helper()
		cmd := exec.Command(filepath.Join(bin, "psql"), "-v", "ON_ERROR_STOP=1", "-q", "-d", s.URL(database))
		cmd.Stdin = bytes.NewReader(in)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("psql: %v\n%s", err, out)
		}
	}
	return s.URL("postgres"), backup{
		moment: func() {
			if dump, err = exec.Command(filepath.Join(bin, "pg_dump"), "--schema=lro", "-d", s.URL("postgres")).Output(); err != nil {
				t.Fatal(err)
			}
		},
		restore: func() string {
			psql("postgres", []byte("CREATE DATABASE restored"))
			psql("restored", dump)
			return s.URL("restored")
		},
	}
}

// archived is a server that is backed up before, archives its log, and whose log is
// replayed up to the moment.
func archived(t *testing.T) (string, backup) {
	dir, err := os.MkdirTemp("", "lro-archive-") // servers of root run as another user
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	s := pgtest.Start(t, &pgserver.Options{Settings: []string{"archive_mode=on", "archive_command=cp %p " + dir + "/%f"}})
	if err := s.Backup(t.Context(), filepath.Join(dir, "base")); err != nil {
		t.Fatal(err)
	}
	query := func(sql string, args ...any) (text string) {
		conn, err := pgx.Connect(t.Context(), s.URL("postgres"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(t.Context())
		if err := conn.QueryRow(t.Context(), sql, args...).Scan(&text); err != nil {
			t.Fatal(err)
		}
		return text
	}
	return s.URL("postgres"), backup{
		moment: func() { query("SELECT pg_create_restore_point('moment')::text") },
		restore: func() string {
			last := query("SELECT pg_walfile_name(pg_switch_wal())")
			for query("SELECT coalesce(last_archived_wal, '') FROM pg_stat_archiver") < last {
				time.Sleep(10 * time.Millisecond) // sleep: PostgreSQL has its own time
			}
			return pgtest.Start(t, &pgserver.Options{Backup: filepath.Join(dir, "base"), Settings: []string{
				"restore_command=cp " + dir + "/%f %p", "recovery_target_name=moment", "recovery_target_action=promote",
			}}).URL("postgres")
		},
	}
}

func testRestore(t *testing.T, begin func(*testing.T) (string, backup)) {
	url, backup := begin(t)
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if _, _, err := postgres.Migrate(t.Context(), pool, ""); err != nil {
		t.Fatal(err)
	}
	before := opened(t, url)
	saved, end := make(chan struct{}), make(chan struct{})
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	worked := make(chan error, 1)
	go func() {
		worked <- before.Work(ctx, engine.Worker{Kinds: map[string]int{"k": 0}, Run: func(ctx context.Context, a engine.Attempt) engine.Outcome {
			if err := a.Save(ctx, []byte("half")); err != nil {
				return engine.Outcome{Error: &status.Status{Code: int32(code.Code_INTERNAL), Message: err.Error()}}
			}
			close(saved)
			<-end
			return engine.Outcome{Response: &anypb.Any{}}
		}})
	}()
	running, err := before.Start(t.Context(), engine.Spec{Kind: "k"})
	if err != nil {
		t.Fatal(err)
	}
	<-saved
	backup.moment()
	close(end)
	if rec, err := before.Wait(t.Context(), running.Name); err != nil || rec.State != engine.Succeeded {
		t.Fatalf("Wait() = %v, %v; want success", rec, err)
	}
	later, err := before.Start(t.Context(), engine.Spec{Kind: "later", RequestID: "later"})
	if err != nil {
		t.Fatal(err)
	}
	stop()
	if err := <-worked; err != nil {
		t.Errorf("Work() = %v", err)
	}

	after := opened(t, backup.restore())
	ctx, stop = context.WithCancel(context.WithoutCancel(t.Context()))
	defer func() {
		stop()
		if err := <-worked; err != nil {
			t.Errorf("Work() = %v", err)
		}
	}()
	go func() {
		worked <- after.Work(ctx, engine.Worker{Kinds: map[string]int{"k": 0}, Run: func(_ context.Context, a engine.Attempt) engine.Outcome {
			if c := string(a.Record().Checkpoint); c != "half" {
				t.Errorf("an attempt began at checkpoint %q, want that of the moment", c)
			}
			return engine.Outcome{Response: &anypb.Any{}}
		}})
	}()
	if rec, err := after.Wait(t.Context(), running.Name); err != nil || rec.State != engine.Succeeded || rec.Attempt != 2 {
		t.Errorf("Wait() in the restored database = %v, %v; want success in attempt 2", rec, err)
	}
	if rec, err := after.Get(t.Context(), later.Name); err == nil {
		t.Errorf("Get() of what was started later = %v, want an error", rec)
	}
	again, err := after.Start(t.Context(), engine.Spec{Kind: "later", RequestID: "later"})
	if err != nil || again.Name == later.Name {
		t.Errorf("Start() with a request ID that was used later = %v, %v; want another operation", again, err)
	}
}
