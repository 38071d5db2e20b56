package docs_test

import (
	"bytes"
	"context"
	"os/exec"
	"path/filepath"
	"testing"

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

// TestRestorePostgres restores a dump that was made while an operation ran, as
// backup.md says: the operation runs again from its checkpoint of then, an
// operation that was started later is unknown, and its request ID is free.
func TestRestorePostgres(t *testing.T) {
	t.Parallel()
	bin, err := pgserver.Find()
	if err != nil {
		pgtest.Required(t)
	}
	s := pgtest.Start(t, nil)
	pool, err := pgxpool.New(t.Context(), s.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if _, _, err := postgres.Migrate(t.Context(), pool, ""); err != nil {
		t.Fatal(err)
	}
	psql := func(database string, in []byte) {
		t.Helper()
		cmd := exec.Command(filepath.Join(bin, "psql"), "-v", "ON_ERROR_STOP=1", "-q", "-d", s.URL(database))
		cmd.Stdin = bytes.NewReader(in)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("psql: %v\n%s", err, out)
		}
	}
	before := opened(t, s.URL("postgres"))
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
	dump, err := exec.Command(filepath.Join(bin, "pg_dump"), "--schema=lro", "-d", s.URL("postgres")).Output()
	if err != nil {
		t.Fatal(err)
	}
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

	psql("postgres", []byte("CREATE DATABASE restored"))
	psql("restored", dump)
	after := opened(t, s.URL("restored"))
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
				t.Errorf("an attempt began at checkpoint %q, want that of the dump", c)
			}
			return engine.Outcome{Response: &anypb.Any{}}
		}})
	}()
	if rec, err := after.Wait(t.Context(), running.Name); err != nil || rec.State != engine.Succeeded || rec.Attempt != 2 {
		t.Errorf("Wait() in the restored database = %v, %v; want success in attempt 2", rec, err)
	}
	if rec, err := after.Get(t.Context(), later.Name); err == nil {
		t.Errorf("Get() of what was started after the dump = %v, want an error", rec)
	}
	again, err := after.Start(t.Context(), engine.Spec{Kind: "later", RequestID: "later"})
	if err != nil || again.Name == later.Name {
		t.Errorf("Start() with a request ID of after the dump = %v, %v; want another operation", again, err)
	}
}
