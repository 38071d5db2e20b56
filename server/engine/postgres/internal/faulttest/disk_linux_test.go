package faulttest

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"os/user"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/go-lro/lro/internal/pgserver"
	"github.com/go-lro/lro/internal/pgtest"
	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// smallDisk mounts a file system of so many bytes in memory, for the user
// postgres, and returns a function that changes its size.
func smallDisk(t *testing.T, size int) (dir string, resize func(int)) {
	t.Helper()
	dir, err := os.MkdirTemp("", "lro-disk-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(dir) })
	option := func(size int) string { return "size=" + strconv.Itoa(size) }
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, option(size)); err != nil {
		t.Skipf("SKIPPED: a small file system cannot be mounted (%v), so no full disk was tested", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	if owner, err := user.Lookup("postgres"); err == nil {
		uid, _ := strconv.Atoi(owner.Uid)
		if err := os.Chown(dir, uid, -1); err != nil {
			t.Fatal(err)
		}
	}
	return dir, func(size int) {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, option(size)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDiskFull starts operations until the disk of the server's tables is full:
// starts fail as unavailable and have not happened, what was acknowledged is
// there, and all of it ends when there is space again.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	rounds(t)
	const size = 12 << 20
	dir, resize := smallDisk(t, size)
	url := pgtest.Start(t, nil).URL("postgres")
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{"CREATE TABLESPACE small LOCATION '" + dir + "'", "ALTER ROLE " + pgserver.User + " SET default_tablespace = small"} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, url, workerConfig{Lease: 3 * time.Second})
	ctx, cancel := context.WithTimeout(t.Context(), 2*limit)
	defer cancel()
	begin := make(chan struct{})
	runHere(t, w.engine, func(ctx context.Context, a engine.Attempt) engine.Outcome {
		<-begin // once the disk is full
		return engine.Outcome{Response: a.Record().Request}
	})
	started := make(map[string]*anypb.Any)
	for {
		request := &anypb.Any{TypeUrl: "type.example/bytes", Value: make([]byte, 100<<10)}
		rand.Read(request.Value) // not to be compressed
		rec, err := w.engine.Start(ctx, engine.Spec{Kind: "k", Request: request})
		if errors.Is(err, engine.ErrUnavailable) {
			t.Logf("%d operations started, then %v", len(started), err)
			break
		}
		if err != nil {
			t.Fatalf("Start() on a full disk = %v, want %v", err, engine.ErrUnavailable)
		}
		if started[rec.Name] = request; len(started) > size/len(request.Value) {
			t.Fatal("the disk does not fill up")
		}
	}
	close(begin)
	enginekit.Pause(ctx, time.Second) // attempts end, or cannot
	resize(10 * size)
	for name, request := range started {
		rec, err := w.engine.Wait(ctx, name)
		if err != nil {
			t.Fatalf("Wait(%q) = %v, and its start was acknowledged", name, err)
		}
		if rec.State != engine.Succeeded || string(rec.Response.GetValue()) != string(request.GetValue()) {
			t.Errorf("operation %q is %v, with the error %v; want success with the request as response", name, rec.State, rec.Error)
		}
	}
	if n := query(w, pgx.RowTo[int], "SELECT count(*) FROM "+w.table("op"))[0]; n != len(started) {
		t.Errorf("%d operations are stored, want the %d that were acknowledged", n, len(started))
	}
	if _, err := w.engine.Start(ctx, engine.Spec{Kind: "k"}); err != nil {
		t.Errorf("Start() with space again = %v", err)
	}
}
